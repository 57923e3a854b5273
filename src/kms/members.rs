//! What a listed grant has that this version does not know.
//!
//! A typed reader drops a member that it does not know without a word, and with it perhaps the one
//! constraint that tells whose the grant is. A grant is not judged by the half of it that is
//! understood, so the raw entry is asked too.

use serde_json::{Map, Value};

/// The members of an entry (botocore 1.44.5, kms shape `GrantListEntry`).
const GRANT: [&str; 11] = [
    "KeyId",
    "GrantId",
    "Name",
    "CreationDate",
    "GranteePrincipal",
    "RetiringPrincipal",
    "IssuingAccount",
    "Operations",
    "Constraints",
    "GranteeServicePrincipal",
    "RetiringServicePrincipal",
];
/// The members of its constraints (shape `GrantConstraints`).
const SUBSET: &str = "EncryptionContextSubset";
const EQUALS: &str = "EncryptionContextEquals";
const SOURCE_ARN: &str = "SourceArn";
/// What stands before a member of the constraints.
const WITHIN: &str = "Constraints.";

/// The members of one raw entry that are not understood, by their paths, such as
/// `Constraints.SourceAccount`. Letters count: `encryptionContextEquals` is not the member that KMS
/// knows. `null` says nothing, and is passed over.
#[must_use]
pub fn unknown_members(entry: &Map<String, Value>) -> Vec<String> {
    let mut unknown: Vec<String> = given(entry)
        .filter(|(name, _)| !GRANT.contains(name))
        .map(|(name, _)| name.to_owned())
        .collect();
    let operations = entry.get("Operations").and_then(Value::as_array);
    if operations.is_some_and(|all| !all.iter().all(Value::is_string)) {
        unknown.push("Operations".to_owned());
    }
    match entry.get("Constraints") {
        None | Some(Value::Null) => {}
        Some(Value::Object(constraints)) => {
            let odd = given(constraints).filter(|member| !is_known_constraint(*member));
            unknown.extend(odd.map(|(name, _)| format!("{WITHIN}{name}")));
        }
        Some(_) => unknown.push("Constraints".to_owned()),
    }
    unknown
}

/// Whether one of `unknown` may bound what the grant gives: its terms are not known then.
#[must_use]
pub fn hides_terms(unknown: &[String]) -> bool {
    let bounds = |path: &String| {
        path.starts_with(WITHIN) || ["Constraints", "Operations"].contains(&path.as_str())
    };
    unknown.iter().any(bounds)
}

fn given(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (&**name, value))
}

/// A pair without a text as its value is dropped by a typed reader; an `Equals` of no pairs admits
/// no context at all, which our own terms cannot say.
fn is_known_constraint((name, value): (&str, &Value)) -> bool {
    let texts = |pairs: &Map<String, Value>| pairs.values().all(Value::is_string);
    match (name, value) {
        (SUBSET, Value::Object(pairs)) => texts(pairs),
        (EQUALS, Value::Object(pairs)) => !pairs.is_empty() && texts(pairs),
        (SOURCE_ARN, Value::String(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
