//! Ending what is ours by its Name and past its deadline, with no ledger.
//!
//! Stateless, so a crash leaves nothing behind: what it has not ended, the next pass or the daemon
//! does. Ending is idempotent, so neither minds the other.

use super::super::finding::Finding;
use super::{Online, Region, identity, place};
use crate::clock::Clock as _;
use crate::config::Account;
use crate::ids::{GrantId, KeyArn, Ref};
use crate::kms::{Kms as _, Listed, Scope};
use crate::ledger::Warrant;
use crate::rules::clocks::AGREE;
use crate::rules::found::{Overdue, overdue};
use crate::rules::life::{Class, Outcome, Via};
use crate::rules::policy::{alias_names, named_keys};
use crate::rules::time::{Now, SECOND, Time};

/// How often an end without a clear answer is tried; then it is left to the next pass.
const TRIES: u32 = 3;
/// Between two of them.
const AGAIN: i64 = 2 * SECOND;

/// A grant of ours that was past its deadline.
pub(in super::super) struct Swept {
    pub(in super::super) key: KeyArn,
    pub(in super::super) id: GrantId,
    pub(in super::super) reference: Ref,
    pub(in super::super) grantee: String,
    pub(in super::super) deadline: Time,
    pub(in super::super) end: End,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum End {
    /// Nothing: it was only asked what there is.
    NotTried,
    /// KMS accepted its end.
    Accepted(Via),
    /// It was gone when its turn came.
    Gone,
    /// KMS did not accept its end; its words.
    Failed(String),
}

/// What a pass saw and did.
#[derive(Default)]
pub(in super::super) struct Sweep {
    /// How many grants were looked at.
    pub(in super::super) seen: usize,
    pub(in super::super) overdue: Vec<Swept>,
    /// What could not be looked at.
    pub(in super::super) failures: Vec<Finding>,
}

impl Online<'_> {
    /// One pass over all lanes.
    pub(in super::super) async fn sweep(&self, dry_run: bool) -> Sweep {
        let (regions, failures) = self.regions().await;
        let mut sweep = Sweep { failures, ..Sweep::default() };
        for region in &regions {
            let lane = &region.lane;
            let Some(account) = self.config.account(lane.account.as_str()) else { continue };
            let who = identity(account, lane, &self.kms.identity(lane).await);
            // With anybody else's credentials KMS would refuse each end. An emulator knows nobody.
            if who.remedy.is_some() && !lane.is_local() {
                sweep.failures.push(who);
                continue;
            }
            let due = match self.due(region, &mut sweep).await {
                Ok(due) => due,
                Err(finding) => {
                    sweep.failures.push(finding);
                    continue;
                }
            };
            for overdue in &due {
                let end = match dry_run {
                    true => End::NotTried,
                    false => self.end(account, overdue).await,
                };
                sweep.overdue.push(swept(overdue, end));
            }
        }
        sweep
    }

    /// What is overdue in this lane: from one listing of all that names our role, or, where that
    /// cannot be had, from those of the policies' keys.
    async fn due(&self, region: &Region, sweep: &mut Sweep) -> Result<Vec<Overdue>, Finding> {
        let lane = &region.lane;
        let mut due = Vec::new();
        let mut take = |page: &[Listed], date: Option<Time>| {
            let now = self.present(&place(lane), date)?;
            sweep.seen += page.len();
            due.extend(page.iter().filter_map(|listed| {
                let key = KeyArn::parse(listed.key_arn.as_str()).ok()?;
                let aliases = alias_names(&region.aliases, &key);
                overdue(self.config, lane, &aliases, listed, now)
            }));
            Ok(())
        };
        let what = format!("grants that {} retires", lane.retiring_principal);
        match self.walk(&what, lane, Scope::Retirable, &mut take).await {
            Ok(()) => return Ok(due),
            // An endpoint without ListRetirableGrants, or a role that may not use it.
            Err((Some(Class::Invalid | Class::Denied), _)) => {}
            Err((_, finding)) => return Err(finding),
        }
        for key in named_keys(self.config, lane, &region.aliases) {
            let what = format!("grants of {key}");
            let walked = self.walk(&what, lane, Scope::Key(&key), &mut take).await;
            walked.map_err(|(_, finding)| finding)?;
        }
        Ok(due)
    }

    /// The present, as this host's clock and AWS's both have it: no lease is to end early by one
    /// false clock, and there is no other to ask here.
    fn present(&self, place: &str, date: Option<Time>) -> Result<Now, Finding> {
        let what = format!("clock against AWS, {place}");
        let wall = self.clock.read().wall;
        let Some(date) = date else {
            let seen = "the answer has no date, so this host's clock cannot be checked";
            return Err(Finding::failure(what, seen, "look at what stands between here and KMS"));
        };
        if wall.since(date).abs() > AGREE {
            return Err(super::clock(place, wall.since(date)));
        }
        Ok(Now { latest: wall.max(date), least: wall.min(date) })
    }

    async fn end(&self, account: &Account, overdue: &Overdue) -> End {
        let warrant = Warrant::of_overdue(overdue);
        let mut failed = "no answer".to_owned();
        let ways = match overdue.lane().ways.revoke_role {
            Some(_) => vec![Via::Retire, Via::Revoke],
            None => vec![Via::Retire],
        };
        for via in ways {
            for _ in 0..TRIES {
                self.clock.nap(SECOND / i64::from(account.rates.end)).await;
                let answer = self.kms.end(&warrant, via, None).await;
                failed = answer.detail.unwrap_or_else(|| "no answer".to_owned());
                match answer.outcome {
                    Outcome::Done(()) => return End::Accepted(via),
                    Outcome::Refused(Class::NotFound) => return End::Gone,
                    Outcome::Unknown
                    | Outcome::Refused(Class::Throttled | Class::Unavailable | Class::KeyState) => {
                        self.clock.nap(AGAIN).await;
                    }
                    // The same question would get the same answer: by the other way, if any.
                    Outcome::Refused(
                        Class::Denied
                        | Class::Credentials
                        | Class::BadToken
                        | Class::Quota
                        | Class::Invalid,
                    ) => break,
                }
            }
        }
        End::Failed(failed)
    }
}

fn swept(overdue: &Overdue, end: End) -> Swept {
    Swept {
        key: overdue.key_arn().clone(),
        id: overdue.id().clone(),
        reference: overdue.name().reference().clone(),
        grantee: overdue.grantee().to_owned(),
        deadline: overdue.name().deadline(),
        end,
    }
}
