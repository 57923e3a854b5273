//! How many leases a policy lets live at once, how late an end may be foreseen to be, and whose a
//! lease is.

use super::diagnostics::Problem;
use super::walk::{Table, Walk};
use crate::rules::forecast::LOOK_BACK;
use crate::rules::policy::show_span;
use crate::rules::time::SECOND;
use crate::terms::LiveMax;

/// `max-live` when the policy says nothing (DESIGN 7).
const MAX_LIVE: u32 = 100;
/// `max-live-per-asker` when the policy says nothing, unless `max-live` is less (DESIGN 7).
const MAX_LIVE_PER_ASKER: u32 = 20;
/// The most of both: a fifth of what a key holds (kms-facts 5), since the key has other users too.
const MOST: u32 = 10_000;

/// Whose a lease is: who may extend and revoke it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Own {
    /// The one who asked for it, by his uid.
    #[default]
    Uid,
    /// Everybody whom the policy's `callers` list, besides.
    Policy,
}

pub(super) fn own(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Own {
    table.word(walk, "own", &[("uid", Own::Uid), ("policy", Own::Policy)]).unwrap_or_default()
}

/// How late an end may be foreseen to be.
pub(super) fn max_late(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<i64> {
    let late = table.duration(walk, "max-late")?;
    if !(SECOND..=LOOK_BACK).contains(&late.value) {
        let message = format!("`max-late` may not be {}", show_span(late.value));
        let (least, most) = (show_span(SECOND), show_span(LOOK_BACK));
        walk.problem(Problem::at(late.span, message).help(format!("from {least} to {most}")));
    }
    Some(late.value)
}

pub(super) fn max_live(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> LiveMax {
    let all = table.count(walk, "max-live", (1, MOST));
    let each = table.count(walk, "max-live-per-asker", (1, MOST));
    let policy = all.as_ref().map_or(MAX_LIVE, |at| at.value);
    if let Some(each) = each.as_ref().filter(|each| each.value > policy) {
        let message = format!("`max-live-per-asker` is {}, above `max-live`", each.value);
        let problem = Problem::at(each.span.clone(), message);
        walk.problem(match &all {
            Some(all) => problem.other(all.span.clone(), "what all askers may have together"),
            None => problem.help(format!("`max-live` is {MAX_LIVE} unless the policy says so")),
        });
    }
    LiveMax { policy, asker: each.map_or(MAX_LIVE_PER_ASKER.min(policy), |at| at.value) }
}
