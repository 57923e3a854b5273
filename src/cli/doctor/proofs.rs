//! The proof of the way out on every key that a policy names, as the daemon's ledger has it. A
//! proof is a real grant, so only the daemon makes one: recorded, and ended by whatever comes.

use super::super::finding::Finding;
use super::super::words::from_now;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::rules::life::{How, Origin};
use crate::rules::time::Time;
use crate::wire::{Grant, Lease, ListLeases};

/// Pages of leases that are looked through for proofs.
const PAGES_MAX: usize = 10;

/// One finding for each of the keys, which are proven `anew` where that is asked for.
pub(super) async fn of(
    client: &Client,
    answers: bool,
    (keys, anew): (&[KeyArn], bool),
    now: Time,
) -> Vec<Finding> {
    let mut all = Vec::new();
    for key in keys {
        let what = format!("way out of {key}");
        if !answers {
            let seen = "no daemon answers, and nobody else may make the grant that proves it";
            all.push(Finding::warning(what, seen, "start the daemon, then look again"));
            continue;
        }
        if anew {
            all.push(proven(what, client, key).await);
            continue;
        }
        all.push(match last(client, key).await {
            Ok(found) => judged(what, found.as_ref(), now),
            Err(fault) => Finding::warning(what, fault.text.clone(), fault.remedy()),
        });
    }
    all
}

/// The daemon proves it now.
async fn proven(what: String, client: &Client, key: &KeyArn) -> Finding {
    match client.prove(key.as_str()).await {
        Ok(_) => Finding::ok(what, "proven just now"),
        // Whose business it is not, learns nothing about the key.
        Err(fault) if fault.kind == Kind::NotYours => {
            Finding::warning(what, fault.text.clone(), fault.remedy())
        }
        Err(fault) => Finding::failure(what, fault.text.clone(), fault.remedy()),
    }
}

/// The newest proof on `key`.
async fn last(client: &Client, key: &KeyArn) -> Result<Option<Lease>, Fault> {
    let mut query =
        ListLeases { key: Some(key.as_str().to_owned()), all: true, ..ListLeases::default() };
    let mut newest: Option<Lease> = None;
    for _ in 0..PAGES_MAX {
        let page = client.leases(&query).await?;
        let proofs = page.items.into_iter().filter(|lease| lease.origin == Origin::Probe);
        newest = newest.into_iter().chain(proofs).max_by_key(|lease| lease.started_at);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    Ok(newest)
}

fn judged(what: String, proof: Option<&Lease>, now: Time) -> Finding {
    let Some(lease) = proof else {
        let seen = "not proven yet";
        return Finding::warning(
            what,
            seen,
            "the first create on the key proves it, or `grantd doctor --probe` does",
        );
    };
    let when = from_now(lease.started_at, now);
    let all = |is: &dyn Fn(&Grant) -> bool| lease.grants.iter().all(is);
    if all(&|grant| grant.how == Some(How::NeverExisted)) {
        let seen = format!("refused {when}: KMS made no grant");
        let remedy =
            "compare the role's policy with `grantd iam-policy`; `grantd history` has KMS's words";
        return Finding::failure(what, seen, remedy);
    }
    if all(&|grant| grant.accepted_at.is_some()) {
        return Finding::ok(what, format!("proven {when}"));
    }
    let seen = format!("grantd made a grant {when} and has not ended it");
    let remedy = format!("`grantd show {}` says what KMS answered", lease.reference);
    Finding::failure(what, seen, remedy)
}
