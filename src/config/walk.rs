//! Reading values out of the spanned tree. Every method reports what is wrong and goes on: a value
//! that could not be read is `None`, and the file as a whole is refused at the end.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::callers::Names;
use super::diagnostics::{Place, Problem, place};
use super::schema::{ALL, Schema};
use crate::rules::policy::parse_span;
use crate::terms::nearest;

/// Entries of one list: what a person writes is far below it, and each request asks all of them.
const LIST_MAX: usize = 1_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What has been found so far.
pub(super) struct Walk<'a> {
    text: &'a str,
    pub(super) names: &'a dyn Names,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str, names: &'a dyn Names) -> Self {
        Self { text, names, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, problem: Problem) {
        self.warnings.push(problem);
    }

    /// Each of `texts`, checked by `read`; what is wrong is reported and left out.
    pub(super) fn each<T>(
        &mut self,
        texts: &[At<&str>],
        read: impl Fn(&mut Self, &At<&str>) -> Result<T, Problem>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        let mut seen: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
        for text in texts {
            if let Some(first) = seen.insert(text.value, &text.span) {
                let problem =
                    Problem::at(text.span.clone(), format!("{:?} is there twice", text.value));
                self.warn(problem.other(first.clone(), "first here"));
                continue;
            }
            match read(self, text) {
                Ok(value) => all.push(value),
                Err(problem) => self.problem(problem),
            }
        }
        all
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        place(self.text, span.start)
    }

    /// All problems and all warnings. After a syntax error the tree is only what could be
    /// recovered: what may be its consequence is left out.
    pub(super) fn finish(self, syntax: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
        let line = |p: &Problem| p.span.as_ref().map(|span| self.place(span).line);
        let broken: Vec<_> = syntax.iter().map(line).collect();
        let sound = |p: &Problem| broken.is_empty() || !(p.derived || broken.contains(&line(p)));
        let mut problems: Vec<_> = self.problems.iter().filter(|p| sound(p)).cloned().collect();
        problems.extend(syntax);
        (problems, self.warnings)
    }
}

/// A syntax error of the TOML parser as a problem of ours.
pub(super) fn syntax_problem(error: &toml::de::Error) -> Problem {
    let message = format!("this is not TOML: {}", error.message());
    match error.span() {
        Some(span) => Problem::at(span, message),
        None => Problem::whole(message),
    }
}

/// A table whose keys have been checked.
pub(super) struct Table<'t, 'i> {
    map: &'t DeTable<'i>,
    pub(super) span: Range<usize>,
    schema: &'static Schema,
}

impl<'t, 'i> Table<'t, 'i> {
    /// Take `map`, and report every key that `schema` does not know.
    pub(super) fn open(
        walk: &mut Walk<'_>,
        map: &'t DeTable<'i>,
        span: Range<usize>,
        schema: &'static Schema,
    ) -> Self {
        for key in map.keys() {
            let name = key.get_ref().as_ref();
            if !schema.keys.iter().any(|(known, _)| *known == name) {
                walk.problem(unknown_key(name, key.span(), schema));
            }
        }
        Self { map, span, schema }
    }

    /// The same for a value that should be a table.
    pub(super) fn of(
        walk: &mut Walk<'_>,
        value: &'t Spanned<DeValue<'i>>,
        schema: &'static Schema,
    ) -> Option<Self> {
        if let DeValue::Table(map) = value.get_ref() {
            return Some(Self::open(walk, map, value.span(), schema));
        }
        let message = format!("{} is a table, not {}", schema.title, kind(value.get_ref()));
        walk.problem(Problem::at(value.span(), message));
        None
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.map.get(key)
    }

    /// Report that a required key is missing; not when it is there with a typing error, which is
    /// reported already.
    pub(super) fn missing(&self, walk: &mut Walk<'_>, key: &str) {
        let known = || self.schema.keys.iter().map(|(known, _)| *known);
        let mistyped =
            |name: &str| !known().any(|k| k == name) && nearest(name, known()) == Some(key);
        if self.map.keys().any(|name| mistyped(name.get_ref())) {
            return;
        }
        let message = format!("{} has no `{key}`", self.schema.title);
        let problem = match self.span.is_empty() {
            true => Problem::whole(message),
            false => Problem::at(self.span.clone(), message),
        };
        let help = format!("add {}", self.schema.example(key));
        walk.problem(problem.help(help).derived());
    }

    pub(super) fn wrong(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        value: &Spanned<DeValue<'i>>,
        want: &str,
    ) {
        let message = format!("`{key}` takes {want}, not {}", kind(value.get_ref()));
        let help = format!("write {}", self.schema.example(key));
        walk.problem(Problem::at(value.span(), message).help(help));
    }

