//! Key policies: the JSON document, and what it says about an action.
//!
//! Understood: Effect, Principal (AWS), Action, Resource. A statement with anything else is refused
//! with `MalformedPolicyDocumentException`: a condition that is silently ignored would allow too
//! much.

use serde_json::Value;

use crate::error::KmsError;
use crate::principals::Caller;

/// A key policy as given, and as read.
#[derive(Clone, Debug)]
pub(crate) struct KeyPolicy {
    pub(crate) text: String,
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    principals: Vec<String>,
    actions: Vec<String>,
}

/// What a key policy says to one caller about one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It names the caller and denies.
    Denied,
    /// It names the caller and allows.
    Allowed,
    /// It leaves the answer to the IAM policies of the caller's account.
    Delegated,
    Silent,
}

impl KeyPolicy {
    /// A policy that leaves these actions to the account's IAM policies; `kms:*` is that of a key
    /// made without one.
    pub(crate) fn delegating(account: &str, actions: &[&str]) -> Self {
        let root = crate::arn::root_arn(account);
        let text = serde_json::json!({
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [{
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": { "AWS": root },
                "Action": actions,
                "Resource": "*",
            }],
        })
        .to_string();
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        let delegation = Statement { allow: true, principals: vec![root], actions };
        Self { text, statements: vec![delegation] }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, KmsError> {
        let bad = |why: &str| {
            KmsError::refusal("MalformedPolicyDocumentException", format!("{why} (sandbox)"))
        };
        let document: Value =
            serde_json::from_str(text).map_err(|e| bad(&format!("not JSON: {e}")))?;
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(bad("Statement is missing")),
        };
        let statements =
            statements.into_iter().map(|s| Statement::parse(s).map_err(|why| bad(&why)));
        Ok(Self { text: text.to_owned(), statements: statements.collect::<Result<_, _>>()? })
    }

    pub(crate) fn verdict(&self, caller: &Caller, action: &str) -> Verdict {
        let root = crate::arn::root_arn(&caller.account);
        let names = |s: &Statement| {
            s.principals.iter().any(|p| p == "*" || p == caller.principal() || p == &caller.arn)
        };
        let delegates =
            |s: &Statement| s.principals.iter().any(|p| p == &root || p == &caller.account);
        let about =
            || self.statements.iter().filter(|s| s.actions.iter().any(|a| matches(a, action)));
        if about().any(|s| !s.allow && (names(s) || delegates(s))) {
            Verdict::Denied
        } else if about().any(|s| s.allow && names(s)) {
            Verdict::Allowed
        } else if about().any(|s| s.allow && delegates(s)) {
            Verdict::Delegated
        } else {
            Verdict::Silent
        }
    }
}

impl Statement {
    fn parse(value: &Value) -> Result<Self, String> {
        const KNOWN: [&str; 5] = ["Sid", "Effect", "Principal", "Action", "Resource"];
        let fields = value.as_object().ok_or("a statement is no object")?;
        if let Some(field) = fields.keys().find(|k| !KNOWN.contains(&k.as_str())) {
            return Err(format!("{field} is not understood"));
        }
        let allow = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("Effect must be Allow or Deny".to_owned()),
        };
        if fields.get("Resource").and_then(Value::as_str) != Some("*") {
            return Err("Resource must be \"*\", which means this key".to_owned());
        }
        let principals = match fields.get("Principal") {
            Some(Value::String(all)) if all == "*" => vec!["*".to_owned()],
            Some(Value::Object(kinds)) if kinds.len() == 1 => {
                strings(kinds.get("AWS")).ok_or("Principal must be \"*\" or {\"AWS\": …}")?
            }
            _ => return Err("Principal must be \"*\" or {\"AWS\": …}".to_owned()),
        };
        let actions = strings(fields.get("Action")).ok_or("Action is missing")?;
        Ok(Self { allow, principals, actions })
    }
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    let value = value?;
    if let Some(one) = value.as_str() {
        return Some(vec![one.to_owned()]);
    }
    value.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Whether an action pattern with `*` matches; actions are compared without case, as IAM does.
/// Takes each star as short as it can and goes back to the last one only: no pattern is slow.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut p, mut a) = (0, 0);
    // The place after the last star, and where in the action it was tried last.
    let mut star: Option<(usize, usize)> = None;
    while a < action.len() {
        let wanted = pattern.get(p);
        if wanted == Some(&b'*') {
            p += 1;
            star = Some((p, a));
        } else if wanted.is_some_and(|w| w.eq_ignore_ascii_case(&action[a])) {
            p += 1;
            a += 1;
        } else if let Some((after, tried)) = star {
            star = Some((after, tried + 1));
            (p, a) = (after, tried + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
