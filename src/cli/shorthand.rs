//! `--constraints` as the AWS CLI takes it: shorthand (`EncryptionContextSubset={Department=IT}`)
//! or JSON.
//!
//! The shorthand grammar is that of awscli/shorthand.py for structures and maps of strings:
//! `key=value` pairs with commas between; a value is `{pairs}`, `'quoted'`, `"quoted"` (a backslash
//! keeps the next character) or bare up to the next `,` or `}`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::CharIndices;

use crate::fault::{Fault, Kind};
use crate::terms::Constraints;

const EXAMPLE: &str = "write --constraints 'EncryptionContextSubset={Department=IT}', the same \
                       as JSON, or --context Department=IT";

/// Read the value of `--constraints`.
///
/// # Errors
/// [`Kind::BadArgument`], saying where it goes wrong.
pub(super) fn constraints(text: &str) -> Result<Constraints, Fault> {
    let bad =
        |why: String| Fault::new(Kind::BadArgument, format!("--constraints: {why}")).hint(EXAMPLE);
    let members: BTreeMap<String, BTreeMap<String, String>> = if text.trim_start().starts_with('{')
    {
        serde_json::from_str(text)
            .map_err(|error| bad(format!("not the JSON of two maps of strings: {error}")))?
    } else if text.contains("://") && !text.contains('=') {
        return Err(bad(format!("{text:?} names a file, and grantd reads none here")));
    } else {
        Shorthand::read(text).map_err(bad)?
    };
    let mut found = Constraints::None;
    for (name, pairs) in members {
        let one = match name.as_str() {
            "EncryptionContextSubset" => Constraints::Subset(pairs),
            "EncryptionContextEquals" => Constraints::Equals(pairs),
            "SourceArn" => {
                return Err(bad(
                    "SourceArn is for AWS services, and grantd makes no grants for them".into(),
                ));
            }
            other => {
                return Err(bad(format!(
                    "{other:?} is neither EncryptionContextSubset nor EncryptionContextEquals"
                )));
            }
        };
        if found != Constraints::None {
            return Err(bad(
                "KMS takes EncryptionContextSubset or EncryptionContextEquals, not both".into(),
            ));
        }
        found = one;
    }
    Ok(found)
}

/// Read the pairs of `--context` or `--context-equals`: several words, and several pairs in one,
/// with commas between, as the AWS CLI has them. Quotes keep a comma: `--context 'A="b,c"'`.
///
/// # Errors
/// [`Kind::BadArgument`] for a pair without `=`, without a key, or with a key that came before.
pub(super) fn pairs(flag: &str, typed: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let mut pairs = BTreeMap::new();
    for text in typed {
        let bad = |why: &str| {
            Fault::new(Kind::BadArgument, format!("{flag} {text:?} {why}")).hint(format!(
                "write {flag} KEY=VALUE,KEY=VALUE; a comma of a value is quoted: {flag} \
                 'Team=\"a,b\"'"
            ))
        };
        let mut this = Shorthand { text, rest: text.char_indices().peekable() };
        loop {
            let key = this.word(&['=', ',']).map_err(|why| bad(&why))?;
            if this.rest.next_if(|&(_, c)| c == '=').is_none() {
                return Err(bad(&format!("has no `=` behind {key:?}")));
            }
            if key.is_empty() {
                return Err(bad("has no key before the `=`"));
            }
            let value = this.word(&[',']).map_err(|why| bad(&why))?;
            if pairs.insert(key.clone(), value).is_some() {
                return Err(bad(&format!("gives the key {key:?} a second time")));
            }
            match this.rest.next() {
                None => break,
                Some((_, ',')) => {}
                Some((at, c)) => {
                    let why = format!("has {c:?} behind a quote, at character {}", at + 1);
                    return Err(bad(&why));
                }
            }
        }
    }
    Ok(pairs)
}

struct Shorthand<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl<'a> Shorthand<'a> {
    fn read(text: &'a str) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
        let mut this = Self { text, rest: text.char_indices().peekable() };
        let mut members = BTreeMap::new();
        loop {
            let name = this.key()?;
            this.expect('{')?;
            let map = this.map()?;
            if members.insert(name.clone(), map).is_some() {
                return Err(format!("{name} is given twice"));
            }
            this.space();
            match this.rest.next() {
                None => return Ok(members),
                Some((_, ',')) => {}
                Some((at, c)) => {
                    return Err(format!(
                        "expected `,` or the end at character {}, found {c:?}",
                        at + 1
                    ));
                }
            }
        }
    }

    /// The pairs up to `}`, which is taken.
    fn map(&mut self) -> Result<BTreeMap<String, String>, String> {
        let mut map = BTreeMap::new();
        self.space();
        if self.rest.next_if(|&(_, c)| c == '}').is_some() {
            return Ok(map);
        }
        loop {
            let key = self.key()?;
            let value = self.value()?;
            if map.insert(key.clone(), value).is_some() {
                return Err(format!("{key} is given twice"));
            }
            self.space();
            match self.rest.next() {
                Some((_, '}')) => return Ok(map),
                Some((_, ',')) => {}
                Some((at, c)) => {
                    return Err(format!(
                        "expected `,` or `}}` at character {}, found {c:?}",
                        at + 1
                    ));
                }
                None => return Err("the closing `}` is missing".into()),
            }
        }
    }

    /// A key and its `=`. The AWS CLI's keys are `[0-9a-zA-Z\-_.#/:]` (and a few more of no use in
    /// a context).
    fn key(&mut self) -> Result<String, String> {
        self.space();
        let mut key = String::new();
        while let Some((_, c)) =
            self.rest.next_if(|&(_, c)| c.is_alphanumeric() || "-_.#/:".contains(c))
        {
            key.push(c);
        }
        if key.is_empty() {
            return Err(format!("expected a key at character {}", self.position()));
        }
        self.space();
        self.expect('=')?;
        Ok(key)
    }

    fn value(&mut self) -> Result<String, String> {
        self.space();
        Ok(self.word(&[',', '}'])?.trim_end().to_owned())
    }

    /// What is quoted, or all up to one of `ends`; a backslash keeps what follows it in quotes, and
    /// a comma anywhere.
    fn word(&mut self, ends: &[char]) -> Result<String, String> {
        let quote = self.rest.next_if(|&(_, c)| c == '\'' || c == '"');
        let Some((_, quote)) = quote else {
            let mut bare = String::new();
            while let Some((_, c)) = self.rest.next_if(|(_, c)| !ends.contains(c)) {
                match (c, self.rest.peek()) {
                    ('\\', Some((_, ','))) => bare.extend(self.rest.next().map(|(_, comma)| comma)),
                    (c, _) => bare.push(c),
                }
            }
            return Ok(bare);
        };
        let mut value = String::new();
        while let Some((_, c)) = self.rest.next() {
            match c {
                c if c == quote => return Ok(value),
                '\\' => value.extend(self.rest.next().map(|(_, kept)| kept)),
                c => value.push(c),
            }
        }
        Err(format!("the closing {quote} is missing"))
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        self.space();
        match self.rest.next_if(|&(_, c)| c == wanted) {
            Some(_) => Ok(()),
            None => Err(format!("expected `{wanted}` at character {}", self.position())),
        }
    }

    fn space(&mut self) {
        while self.rest.next_if(|&(_, c)| c == ' ').is_some() {}
    }

    fn position(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |&(at, _)| at) + 1
    }
}

#[cfg(test)]
mod tests;