    /// An optional text.
    pub(super) fn text(&self, walk: &mut Walk<'_>, key: &str) -> Option<At<&'t str>> {
        let value = self.get(key)?;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong(walk, key, value, "a text");
            return None;
        };
        Some(At { value: text.as_ref(), span: value.span() })
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, walk: &mut Walk<'_>, key: &str) -> Option<At<&'t str>> {
        if self.get(key).is_none() {
            self.missing(walk, key);
        }
        self.text(walk, key)
    }

    /// One of the words that mean a value, where given.
    pub(super) fn word<T: Copy>(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(walk, key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let all = || words.iter().map(|(word, _)| *word);
        let known: Vec<_> = all().map(|word| format!("{word:?}")).collect();
        let problem = Problem::at(text.span, format!("`{key}` may not be {:?}", text.value));
        walk.problem(match nearest(text.value, all()) {
            Some(near) => problem.help(format!("did you mean {near:?}?")),
            None => problem.help(format!("it takes {}", known.join(", "))),
        });
        None
    }

    /// A whole number from `least` to `most`, where given.
    pub(super) fn count(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        (least, most): (u32, u32),
    ) -> Option<At<u32>> {
        let given = self.number(walk, key)?;
        if let Some(value) = u32::try_from(given.value).ok().filter(|n| (least..=most).contains(n))
        {
            return Some(At { value, span: given.span });
        }
        let message = format!("`{key}` may not be {}", given.value);
        walk.problem(Problem::at(given.span, message).help(format!("from {least} to {most}")));
        None
    }

    /// `true` or `false`, where given.
    pub(super) fn flag(&self, walk: &mut Walk<'_>, key: &str) -> Option<At<bool>> {
        let value = self.get(key)?;
        let DeValue::Boolean(flag) = value.get_ref() else {
            self.wrong(walk, key, value, "true or false");
            return None;
        };
        Some(At { value: *flag, span: value.span() })
    }

    /// A whole number, where given.
    pub(super) fn number(&self, walk: &mut Walk<'_>, key: &str) -> Option<At<i64>> {
        let value = self.get(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong(walk, key, value, "a whole number");
            return None;
        };
        let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) else {
            walk.problem(Problem::at(value.span(), format!("`{key}` is too large a number")));
            return None;
        };
        Some(At { value: number, span: value.span() })
    }

    /// A span of time in ms, where given.
    pub(super) fn duration(&self, walk: &mut Walk<'_>, key: &str) -> Option<At<i64>> {
        let value = self.get(key)?;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong(walk, key, value, "a time with its unit, in quotes");
            return None;
        };
        match parse_span(text) {
            Ok(ms) => Some(At { value: ms, span: value.span() }),
            Err(bad) => {
                let message = format!("`{key}` is no span of time: {bad}");
                walk.problem(Problem::at(value.span(), message).help(bad.help()));
                None
            }
        }
    }

    /// A list of texts, where given; what is no text is reported and left out.
    pub(super) fn texts(&self, walk: &mut Walk<'_>, key: &str) -> Option<Vec<At<&'t str>>> {
        let value = self.get(key)?;
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong(walk, key, value, "a list of texts");
            return None;
        };
        if list.len() > LIST_MAX {
            let message = format!("`{key}` has {} entries", list.len());
            let help = format!("at most {LIST_MAX}: a pattern says more in less");
            walk.problem(Problem::at(value.span(), message).help(help));
            return None;
        }
        let mut texts = Vec::new();
        for entry in list.iter() {
            if let DeValue::String(text) = entry.get_ref() {
                texts.push(At { value: text.as_ref(), span: entry.span() });
            } else {
                let entry_is = kind(entry.get_ref());
                let message = format!("`{key}` is a list of texts, and this is {entry_is}");
                walk.problem(Problem::at(entry.span(), message));
            }
        }
        Some(texts)
    }

    /// A list of texts that must be there and hold at least one.
    pub(super) fn required_texts(&self, walk: &mut Walk<'_>, key: &str) -> Vec<At<&'t str>> {
        let Some(value) = self.get(key) else {
            self.missing(walk, key);
            return Vec::new();
        };
        if matches!(value.get_ref(), DeValue::Array(list) if list.is_empty()) {
            let help = format!("write {}", self.schema.example(key));
            walk.problem(Problem::at(value.span(), format!("`{key}` is empty")).help(help));
        }
        self.texts(walk, key).unwrap_or_default()
    }
}

/// What a value is, in the words of the file's language.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown_key(name: &str, span: Range<usize>, schema: &'static Schema) -> Problem {
    let problem = Problem::at(span, format!("{} has no key {name:?}", schema.title));
    if schema.title == "[daemon]" && ["state-dir", "state-directory"].contains(&name) {
        return problem.help("the state directory comes from --state-dir or $STATE_DIRECTORY, so that a bad file cannot move the ledger");
    }
    if let Some(near) = nearest(name, schema.keys.iter().map(|(known, _)| *known)) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let home = ALL.iter().find(|s| s.keys.iter().any(|(known, _)| *known == name));
    if let Some(home) = home {
        return problem.help(format!("`{name}` belongs to {}", home.title));
    }
    let known: Vec<_> = schema.keys.iter().map(|(known, _)| *known).collect();
    problem.help(format!("it takes {}", known.join(", ")))
}
