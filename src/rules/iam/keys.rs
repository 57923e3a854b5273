//! Which keys a policy reaches, as IAM says it.

use std::collections::{BTreeMap, BTreeSet};

use super::grantees::alternatives;
use crate::config::{Account, Config, KeyPattern, Policy};

/// Keys that one statement can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reach {
    /// The account that owns them.
    pub(super) account: String,
    /// Their ARNs, which may hold IAM's `*` and `?`.
    pub(super) resources: Vec<String>,
    /// Where the policy goes by alias: the operator of `kms:ResourceAliases`, and its values.
    pub(super) aliases: Option<(&'static str, Vec<String>)>,
}

/// Such as `aws` or `aws-cn`.
pub(super) fn partition(account: &Account) -> &str {
    account.retiring_principal.as_str().split(':').nth(1).unwrap_or("aws")
}

/// The keys of `policy` whose grants are made with the credentials of `account`.
pub(super) fn reach(config: &Config, policy: &Policy, account: &Account) -> Vec<Reach> {
    let mut by_arn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_alias: BTreeMap<(String, Vec<String>), BTreeSet<String>> = BTreeMap::new();
    for pattern in &policy.keys {
        let Some(owner) = owner(config, policy, pattern, account) else { continue };
        let regions = account.regions.iter().filter(|region| pattern.reaches(region.as_str()));
        let arn = |id: &str| -> Vec<String> {
            let partition = partition(account);
            let one = |region: &crate::ids::Region| {
                format!("arn:{partition}:kms:{region}:{owner}:key/{id}")
            };
            regions.clone().map(one).collect()
        };
        if pattern.by_alias() {
            let place = (owner.clone(), arn("*"));
            by_alias.entry(place).or_default().extend(alternatives(pattern.glob()));
        } else {
            let ids = alternatives(pattern.glob());
            let arns = ids.iter().flat_map(|id| arn(id)).collect::<Vec<_>>();
            by_arn.entry(owner.clone()).or_default().extend(arns);
        }
    }
    let by_arn = by_arn.into_iter().map(|(account, arns)| Reach {
        account,
        resources: arns.into_iter().collect(),
        aliases: None,
    });
    let by_alias = by_alias.into_iter().map(|((account, resources), aliases)| {
        let plain = aliases.iter().all(|alias| !alias.contains(['*', '?']));
        let operator = match plain {
            true => "ForAnyValue:StringEquals",
            false => "ForAnyValue:StringLike",
        };
        Reach { account, resources, aliases: Some((operator, aliases.into_iter().collect())) }
    });
    by_arn.chain(by_alias).filter(|reach| !reach.resources.is_empty()).collect()
}

/// All keys that are reached, each once: beside all keys of a Region none of them is named.
pub(super) fn merged<'r>(all: impl Iterator<Item = &'r Reach>) -> Vec<String> {
    let resources: BTreeSet<&String> = all.flat_map(|reach| &reach.resources).collect();
    let covered = |arn: &str| {
        let region = arn.rsplit_once(":key/").map_or(arn, |(region, _)| region);
        !arn.ends_with(":key/*") && resources.contains(&format!("{region}:key/*"))
    };
    resources.iter().filter(|arn| !covered(arn)).map(|arn| (*arn).clone()).collect()
}

/// The account that owns the keys of `pattern`, where `account` makes the grants on them: its own,
/// or, `via` it, those of an account that the file does not serve.
fn owner(
    config: &Config,
    policy: &Policy,
    pattern: &KeyPattern,
    account: &Account,
) -> Option<String> {
    let own = account.id.as_str();
    let owner = pattern.account().map_or(own, |owner| owner.as_str());
    let via = policy.via.as_ref() == Some(&account.id) && config.account(owner).is_none();
    (owner == own || via).then(|| owner.to_owned())
}
