//! The form of an IAM policy, as it is written.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::ids::Principal;
use crate::terms::Operation;

/// A whole policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    pub(super) version: &'static str,
    pub(super) statement: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    pub(super) sid: String,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Who>,
    action: Many,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Many>,
    #[serde(skip_serializing_if = "Condition::is_empty")]
    condition: Condition,
}

/// Operator → key → values.
type Condition = BTreeMap<String, BTreeMap<String, Many>>;

/// Whom a statement is about, in a policy that stands at a key or a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Who {
    Everybody(&'static str),
    One {
        #[serde(rename = "AWS")]
        principal: String,
    },
}

/// A list; one value alone is written without brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Many(Vec<String>);

impl Serialize for Many {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(to),
            all => all.serialize(to),
        }
    }
}

impl Statement {
    pub(super) fn allow(sid: &str, actions: &[&str]) -> Self {
        Self::of("Allow", sid, actions)
    }

    pub(super) fn deny(sid: &str, actions: &[&str]) -> Self {
        Self::of("Deny", sid, actions)
    }

    fn of(effect: &'static str, sid: &str, actions: &[&str]) -> Self {
        Self {
            sid: sid.to_owned(),
            effect,
            principal: None,
            action: Many(actions.iter().map(|action| (*action).to_owned()).collect()),
            resource: None,
            condition: Condition::new(),
        }
    }

    pub(super) fn by(self, principal: &Principal) -> Self {
        Self { principal: Some(Who::One { principal: principal.as_str().to_owned() }), ..self }
    }

    pub(super) fn by_everybody(self) -> Self {
        Self { principal: Some(Who::Everybody("*")), ..self }
    }

    pub(super) fn on(self, resources: Vec<String>) -> Self {
        Self { resource: Some(Many(resources)), ..self }
    }

    pub(super) fn when(mut self, operator: &str, key: &str, values: Vec<String>) -> Self {
        let keys = self.condition.entry(operator.to_owned()).or_default();
        keys.insert(key.to_owned(), Many(values));
        self
    }
}

/// The operations as KMS names them.
pub(super) fn names(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(|op| op.as_str().to_owned()).collect()
}

/// A name of letters and digits alone, as a Sid wants it: `s3-readers` → `S3Readers`.
pub(super) fn camel(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    words.map(capital).collect()
}
