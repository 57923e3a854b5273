//! Policies that can never decide, because one above them lists all that they list.

use super::Policy;
use super::diagnostics::Problem;
use super::top::Read;
use super::walk::Walk;

/// So many policies are compared with each other: half a million pairs take no time that anybody
/// notices. A longer file was written by a program.
const COMPARED: usize = 1_000;

/// Warn of each.
pub(super) fn warn_covered(walk: &mut Walk<'_>, policies: &[Read<Policy>]) {
    for (i, later) in policies.iter().enumerate().take(COMPARED) {
        let (Some(policy), Some(name)) = (&later.value, &later.name) else { continue };
        let above = policies.iter().take(i);
        let mut above = above.filter_map(|read| Some((read.value.as_ref()?, read.name.as_ref()?)));
        let Some((_, cover)) = above.find(|(earlier, _)| covers(earlier, policy)) else { continue };
        let message = format!(
            "policy {:?} never decides: {:?} above it lists its keys, grantees and callers",
            name.value, cover.value
        );
        let problem = Problem::at(name.span.clone(), message);
        let problem = problem.other(cover.span.clone(), "the first that matches decides");
        walk.warn(problem.help("put the narrower policy above the wider one"));
    }
}

fn covers(wide: &Policy, narrow: &Policy) -> bool {
    narrow.callers.iter().all(|n| wide.callers.contains(n))
        && narrow.grantees.iter().all(|n| wide.grantees.iter().any(|w| w.covers(n)))
        && narrow.keys.iter().all(|n| wide.keys.iter().any(|w| w.covers(n)))
}
