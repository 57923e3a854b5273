//! What the principals and operations of a grant say against adopting it.

use super::is_ghost;
use crate::config::Config;
use crate::ids::{AccountId, KeyArn};
use crate::kms::{Lane, Listed};
use crate::rules::found;
use crate::rules::policy::is_grantee;
use crate::terms::Operation;

/// Each thing that does. That a sign of a service does is for `signs`.
pub(super) fn reasons(config: &Config, lane: &Lane, listed: &Listed) -> Vec<String> {
    let mut reasons = Vec::new();
    let Listed { grantee, retiring_principal: retiring, .. } = listed;
    match person(grantee) {
        None => reasons.push(format!("its grantee {grantee:?} is no role, user or session")),
        Some(account) if config.account(account).is_none() => {
            reasons
                .push(format!("its grantee is of account {account}, which no [[account]] names"));
        }
        Some(_) => {}
    }
    if is_ghost(retiring) {
        reasons
            .push(format!("its retiring principal shows as {retiring}: nobody tells whose it is"));
    } else if !retiring.is_empty() && !is_grantee(retiring) {
        reasons.push(format!("its retiring principal {retiring:?} is no role, user or session"));
    }
    // That its key shows no whole ARN is a reason already, with whatever a policy says.
    let key = KeyArn::parse(listed.key_arn.as_str()).ok();
    reasons.extend(issuer(lane, key.as_ref(), &listed.issuing_account));
    reasons.extend(key.iter().flat_map(|key| other_partitions(key, listed)));
    let redelegates = |op: &&String| {
        [Operation::CreateGrant, Operation::RetireGrant].iter().any(|known| known.as_str() == **op)
    };
    reasons.extend(listed.operations.iter().filter(redelegates).map(|op| {
        format!("it gives {op}: what its grantee made by it would live on, or is a service's")
    }));
    reasons
}

/// Who may make grants on the key by its own account's policies is of that account; whoever else
/// did it had its reasons there, and may be a service's account.
fn issuer(lane: &Lane, key: Option<&KeyArn>, issuer: &str) -> Option<String> {
    if issuer.is_empty() {
        return (!lane.is_local()).then(|| "its issuing account is not shown".to_owned());
    }
    let account = found::account_in(issuer);
    if AccountId::parse(account).is_err() {
        return Some(format!("its issuer {issuer:?} is no account"));
    }
    let owner = key?.account();
    let text = format!("it was issued by account {account}, and its key is of account {owner}");
    (account != owner).then_some(text)
}

/// Those of its principals that are of another partition than the key: there are no grants across,
/// so what shows one is not understood.
fn other_partitions(key: &KeyArn, listed: &Listed) -> impl Iterator<Item = String> {
    let parts = [
        ("grantee", &listed.grantee),
        ("retiring principal", &listed.retiring_principal),
        ("issuer", &listed.issuing_account),
    ];
    let here = key.partition().to_owned();
    parts.into_iter().filter_map(move |(part, who)| {
        let theirs = who.strip_prefix("arn:")?.split(':').next()?;
        (theirs != here)
            .then(|| format!("its {part} is of partition {theirs}, and its key of {here}"))
    })
}

/// The account of a role, user or session, named literally.
fn person(arn: &str) -> Option<&str> {
    let whole = is_grantee(arn) && !arn.ends_with(":root") && !arn.contains(":federated-user/");
    whole.then(|| arn.split(':').nth(4)).flatten()
}
