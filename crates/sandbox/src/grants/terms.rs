//! What a CreateGrant request asks for, read and checked (kms-facts 1).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::KmsError;
use crate::keyspec::{GRANT_OPERATIONS, KeySpec};
use crate::model::Constraints;
use crate::params::{GRANT_TOKEN, KEY_ID, Params, Text};

/// Pairs in one encryption context constraint (kms-facts 1).
const MAX_PAIRS: usize = 8;
/// Characters in a pair's value (kms-facts 1).
const MAX_VALUE: usize = 384;
/// Tokens in one request (the model).
pub(crate) const MAX_TOKENS: usize = 10;

pub(crate) const PRINCIPAL: Text =
    Text { min: 1, max: 256, pattern: Some((r"^[\w+=,.@:/-]+$", is_principal)) };
pub(crate) const SERVICE: Text =
    Text { min: 1, max: 128, pattern: Some((r"^[a-z0-9-]+(\.[a-z0-9-]+){2,}$", is_service)) };
const NAME: Text = Text { min: 1, max: 256, pattern: Some((r"^[a-zA-Z0-9:/_-]+$", is_name)) };
const SOURCE_ARN: Text = Text {
    min: 20,
    max: 512,
    pattern: Some((r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$", is_source_arn)),
};

/// A request whose every member is as the model wants it.
pub(crate) struct Terms<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) grantee: Party<'a>,
    pub(crate) retiring: Option<Party<'a>>,
    pub(crate) operations: Vec<&'static str>,
    pub(crate) constraints: Constraints,
    pub(crate) tokens: Vec<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) dry_run: bool,
}

/// A principal or a service, as the request has it.
#[derive(Clone, Copy)]
pub(crate) enum Party<'a> {
    Principal(&'a str),
    Service(&'a str),
}

impl<'a> Terms<'a> {
    pub(crate) fn read(body: &'a Value) -> Result<Self, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let grantee = p.text("GranteePrincipal", PRINCIPAL)?;
        let grantee_service = p.text("GranteeServicePrincipal", SERVICE)?;
        let retiring = p.text("RetiringPrincipal", PRINCIPAL)?;
        let retiring_service = p.text("RetiringServicePrincipal", SERVICE)?;
        let operations = read_operations(&mut p)?;
        let constraints = read_constraints(&mut p)?;
        let tokens = p.list("GrantTokens", MAX_TOKENS, GRANT_TOKEN)?.unwrap_or_default();
        let name = p.text("Name", NAME)?;
        let dry_run = p.flag("DryRun")?;
        p.finish()?;

        let grantee = one_of("grantee", grantee, grantee_service)?.ok_or_else(|| {
            KmsError::validation("GranteePrincipal or GranteeServicePrincipal is required")
        })?;
        let retiring = one_of("retiring", retiring, retiring_service)?;
        if matches!(grantee, Party::Service(_))
            && (constraints.source_arn.is_none() || retiring.is_none())
        {
            return Err(KmsError::validation(
                "GranteeServicePrincipal requires a SourceArn constraint and a retiring principal",
            ));
        }
        Ok(Self { key_id, grantee, retiring, operations, constraints, tokens, name, dry_run })
    }

    /// What depends on the kind of key.
    pub(crate) fn check_key(&self, spec: KeySpec) -> Result<(), KmsError> {
        if let Some(alien) = self.operations.iter().find(|op| !spec.grantable(op)) {
            let text =
                format!("Operation {alien} is not valid for a key with KeySpec {}", spec.spec);
            return Err(KmsError::validation(text));
        }
        let context = self.constraints.equals.is_some() || self.constraints.subset.is_some();
        if context && !spec.is_symmetric() {
            return Err(KmsError::validation(
                "Encryption context constraints are valid for symmetric encryption keys only",
            ));
        }
        Ok(())
    }
}

fn one_of<'a>(
    what: &str,
    principal: Option<&'a str>,
    service: Option<&'a str>,
) -> Result<Option<Party<'a>>, KmsError> {
    match (principal, service) {
        (Some(_), Some(_)) => {
            let text =
                format!("The {what} principal and the {what} service principal exclude each other");
            Err(KmsError::validation(text))
        }
        (Some(arn), None) => Ok(Some(Party::Principal(arn))),
        (None, Some(host)) => Ok(Some(Party::Service(host))),
        (None, None) => Ok(None),
    }
}

pub(crate) fn read_operations(p: &mut Params<'_>) -> Result<Vec<&'static str>, KmsError> {
    let Some(given) = p.list("Operations", usize::MAX, Text::length(0, usize::MAX))? else {
        p.missing("Operations");
        return Ok(Vec::new());
    };
    let known = |name: &&str| GRANT_OPERATIONS.iter().find(|op| *op == name).copied();
    if given.iter().any(|name| known(name).is_none()) {
        let set = format!("Member must satisfy enum value set: [{}]", GRANT_OPERATIONS.join(", "));
        p.problem("operations", &format!("[{}]", given.join(", ")), &set);
    } else if given.is_empty() {
        p.problem("operations", "[]", "Member must have length greater than or equal to 1");
    }
    let mut operations = Vec::new();
    for op in given.iter().filter_map(known) {
        if !operations.contains(&op) {
            operations.push(op);
        }
    }
    Ok(operations)
}

pub(crate) fn read_constraints(p: &mut Params<'_>) -> Result<Constraints, KmsError> {
    let Some(mut inner) = p.structure("Constraints")? else {
        return Ok(Constraints::default());
    };
    let equals = inner.map("EncryptionContextEquals")?;
    let subset = inner.map("EncryptionContextSubset")?;
    let source_arn = inner.text("SourceArn", SOURCE_ARN)?.map(str::to_owned);
    p.absorb(inner);
    if equals.is_some() && subset.is_some() {
        return Err(KmsError::validation("More than one constraint supplied"));
    }
    for pairs in [&equals, &subset].into_iter().flatten() {
        check_pairs(pairs)?;
    }
    Ok(Constraints { equals, subset, source_arn })
}

fn check_pairs(pairs: &BTreeMap<String, String>) -> Result<(), KmsError> {
    if pairs.len() > MAX_PAIRS {
        return Err(KmsError::validation(format!(
            "An encryption context constraint can have at most {MAX_PAIRS} pairs"
        )));
    }
    if pairs.values().any(|value| value.chars().count() > MAX_VALUE) {
        return Err(KmsError::validation(format!(
            "A value in an encryption context constraint can have at most {MAX_VALUE} characters"
        )));
    }
    Ok(())
}

fn is_principal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
}

fn is_service(text: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.split('.').count() >= 3 && text.split('.').all(label)
}

fn is_source_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, resource] = parts[..] else {
        return false;
    };
    let plain =
        |t: &str| t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    partition.strip_prefix("aws").is_some_and(plain)
        && !service.is_empty()
        && plain(service)
        && plain(region)
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !resource.is_empty()
}
