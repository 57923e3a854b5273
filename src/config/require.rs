//! `require`: what a request must say.
//!
//! ```toml
//! require = ["reason", { encryption-context = { "aws:s3:arn" = "arn:aws:s3:::team-a/*" } }]
//! ```

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostics::Problem;
use super::pattern::Glob;
use super::schema::REQUIRE;
use super::walk::{Table, Walk};
use crate::rules::policy::{CONTEXT_PAIRS_MAX, CONTEXT_VALUE_MAX};

/// A pair that the encryption context of the grant must hold. The key is literal, the value a
/// pattern in which `*` crosses `/`; KMS itself knows no patterns there (kms-facts 1), so each
/// grant is bound to one value that the pattern lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextPattern {
    /// The key of the pair.
    pub key: String,
    text: String,
    glob: Glob,
}

impl ContextPattern {
    /// Whether `pairs` hold such a pair.
    #[must_use]
    pub fn matches(&self, pairs: &BTreeMap<String, String>) -> bool {
        pairs.get(&self.key).is_some_and(|value| self.glob.matches(value))
    }
}

impl ContextPattern {
    /// The pattern of the value.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ContextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.text)
    }
}

/// Whether a reason is required, and which pairs are.
pub(super) fn read(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> (bool, Vec<ContextPattern>) {
    let (mut reason, mut pairs) = (false, Vec::new());
    let Some(value) = table.get("require") else { return (reason, pairs) };
    let DeValue::Array(list) = value.get_ref() else {
        table.wrong(walk, "require", value, "a list");
        return (reason, pairs);
    };
    for entry in list.iter() {
        match entry.get_ref() {
            DeValue::String(text) if text.as_ref() == "reason" => reason = true,
            DeValue::Table(_) => pairs.extend(context(walk, entry)),
            DeValue::String(text) => {
                let problem = Problem::at(entry.span(), format!("{text:?} cannot be required"));
                walk.problem(problem.help(if text.as_ref() == "encryption-context" {
                    "say which: { encryption-context = { \"aws:s3:arn\" = \"arn:aws:s3:::team-a/*\" } }"
                } else {
                    "it takes \"reason\" and { encryption-context = { … } }"
                }));
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => table.wrong(walk, "require", entry, "\"reason\" and tables"),
        }
    }
    if pairs.len() > CONTEXT_PAIRS_MAX {
        let message = format!("`require` asks for {} pairs of encryption context", pairs.len());
        let help = format!("a grant can be bound to {CONTEXT_PAIRS_MAX}");
        walk.problem(Problem::at(value.span(), message).help(help));
    }
    (reason, pairs)
}

fn context(walk: &mut Walk<'_>, entry: &Spanned<DeValue<'_>>) -> Vec<ContextPattern> {
    let mut pairs = Vec::new();
    let Some(table) = Table::of(walk, entry, &REQUIRE) else { return pairs };
    let Some(value) = table.get("encryption-context") else {
        table.missing(walk, "encryption-context");
        return pairs;
    };
    let DeValue::Table(map) = value.get_ref() else {
        table.wrong(walk, "encryption-context", value, "a table");
        return pairs;
    };
    if map.is_empty() {
        let problem = Problem::at(value.span(), "`encryption-context` names no key");
        walk.problem(problem.help("such as { \"aws:s3:arn\" = \"arn:aws:s3:::team-a/*\" }"));
    }
    for (key, value) in map.iter() {
        match pair(key.get_ref(), value) {
            Ok(pattern) => pairs.push(pattern),
            Err(problem) => walk.problem(problem),
        }
    }
    pairs
}

fn pair(key: &str, value: &Spanned<DeValue<'_>>) -> Result<ContextPattern, Problem> {
    let problem = |message: String| Problem::at(value.span(), message);
    let DeValue::String(text) = value.get_ref() else {
        let help = "values of the encryption context are texts; * stands for any";
        return Err(problem(format!("the value of {key:?} is no text")).help(help));
    };
    if key.is_empty() || key.chars().count() > CONTEXT_VALUE_MAX {
        return Err(problem(format!("{key:?} is no key of an encryption context"))
            .help(format!("1 to {CONTEXT_VALUE_MAX} characters")));
    }
    let glob =
        Glob::new(text, false).map_err(|why| problem(format!("{text:?} is no pattern: {why}")))?;
    Ok(ContextPattern { key: key.to_owned(), text: text.to_string(), glob })
}
