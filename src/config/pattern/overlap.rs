//! Whether two patterns can match one and the same text.

/// What a pattern has at one place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// This character.
    One(char),
    /// `?`: any but `/`.
    Any,
    /// `*`: any number of any but `/`.
    Star,
    /// `**`: any number of any.
    Cross,
}

/// Whether some text fits both. True too where that is not plain to see: `{a,b}`, classes and
/// escapes are not looked into.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (tokens(one), tokens(other)) else { return true };
    // `fits[j]`: whether what is left of `one` and `other[j..]` can match the same. From the end.
    let mut fits = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let mut row = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let next = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
            let (a, b) = (one.get(i).copied(), other.get(j).copied());
            let fit = match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    let skip_a = is_star(a) && (next(&fits, j) || takes(a, b) && next(&row, j + 1));
                    let skip_b = is_star(b) && (next(&row, j + 1) || takes(b, a) && next(&fits, j));
                    skip_a || skip_b || same(a, b) && next(&fits, j + 1)
                }
                (Some(a), None) => is_star(a) && next(&fits, j),
                (None, Some(b)) => is_star(b) && next(&row, j + 1),
            };
            if let Some(cell) = row.get_mut(j) {
                *cell = fit;
            }
        }
        fits = row;
    }
    fits.first().copied().unwrap_or(false)
}

fn is_star(token: Token) -> bool {
    matches!(token, Token::Star | Token::Cross)
}

/// Whether a star may stand for what this token matches.
fn takes(star: Token, token: Token) -> bool {
    star == Token::Cross || token != Token::One('/')
}

fn same(a: Token, b: Token) -> bool {
    match (a, b) {
        (Token::One(a), Token::One(b)) => a == b,
        (Token::Any, Token::One(c)) | (Token::One(c), Token::Any) => c != '/',
        (Token::Any, Token::Any) => true,
        _ => false,
    }
}

/// `None` where the pattern has more than stars and question marks. `/**/` matches a single `/`
/// too, so the `/` behind `**` is left to it.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    if pattern.contains(['{', '}', '[', ']', '\\']) {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                while rest.next_if(|c| matches!(c, '*' | '/')).is_some() {}
                Token::Cross
            }
            '*' => Token::Star,
            '?' => Token::Any,
            c => Token::One(c),
        });
    }
    Some(tokens)
}

#[cfg(test)]
mod tests;
