//! What a search of a lane saw: what is ours, and what only says so. Page by page, so that nobody's
//! grants, however many, fill the memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::ids::{GrantId, KeyArn, Ref};
use crate::kms::{Alias, Lane, Listed};
use crate::ledger::{Ledger, LedgerError};
use crate::rules::found::{Alarm, DECAY, Found, Given, is_strangers, is_too_early, judge};
use crate::rules::name::Name;
use crate::rules::policy::alias_names;
use crate::rules::time::{Now, Time};

/// Of what names us and is not provably ours, so many are looked up and told of; the others are
/// counted.
const DOUBTFUL_MAX: usize = 1_000;
/// One search writes a line for so many grants of each kind; the others are counted. Whoever makes
/// thousands must not fill the log.
const TOLD_MAX: i64 = 100;

/// Whether a grantee that shows as a unique id since then is gone.
pub(crate) const fn is_gone(since: Time, now: Time) -> bool {
    now.since(since) >= DECAY
}

/// The names of a listed grant's key. The aliases are those of the lane's own account: another's
/// keys have none here.
pub(crate) fn names_of(lane: &Lane, aliases: &[Alias], entry: &Listed) -> Vec<String> {
    let own = |key: &KeyArn| key.account() == lane.account.as_str();
    let key = KeyArn::parse(entry.key_arn.as_str()).ok().filter(own);
    key.map_or_else(Vec::new, |key| alias_names(aliases, &key))
}

/// A grant of ours.
pub(crate) struct Ours {
    pub(crate) entry: Listed,
    /// What its Name says.
    pub(crate) name: Name,
    /// The policy that would give it today.
    pub(crate) policy: Option<String>,
    /// Why no policy of today would give it.
    pub(crate) refused: Option<String>,
}

/// What is not provably ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// It bears our Name, and we may not retire it.
    Unproven,
    /// We may retire it, and nothing explains it.
    Rogue,
}

/// What one search saw.
#[derive(Default)]
pub(crate) struct Survey {
    /// What is not provably ours, and why not.
    pub(crate) doubtful: Vec<(Listed, Suspect, String)>,
    /// The ids of what bears our Name, told or not.
    pub(crate) seen: BTreeSet<GrantId>,
    /// What there is to tell.
    pub(crate) found: Doubtful,
}

/// What the last search of a lane saw that is not as it should be, for the status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubtful {
    /// Grants with our prefix that are not provably ours.
    pub(crate) unproven: i64,
    /// Grants that name our role as retiring principal, and that nothing explains.
    pub(crate) rogues: i64,
    /// Grants under the ref of a lease that give something else.
    pub(crate) impostors: i64,
    /// Grants of ours that this ledger, though older and alone, does not know.
    pub(crate) strays: i64,
    /// Grants that name our role on keys of accounts that we do not serve.
    pub(crate) strangers: i64,
    /// Open leases whose grantee shows as a unique id: since when, by the grant's id.
    pub(crate) ghosts: BTreeMap<GrantId, Time>,
    /// Open leases that none of today's policies would give.
    pub(crate) refused_today: BTreeSet<Ref>,
    /// The listing of all that names our role could not be read to its end: only the policies' keys
    /// were searched.
    pub(crate) incomplete: bool,
    /// Grants that the log has a line of.
    told: BTreeSet<GrantId>,
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
                Found::Ours { name, given } => {
                    self.seen.insert(entry.id.clone());
                    let policy = given.policy().map(|policy| policy.name.clone());
                    let refused = match given {
                        Given::Refused(why) => Some(why),
                        Given::Policy(_) | Given::Probe => None,
                    };
                    ours.push(Ours { entry, name, policy, refused });
                }
                Found::Unproven(why) => self.suspect(entry, Suspect::Unproven, why, now),
                Found::Rogue(why) => self.suspect(entry, Suspect::Rogue, why, now),
                Found::Foreign if is_strangers(config, lane, &entry.key_arn) => {
                    self.found.strangers += 1;
                }
                // Another group's, or what others have on keys that we serve.
                Found::Foreign => {}
            }
        }
        ours
    }

    fn suspect(&mut self, entry: Listed, suspect: Suspect, why: String, now: Time) {
        if is_too_early(&entry, now) {
            self.seen.insert(entry.id);
        } else if self.doubtful.len() < DOUBTFUL_MAX {
            self.seen.insert(entry.id.clone());
            self.doubtful.push((entry, suspect, why));
        } else {
            self.found.count(suspect);
        }
    }
}

