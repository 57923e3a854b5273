//! What a search of a lane saw: what is ours, and what only says so. Page by page, so that nobody's
//! grants, however many, fill the memory.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use crate::config::Config;
use crate::ids::{GrantId, KeyArn, Principal, Ref};
use crate::kms::{Alias, Lane, Listed};
use crate::ledger::{Ledger, LedgerError};
use crate::rules::found::{Found, Unfit, is_strangers, judge};
use crate::rules::name::Name;
use crate::rules::policy::alias_names;
use crate::rules::time::{MINUTE, Now, Time};

/// Of what bears our Name and is not provably ours, so many are looked up and told of; the others
/// are counted.
const DOUBTFUL_MAX: usize = 1_000;

/// A principal that was made just now shows as its unique id for about a minute (kms-facts 2); one
/// that still does after this is gone, or another.
const GONE_AFTER: i64 = 5 * MINUTE;

/// Whether a grantee that shows as a unique id since then is gone.
pub(crate) const fn is_gone(since: Time, now: Time) -> bool {
    now.since(since) >= GONE_AFTER
}

/// The names of a listed grant's key. The aliases are those of the lane's own account: another's
/// keys have none here.
pub(crate) fn names_of(lane: &Lane, aliases: &[Alias], entry: &Listed) -> Vec<String> {
    let own = |key: &KeyArn| key.account() == lane.account.as_str();
    let key = KeyArn::parse(entry.key_arn.as_str()).ok().filter(own);
    key.map_or_else(Vec::new, |key| alias_names(aliases, &key))
}

/// A grant of ours, with what the Name says and the policy's name.
pub(crate) type Ours = (Listed, Name, Option<String>);

/// What one search saw, but for what is ours.
#[derive(Default)]
pub(crate) struct Survey {
    /// What bears our Name and does not fit, and why not.
    pub(crate) doubtful: Vec<(Listed, Unfit)>,
    /// More of them, which are only counted.
    pub(crate) more_doubtful: i64,
    /// The ids of what bears our Name, told or not.
    pub(crate) seen: BTreeSet<GrantId>,
    /// What names our role on keys of accounts that we do not serve.
    pub(crate) strangers: i64,
}

/// What the last search of a lane saw that is not ours, for the status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubtful {
    /// Grants with our prefix that are not provably ours.
    pub(crate) unproven: i64,
    /// Grants that name our role on keys of accounts that we do not serve.
    pub(crate) strangers: i64,
    /// Open leases whose grantee shows as a unique id: since when, by the grant's id.
    pub(crate) ghosts: BTreeMap<GrantId, Time>,
    /// Open leases that none of today's policies would give.
    pub(crate) refused_today: BTreeSet<Ref>,
}

impl Survey {
    /// Take in a page: what of it is ours.
    pub(crate) fn take(
        &mut self,
        config: &Config,
        lane: &Lane,
        aliases: &[Alias],
        page: Vec<Listed>,
        now: Time,
    ) -> Vec<Ours> {
        let mut ours = Vec::new();
        for entry in page {
            match judge(config, lane, &names_of(lane, aliases, &entry), &entry, now) {
                Found::Ours { name, policy } => {
                    self.seen.insert(entry.id.clone());
                    let policy = policy.map(|policy| policy.name.clone());
                    ours.push((entry, name, policy));
                }
                Found::Unproven(why) if self.doubtful.len() < DOUBTFUL_MAX => {
                    self.seen.insert(entry.id.clone());
                    self.doubtful.push((entry, why));
                }
                Found::Unproven(_) => self.more_doubtful += 1,
                Found::Foreign if is_strangers(config, lane, &entry.key_arn) => self.strangers += 1,
                // Another group's, or what others have on keys that we serve.
                Found::Foreign => {}
            }
        }
        ours
    }
}

/// What the ledger says to what is in doubt.
pub(crate) struct Sifted {
    /// It has no row of these.
    pub(crate) unproven: Vec<(Listed, Unfit)>,
    /// It has: they are our leases, whose grantee was deleted, or was made just now.
    pub(crate) ghosts: BTreeMap<GrantId, Time>,
    /// It has: they are our leases, and the policies are not what they were.
    pub(crate) refused_today: BTreeSet<Ref>,
}

/// Tell what we have a row of from what only says that it is ours. A row that is known needs no
/// proof; it fails it when its grantee decayed to a unique id, or a policy was changed.
pub(crate) fn sift(
    books: &mut Ledger,
    doubtful: Vec<(Listed, Unfit)>,
    seen_before: &BTreeMap<GrantId, Time>,
    began: Now,
    now: Time,
) -> Result<Sifted, LedgerError> {
    let mut sifted =
        Sifted { unproven: Vec::new(), ghosts: BTreeMap::new(), refused_today: BTreeSet::new() };
    for (entry, why) in doubtful {
        let Some(reference) = books.open_lease_of(&entry.key_arn, &entry.id)? else {
            // A listing that began before its row was closed may show it yet.
            if !books.knows(&entry.key_arn, &entry.id, began)? {
                sifted.unproven.push((entry, why));
            }
            continue;
        };
        let decayed = Principal::parse(entry.grantee.as_str()).is_ok_and(|who| who.is_unique_id());
        if !decayed {
            if let Unfit::Policy(why) = &why {
                let body = serde_json::json!({ "why": why });
                books.note_once(now, &reference, "refused-today", &body)?;
                sifted.refused_today.insert(reference);
            }
            continue;
        }
        let since = seen_before.get(&entry.id).copied().unwrap_or(now);
        if is_gone(since, now) {
            let body = serde_json::json!({ "grant-id": entry.id, "shows-as": entry.grantee });
            books.note_once(now, &reference, "grantee-gone", &body)?;
        }
        sifted.ghosts.insert(entry.id, since);
    }
    Ok(sifted)
}

/// Say of what is in doubt what was not said at the search before.
pub(crate) fn tell(cx: &Context, lane: &Lane, sifted: &Sifted) {
    let known = cx.doubtful.borrow().get(&lane.id).is_some();
    for (entry, why) in sifted.unproven.iter().filter(|_| !known) {
        tracing::warn!(grant = %entry.id, key = %entry.key_arn, name = %entry.name,
            "a grant bears our name but is not provably ours, and is left alone: {why}");
    }
}

/// A count for the wire.
pub(crate) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
