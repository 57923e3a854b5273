//! Request parameters: types as the JSON protocol wants them, constraints as the service model has
//! them, all violations in one `ValidationException` with AWS's wording.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::KmsError;

/// A regular expression as the model has it, and the function that stands for it.
pub(crate) type Pattern = (&'static str, fn(&str) -> bool);

/// What a string member must look like.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) pattern: Option<Pattern>,
}

impl Text {
    pub(crate) const fn length(min: usize, max: usize) -> Self {
        Self { min, max, pattern: None }
    }
}

/// `KeyIdType`.
pub(crate) const KEY_ID: Text = Text::length(1, 2048);
/// `GrantIdType`.
pub(crate) const GRANT_ID: Text = Text::length(1, 128);
/// `GrantTokenType`.
pub(crate) const GRANT_TOKEN: Text = Text::length(1, 8192);
/// `MarkerType`.
pub(crate) const MARKER: Text = Text::length(1, 1024);

/// Reads members of one request and gathers what is wrong with them.
pub(crate) struct Params<'a> {
    body: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Params<'a> {
    pub(crate) fn of(body: &'a Value) -> Result<Self, KmsError> {
        let body = body.as_object().ok_or_else(|| wrong_type("the request", "a structure"))?;
        Ok(Self { body, problems: Vec::new() })
    }

    fn member(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    /// An optional string; a violation is noted and the value still returned.
    pub(crate) fn text(&mut self, name: &str, rule: Text) -> Result<Option<&'a str>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| wrong_type(name, "a string"))?;
        self.check(&camel(name), text, rule);
        Ok(Some(text))
    }

    /// An optional string out of a few.
    pub(crate) fn one_of(
        &mut self,
        name: &str,
        known: &[&str],
    ) -> Result<Option<&'a str>, KmsError> {
        let text = self.text(name, Text::length(0, usize::MAX))?;
        if let Some(other) = text.filter(|text| !known.contains(text)) {
            let set = format!("Member must satisfy enum value set: [{}]", known.join(", "));
            self.problem(&camel(name), other, &set);
        }
        Ok(text)
    }

    /// A required string; if it is absent that is noted and an empty one returned.
    pub(crate) fn needed(&mut self, name: &str, rule: Text) -> Result<&'a str, KmsError> {
        let text = self.text(name, rule)?;
        Ok(text.unwrap_or_else(|| {
            self.missing(name);
            ""
        }))
    }

    pub(crate) fn missing(&mut self, name: &str) {
        self.problem(&camel(name), "null", "Member must not be null");
    }

    /// Notes that a member violates a constraint.
    pub(crate) fn problem(&mut self, member: &str, value: &str, constraint: &str) {
        let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
        self.problems.push(format!(
            "Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    fn check(&mut self, member: &str, text: &str, rule: Text) {
        let length = text.chars().count();
        if length < rule.min {
            let constraint =
                format!("Member must have length greater than or equal to {}", rule.min);
            self.problem(member, text, &constraint);
        }
        if length > rule.max {
            let constraint = format!("Member must have length less than or equal to {}", rule.max);
            self.problem(member, text, &constraint);
        }
        if let Some((pattern, fits)) = rule.pattern
            && !fits(text)
        {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.problem(member, text, &constraint);
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, KmsError> {
        match self.member(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| wrong_type(name, "a boolean")),
        }
    }

    /// An optional whole number within a range.
    pub(crate) fn number(
        &mut self,
        name: &str,
        min: i64,
        max: i64,
    ) -> Result<Option<i64>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let number = value.as_i64().ok_or_else(|| wrong_type(name, "an integer"))?;
        if number < min {
            let constraint = format!("Member must have value greater than or equal to {min}");
            self.problem(&camel(name), &number.to_string(), &constraint);
        }
        if number > max {
            let constraint = format!("Member must have value less than or equal to {max}");
            self.problem(&camel(name), &number.to_string(), &constraint);
        }
        Ok(Some(number))
    }

    /// An optional timestamp: epoch seconds in JSON, here milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "what is no instant saturates")]
    pub(crate) fn instant(&self, name: &str) -> Result<Option<i64>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let seconds = value.as_f64().ok_or_else(|| wrong_type(name, "a timestamp"))?;
        Ok(Some((seconds * 1_000.0).round() as i64))
    }

    /// An optional list of strings.
    pub(crate) fn list(
        &mut self,
        name: &str,
        max: usize,
        rule: Text,
    ) -> Result<Option<Vec<&'a str>>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let list = value.as_array().ok_or_else(|| wrong_type(name, "a list"))?;
        let items: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
        let items = items.ok_or_else(|| wrong_type(name, "a list of strings"))?;
        if items.len() > max {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.problem(&camel(name), &format!("[{}]", items.join(", ")), &constraint);
        }
        for (i, item) in items.iter().enumerate() {
            self.check(&format!("{}.{}.member", camel(name), i + 1), item, rule);
        }
        Ok(Some(items))
    }

    /// An optional map of strings.
    pub(crate) fn map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let wrong = || wrong_type(name, "a map of strings");
        let pairs = value.as_object().ok_or_else(wrong)?;
        let pair = |(k, v): (&String, &Value)| Some((k.clone(), v.as_str()?.to_owned()));
        pairs.iter().map(pair).collect::<Option<_>>().map(Some).ok_or_else(wrong)
    }

    /// The members of an optional structure.
    pub(crate) fn structure(&self, name: &str) -> Result<Option<Params<'a>>, KmsError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let body = value.as_object().ok_or_else(|| wrong_type(name, "a structure"))?;
        Ok(Some(Params { body, problems: Vec::new() }))
    }

    /// Takes over what was found in a structure.
    pub(crate) fn absorb(&mut self, inner: Params<'_>) {
        self.problems.extend(inner.problems);
    }

    /// An optional blob: base64 in JSON.
    pub(crate) fn blob(&mut self, name: &str, max: usize) -> Result<Option<Vec<u8>>, KmsError> {
        use base64::Engine as _;
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| wrong_type(name, "a blob"))?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|_| wrong_type(name, "a blob in base64"))?;
        if bytes.is_empty() || bytes.len() > max {
            let constraint = if bytes.is_empty() {
                "Member must have length greater than or equal to 1".to_owned()
            } else {
                format!("Member must have length less than or equal to {max}")
            };
            self.problem(&camel(name), "java.nio.HeapByteBuffer", &constraint);
        }
        Ok(Some(bytes))
    }

    /// All that was wrong, as one error.
    pub(crate) fn finish(self) -> Result<(), KmsError> {
        let count = self.problems.len();
        if count == 0 {
            return Ok(());
        }
        let plural = if count == 1 { "error" } else { "errors" };
        let problems = self.problems.join("; ");
        Err(KmsError::validation(format!("{count} validation {plural} detected: {problems}")))
    }
}

fn wrong_type(name: &str, wanted: &str) -> KmsError {
    KmsError::refusal("SerializationException", format!("{name} is not {wanted}"))
}

fn camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
