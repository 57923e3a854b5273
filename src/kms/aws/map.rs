//! The SDK's types and ours. Nothing is left out in silence: what cannot be said in our types makes
//! the answer unreadable.

use std::collections::BTreeMap;

use aws_sdk_kms::operation::create_grant::CreateGrantOutput;
use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::types as sdk;

use super::raw::Raw;
use crate::ids::{GrantId, KeyArn};
use crate::kms::{Alias, Created, KeyFacts, Listed, Page, Token};
use crate::rules::time::Time;
use crate::terms::{Constraints, GrantRequest};

/// The request, to the letter of what is stored.
pub(super) fn create(
    call: CreateGrantFluentBuilder,
    request: &GrantRequest,
) -> CreateGrantFluentBuilder {
    let operations = request.operations.iter();
    let operations = operations.map(|op| sdk::GrantOperation::from(op.as_str())).collect();
    call.key_id(request.key_arn.as_str())
        .grantee_principal(request.grantee.as_str())
        .retiring_principal(request.retiring_principal.as_str())
        .set_operations(Some(operations))
        .set_constraints(constraints(&request.constraints))
        .name(&request.name)
}

fn constraints(ours: &Constraints) -> Option<sdk::GrantConstraints> {
    let pairs = |pairs: &BTreeMap<String, String>| Some(pairs.clone().into_iter().collect());
    let builder = sdk::GrantConstraints::builder();
    let builder = match ours {
        Constraints::None => return None,
        Constraints::Subset(subset) => builder.set_encryption_context_subset(pairs(subset)),
        Constraints::Equals(equals) => builder.set_encryption_context_equals(pairs(equals)),
    };
    Some(builder.build())
}

/// The output is taken apart here and never printed: its `Debug` shows the token.
pub(super) fn created(output: CreateGrantOutput) -> Result<Created, String> {
    let id = output.grant_id.ok_or("KMS names no GrantId in its answer")?;
    let id = GrantId::parse(id).map_err(|e| e.to_string())?;
    let token = output.grant_token.ok_or("KMS gives no GrantToken in its answer")?;
    Ok(Created { id, token: Token::new(token) })
}

/// One page. `raw`: the same answer, as it came. `bare`: the key that a bare id can only mean.
/// `asked`: the marker that was sent.
pub(super) fn page(
    grants: Option<Vec<sdk::GrantListEntry>>,
    raw: &Raw,
    next: Option<String>,
    truncated: bool,
    asked: Option<&str>,
    bare: impl Fn(&str) -> Option<KeyArn>,
) -> Result<Page, String> {
    // An answer without the list is not an empty list: absence would be concluded from it.
    let grants = grants.ok_or("KMS gives no list of grants in its answer")?;
    let both = raw.unknown(grants.len())?.into_iter().zip(grants);
    let grants: Result<_, _> = both.map(|(unknown, entry)| listed(entry, unknown, &bare)).collect();
    Ok(Page { grants: grants?, marker: marker(next, truncated, asked)? })
}

/// Where the next page starts. A truncated page without a marker, or a marker that leads back to
/// itself, is no listing.
pub(super) fn marker(
    next: Option<String>,
    truncated: bool,
    asked: Option<&str>,
) -> Result<Option<String>, String> {
    match next.filter(|marker| !marker.is_empty()) {
        None if truncated => Err("KMS says that there is more, and not where".to_owned()),
        Some(marker) if asked == Some(marker.as_str()) => {
            Err("KMS gives the same marker again: the listing would never end".to_owned())
        }
        next => Ok(next),
    }
}

fn listed(
    entry: sdk::GrantListEntry,
    unknown: Vec<String>,
    bare: impl Fn(&str) -> Option<KeyArn>,
) -> Result<Listed, String> {
    let id = entry.grant_id.ok_or("KMS lists a grant without a GrantId")?;
    let (constraints, source_arn) = seen_constraints(entry.constraints)?;
    let operations = entry.operations.unwrap_or_default();
    Ok(Listed {
        key_arn: whole_arn(entry.key_id.unwrap_or_default(), bare),
        id: GrantId::parse(id).map_err(|e| e.to_string())?,
        name: entry.name.unwrap_or_default(),
        created: entry.creation_date.as_ref().and_then(instant),
        grantee: either(entry.grantee_principal, entry.grantee_service_principal),
        retiring_principal: either(entry.retiring_principal, entry.retiring_service_principal),
        issuing_account: entry.issuing_account.unwrap_or_default(),
        operations: operations.iter().map(|op| op.as_str().to_owned()).collect(),
        constraints,
        source_arn,
        unknown,
    })
}

/// KMS writes seconds as a decimal fraction, which a float can miss by a hair: round to the nearest
/// millisecond.
fn instant(at: &aws_smithy_types::DateTime) -> Option<Time> {
    let half_up = at.as_nanos().checked_add(500_000)?;
    i64::try_from(half_up.div_euclid(1_000_000)).ok().map(Time)
}

/// KMS shows the whole ARN, moto the bare key id.
fn whole_arn(shown: String, bare: impl Fn(&str) -> Option<KeyArn>) -> String {
    bare(&shown).map_or(shown, |key| key.as_str().to_owned())
}

/// KMS shows the service field *instead of* the plain one (kms-facts 2). Where it ever shows both,
/// the service is what matters: such a grant is not to be touched.
fn either(principal: Option<String>, service: Option<String>) -> String {
    service.filter(|name| !name.is_empty()).or(principal).unwrap_or_default()
}

fn seen_constraints(
    shown: Option<sdk::GrantConstraints>,
) -> Result<(Constraints, Option<String>), String> {
    let Some(shown) = shown else {
        return Ok((Constraints::None, None));
    };
    let subset = shown.encryption_context_subset.filter(|pairs| !pairs.is_empty());
    let equals = shown.encryption_context_equals.filter(|pairs| !pairs.is_empty());
    let constraints = match (subset, equals) {
        (None, None) => Constraints::None,
        (Some(subset), None) => Constraints::Subset(subset.into_iter().collect()),
        (None, Some(equals)) => Constraints::Equals(equals.into_iter().collect()),
        // KMS refuses to make such a grant; to show half of it would be to lie.
        (Some(_), Some(_)) => {
            return Err("KMS lists a grant with both kinds of context constraint".to_owned());
        }
    };
    Ok((constraints, shown.source_arn))
}

pub(super) fn alias(entry: sdk::AliasListEntry) -> Result<Alias, String> {
    let name = entry.alias_name.ok_or("KMS lists an alias without a name")?;
    Ok(Alias { name, key_id: entry.target_key_id.filter(|id| !id.is_empty()) })
}

pub(super) fn key_facts(metadata: Option<sdk::KeyMetadata>) -> Result<KeyFacts, String> {
    let metadata = metadata.ok_or("KMS gives no KeyMetadata in its answer")?;
    let arn = metadata.arn.ok_or("KMS gives no ARN of the key in its answer")?;
    Ok(KeyFacts {
        arn: KeyArn::parse(arn).map_err(|e| e.to_string())?,
        spec: metadata.key_spec.map_or_else(String::new, |spec| spec.as_str().to_owned()),
        usage: metadata.key_usage.map_or_else(String::new, |usage| usage.as_str().to_owned()),
        state: metadata.key_state.map_or_else(String::new, |state| state.as_str().to_owned()),
        manager: metadata.key_manager.map_or_else(String::new, |by| by.as_str().to_owned()),
    })
}
