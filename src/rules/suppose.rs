//! A key as it is supposed to be, where nobody is asked: a question to the policies should need
//! neither a daemon nor AWS. What is supposed is said, since the real key may differ.

use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, KeyArn, Region};
use crate::kms::{KeyFacts, Lane};
use crate::rules::keyref::KeyRef;

/// Stands where the key id is not known. No real id has this form, so that only a pattern such as
/// `key/*` lists it.
const UNKNOWN_ID: &str = "not-known";
/// The type of a key when nobody says: what `aws kms create-key` makes.
const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";
/// The state of a key in which everything works.
const ENABLED: &str = "Enabled";

/// What is known of the key besides how it was named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// Its aliases, with their `alias/`.
    pub aliases: Vec<String>,
    /// Such as `RSA_2048`.
    pub spec: Option<String>,
    /// Such as `SIGN_VERIFY`.
    pub usage: Option<String>,
    /// Such as `Disabled`.
    pub state: Option<String>,
}

/// A key as it is supposed to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supposed {
    /// As DescribeKey would tell it.
    pub facts: KeyFacts,
    /// As ListAliases would tell them.
    pub aliases: Vec<String>,
    /// What was taken without being told, for people.
    pub assumed: Vec<String>,
}

/// The key that `text` names, in the account and Region that it, `region` or the configuration
/// leaves no choice about.
///
/// # Errors
/// [`Kind::BadArgument`] for what is no key, or may be in several places; [`Kind::KeyNotFound`]
/// where the configuration has no such place.
pub fn suppose(
    config: &Config,
    text: &str,
    region: Option<&Region>,
    given: &Given,
) -> Result<Supposed, Fault> {
    let bad = |text: String| Fault::new(Kind::BadArgument, text);
    let key = KeyRef::parse(text).map_err(|error| bad(error.to_string()))?;
    key.place(Some(config), region)?;
    let mut assumed = Vec::new();
    let mut aliases = given.aliases.clone();
    let arn = match &key {
        KeyRef::Arn(arn) => arn.clone(),
        KeyRef::Id(id) => {
            let lane = place(config, text, key.account(), region.cloned())?;
            lane.key(id).map_err(|error| bad(error.to_string()))?
        }
        KeyRef::Alias(name) | KeyRef::AliasArn(_, _, name) => {
            if !aliases.contains(name) {
                aliases.push(name.clone());
            }
            assumed.push(format!("{name} exists, and is the only alias of its key"));
            assumed.push("its key id is not known, so only a pattern can list it".to_owned());
            let region = key.region().or_else(|| region.cloned());
            let lane = place(config, text, key.account(), region)?;
            lane.key(UNKNOWN_ID).map_err(|error| bad(error.to_string()))?
        }
    };
    if aliases.is_empty() {
        assumed.push("the key has no alias".to_owned());
    }
    let facts = facts(arn, &aliases, given, &mut assumed);
    Ok(Supposed { facts, aliases, assumed })
}

fn facts(arn: KeyArn, aliases: &[String], given: &Given, assumed: &mut Vec<String>) -> KeyFacts {
    let mut or = |given: &Option<String>, usual: &str, what: &str| match given {
        Some(given) => given.clone(),
        None => {
            assumed.push(format!("the key's {what} is {usual}"));
            usual.to_owned()
        }
    };
    let spec = or(&given.spec, SYMMETRIC, "spec");
    let usage = or(&given.usage, usual_usage(&spec), "usage");
    let state = or(&given.state, ENABLED, "state");
    let aws = aliases.iter().any(|alias| alias.starts_with("alias/aws/"));
    let manager = if aws { "AWS" } else { "CUSTOMER" }.to_owned();
    KeyFacts { arn, spec, usage, state, manager }
}

/// What a key of this spec is made for, unless somebody says otherwise (kms-facts 1).
fn usual_usage(spec: &str) -> &'static str {
    let is = |family: &str| spec.starts_with(family);
    if is("HMAC_") {
        "GENERATE_VERIFY_MAC"
    } else if is("ML_KEM_") {
        "ENCAPSULATE_DECAPSULATE"
    } else if is("ECC_") || is("ML_DSA_") {
        "SIGN_VERIFY"
    } else {
        "ENCRYPT_DECRYPT"
    }
}

/// Where the key is.
fn place(
    config: &Config,
    text: &str,
    account: Option<AccountId>,
    region: Option<Region>,
) -> Result<Lane, Fault> {
    let fits = |lane: &Lane| {
        account.as_ref().is_none_or(|account| *account == lane.account)
            && region.as_ref().is_none_or(|region| *region == lane.region)
    };
    let mut lanes: Vec<Lane> = config.lanes().map(|(_, lane)| lane).filter(fits).collect();
    match (lanes.pop(), lanes.is_empty()) {
        (Some(lane), true) => Ok(lane),
        (Some(last), false) => {
            lanes.push(last);
            let all: Vec<_> =
                lanes.iter().map(|lane| format!("{} {}", lane.account, lane.region)).collect();
            let text = format!("{text} may be in more than one place: {}", all.join(", "));
            Err(Fault::new(Kind::BadArgument, text).hint("add --region, or give the whole ARN"))
        }
        (None, _) => {
            let text = format!("the configuration has no account and Region for {text}");
            Err(Fault::new(Kind::KeyNotFound, text)
                .hint("grantd serves the accounts and Regions of its configuration file"))
        }
    }
}

#[cfg(test)]
mod tests;
