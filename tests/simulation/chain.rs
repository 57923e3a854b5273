//! What must hold of leases with several grants.

use std::collections::{BTreeMap, BTreeSet};

use grantd::rules::life::How;
use grantd::rules::name::Name;
use grantd::rules::time::SECOND;
use grantd::wire::Lease;
use kms_sandbox::GrantTruth;

use crate::check::{BOUND, our_grants, unless_doubled};
use crate::world::World;

/// A successor whose create was not answered is found by a look: every thirty seconds.
const LOOK_EVERY: i64 = 30 * SECOND;
/// The policy's `max-extensions`; there are no administrators here.
const EXTENSIONS: usize = 3;

/// Our grants that ever were, by lease, each with what its Name says.
fn chains(world: &World) -> BTreeMap<String, Vec<(Name, GrantTruth)>> {
    let mut chains: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (name, grant) in our_grants(world) {
        chains.entry(name.reference().to_string()).or_default().push((name, grant));
    }
    chains
}

/// The first moment from which `grant` was replaced: a later serial with an earlier deadline was
/// made.
fn replaced_at(chain: &[(Name, GrantTruth)], (own, _): &(Name, GrantTruth)) -> Option<i64> {
    let later = chain
        .iter()
        .filter(|(name, _)| name.serial() > own.serial() && name.deadline() < own.deadline());
    later.map(|(_, grant)| grant.created_at_ms).min()
}

/// A shortened lease's old grant was ended soon, with KMS reachable and the daemon up. Only the
/// ledger says who shortened it: where that was lost or put back, the old grant lives to its own
/// deadline.
pub(crate) fn what_was_replaced_ended(world: &World) {
    if world.restored.get().is_some() {
        return;
    }
    let now = world.net.clock.now();
    for chain in chains(world).values().filter(|chain| chain.len() > 1) {
        for link in chain {
            let Some(at) = replaced_at(chain, link) else { continue };
            // A late copy may come when its successor has long been there.
            let from = at.max(link.1.created_at_ms) + i64::from(world.propagation);
            let bound = unless_doubled(world, &link.1, LOOK_EVERY + BOUND);
            let over = world.good(from, link.1.ended_at_ms.unwrap_or(now));
            assert!(
                over <= bound,
                "seed {}: replaced, and lived {over} ms too long: {link:?}",
                world.seed
            );
        }
    }
}

/// Between a lease's creation and its end there is a grant: what a successor takes over from does
/// not end before that was made, but at its own deadline (or, where nobody knew what KMS made of a
/// shorter one, at that one's).
pub(crate) fn nothing_ends_before_its_successor(world: &World) {
    for (reference, chain) in chains(world) {
        if world.revoked.borrow().contains(&reference) {
            continue;
        }
        let serials: BTreeSet<u32> = chain.iter().map(|(name, _)| name.serial()).collect();
        for serial in serials {
            // A second grant under one Name is ended at once: the last of them counts.
            let own = || chain.iter().filter(|(name, _)| name.serial() == serial);
            let last = own().map(|(name, grant)| (grant.ended_at_ms.unwrap_or(i64::MAX), name));
            let Some((ended, old)) = last.max() else { continue };
            // The next that KMS made: what comes after that takes over from that.
            let later = chain.iter().filter(|(name, _)| name.serial() > serial);
            let next = later.min_by_key(|(name, next)| (name.serial(), next.created_at_ms));
            if let Some((name, successor)) = next.filter(|(_, next)| ended < next.created_at_ms) {
                let least = old.deadline().min(name.deadline());
                let seed = world.seed;
                assert!(
                    ended >= least.0,
                    "seed {seed}: {old} ended before {successor:?}\n{chain:#?}"
                );
            }
        }
    }
}

/// Without an administrator a lease is made later three times at most.
pub(crate) fn not_extended_too_often(world: &World, lease: &Lease) {
    let real = lease.grants.iter().filter(|g| g.twin == 0 && g.how != Some(How::NeverExisted));
    let deadlines: Vec<_> = real.map(|grant| grant.deadline).collect();
    let later = deadlines.windows(2).filter(|pair| pair[1] > pair[0]).count();
    assert!(later <= EXTENSIONS, "seed {}: extended {later} times: {lease:#?}", world.seed);
}
