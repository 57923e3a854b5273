//! Grants that no caller here could make: those of AWS services, and thousands at once.

use serde_json::{Map, Value};

use crate::arn::root_arn;
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::terms::{read_constraints, read_operations};
use crate::keyspec::GRANT_OPERATIONS;
use crate::model::{Extra, Grant, Holder};
use crate::params::{KEY_ID, Params, Text};

/// Whatever stands in published listings, `AWS Internal` and unique ids too (kms-facts 2 and 6).
const PARTY: Text = Text::length(1, 256);

/// The members of an entry that this KMS makes something of.
const MEMBERS: [&str; 11] = [
    "KeyId",
    "GrantId",
    "Name",
    "CreationDate",
    "GranteePrincipal",
    "GranteeServicePrincipal",
    "RetiringPrincipal",
    "RetiringServicePrincipal",
    "IssuingAccount",
    "Operations",
    "Constraints",
];
const CONSTRAINTS: [&str; 3] = ["EncryptionContextEquals", "EncryptionContextSubset", "SourceArn"];

/// What CreateGrant would take of an entry, and what it would not.
fn split(entry: &Value) -> (Value, Extra) {
    let mut entry = entry.clone();
    let mut extra = Extra::default();
    if let Some(members) = entry.as_object_mut() {
        extra.members = take(members, &MEMBERS);
    }
    if let Some(constraints) = entry.get_mut("Constraints").and_then(Value::as_object_mut) {
        extra.constraints = take(constraints, &CONSTRAINTS);
    }
    if let Some(operations) = entry.get_mut("Operations").and_then(Value::as_array_mut) {
        let known = |op: &mut Value| op.as_str().is_some_and(|op| GRANT_OPERATIONS.contains(&op));
        extra.operations = operations.extract_if(.., |op| !known(op)).collect();
    }
    (entry, extra)
}

/// Takes out all members but the known ones.
fn take(members: &mut Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let all = std::mem::take(members).into_iter();
    let (ours, others) = all.partition(|(name, _)| known.contains(&name.as_str()));
    *members = ours;
    others
}

impl Core {
    /// Puts grants on a key as listings would show them, whoever could have made them: `entry` is
    /// what ListGrants shows (`KeyId` is an ARN; `IssuingAccount` is the root of the key's account
    /// and `CreationDate` is `now` where they are absent). Members, constraints and operations that
    /// no CreateGrant of today takes are listed as they are given. With a `count` other than 1, the
    /// `Name`, if any, gets `-0`, `-1`, … appended. Neither permission nor quota is asked; the
    /// journal does not know of it. Answers the grant ids.
    ///
    /// # Errors
    /// No such key, or an entry that cannot be read.
    pub fn plant(
        &mut self,
        entry: &Value,
        count: usize,
        now: i64,
    ) -> Result<Vec<String>, KmsError> {
        self.tick(now);
        let (entry, extra) = split(entry);
        let mut p = Params::of(&entry)?;
        let key_arn = p.needed("KeyId", KEY_ID)?.to_owned();
        let name = p.text("Name", Text::length(1, 256))?;
        let mut party = |member: &str| -> Result<Option<Holder>, KmsError> {
            let service = p.text(&format!("{member}ServicePrincipal"), PARTY)?;
            let principal = p.text(&format!("{member}Principal"), PARTY)?;
            Ok(service.or(principal).map(|text| Holder {
                text: text.to_owned(),
                service: service.is_some(),
                unique_id: self.directory.unique_id(text).map(str::to_owned),
            }))
        };
        let (grantee, retiring) = (party("Grantee")?, party("Retiring")?);
        if grantee.is_none() {
            p.missing("GranteePrincipal");
        }
        let issuing = p.text("IssuingAccount", PARTY)?.map(str::to_owned);
        let operations = read_operations(&mut p)?;
        let constraints = read_constraints(&mut p)?;
        let created_at = p.instant("CreationDate")?.unwrap_or(now);
        p.finish()?;
        let account = self.key(&key_arn)?.account.clone();
        let grant = Grant {
            id: String::new(),
            key_arn,
            name: name.map(str::to_owned),
            grantee: grantee.ok_or_else(KmsError::internal)?,
            retiring,
            issuing: issuing.unwrap_or_else(|| root_arn(&account)),
            parent: None,
            operations,
            constraints,
            extra,
            created_at,
            seen_from: created_at,
            ended: None,
        };
        let named = |i: usize| match name {
            Some(name) if count != 1 => Some(format!("{name}-{i}")),
            Some(_) | None => grant.name.clone(),
        };
        Ok((0..count).map(|i| self.add_grant(Grant { name: named(i), ..grant.clone() })).collect())
    }
}