impl Doubtful {
    fn count(&mut self, suspect: Suspect) {
        match suspect {
            Suspect::Unproven => self.unproven += 1,
            Suspect::Rogue => self.rogues += 1,
        }
    }

    /// Count a grant of ours with which something is wrong, and say so where the search before did
    /// not.
    pub(crate) fn alarm(&mut self, entry: &Listed, alarm: Alarm, before: &Self) {
        let (count, what) = match alarm {
            Alarm::Impostor => (
                &mut self.impostors,
                "an impostor: this grant bears the ref of a lease and gives something else; it \
                 changes nothing of the lease, and ends at the deadline of its own Name",
            ),
            Alarm::Stray => (
                &mut self.strays,
                "a stray: this grant bears a Name of this group, and no other host makes such \
                 grants (`hosts = 1`); it ends at the deadline of its Name",
            ),
        };
        *count += 1;
        let few = *count <= TOLD_MAX;
        self.tell(entry, what, few, before);
    }

    /// One line for each grant, with what helps a person to find who made it and to end it.
    fn tell(&mut self, entry: &Listed, what: &str, few: bool, before: &Self) {
        let told = before.told.contains(&entry.id);
        if told || few {
            self.told.insert(entry.id.clone());
        }
        if !told && few {
            let created = entry.created.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
            tracing::error!(grant = %entry.id, key = %entry.key_arn, name = %entry.name,
                grantee = %entry.grantee, created,
                "{what}. Find its maker in CloudTrail: event CreateGrant, \
                 responseElements.grantId as above. To end it now: aws kms revoke-grant \
                 --key-id {} --grant-id {}", entry.key_arn, entry.id);
        }
    }
}

/// Look up what is in doubt: what the ledger has a row of needs no proof (an adopted grant, or one
/// whose retiring principal decayed). The others are counted and told of.
pub(crate) fn unknown(
    books: &mut Ledger,
    doubtful: Vec<(Listed, Suspect, String)>,
    began: Now,
) -> Result<Vec<(Listed, Suspect, String)>, LedgerError> {
    let mut unknown = Vec::new();
    for item in doubtful {
        // A listing that began before its row was closed may show it yet.
        if !books.knows(&item.0.key_arn, &item.0.id, began)? {
            unknown.push(item);
        }
    }
    Ok(unknown)
}

/// Say of what is in doubt what was not said at the search before.
pub(crate) fn tell(
    found: &mut Doubtful,
    unknown: Vec<(Listed, Suspect, String)>,
    before: &Doubtful,
) {
    for (entry, suspect, why) in unknown {
        found.count(suspect);
        match suspect {
            Suspect::Rogue => {
                let few = found.rogues <= TOLD_MAX;
                let what = format!(
                    "a rogue: this grant names grantd's role as its retiring principal, and \
                     grantd did not make it ({why}); it has no deadline that counts, so grantd \
                     leaves it alone"
                );
                found.tell(&entry, &what, few, before);
            }
            Suspect::Unproven => {
                let told = before.told.contains(&entry.id);
                if !told && found.unproven <= TOLD_MAX {
                    tracing::warn!(grant = %entry.id, key = %entry.key_arn, name = %entry.name,
                        "a grant bears our name but is not provably ours, and is left alone: {why}");
                }
                found.told.insert(entry.id);
            }
        }
    }
}

/// A count for the wire.
pub(crate) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
