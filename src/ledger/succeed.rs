//! The chain of a lease's grants: successors are recorded here, and what they replace is ended.

use rusqlite::params;
use serde_json::json;

use super::grants::Fresh;
use super::{Ledger, LedgerError, Note, Row, Successor, new, sql};
use crate::fault::{Fault, Kind};
use crate::ids::Ref;
use crate::rules::extend::{Link, Standing, standing};
use crate::rules::life::{self, Event, Facts, Life, Origin, Sends, State, Why};
use crate::rules::time::{Now, Time};

impl Ledger {
    /// Record a successor, about to be sent: its row, its idempotency key and its history in one
    /// transaction. A crash before it leaves the lease as it was; after it, the row finds its way
    /// as that of a create does. What may be sent is the [`super::Intent`] that
    /// [`super::Handle::succeed`] makes of it after the commit.
    ///
    /// # Errors
    /// [`LedgerError::Repeated`] or a `Fault` of `IdempotencyConflict` for a used idempotency key;
    /// a `Fault` of `Frozen`, or of `Busy` where the lease has changed since it was judged;
    /// `Illegal` at or after the deadline; those of the disk.
    pub fn succeed(&mut self, new: &Successor, now: Now) -> Result<Row, LedgerError> {
        self.atomic(|ledger| {
            if ledger.is_full() {
                return Err(LedgerError::Full);
            }
            let key = new.idempotency.as_ref();
            ledger.refuse_repeat(new.asker.uid, key)?;
            if new.is_longer() {
                ledger.refuse_frozen(&new.subject())?;
            }
            if ledger.standing(&new.reference, now.latest)? != new.judged {
                let text = format!("lease {} has just changed", new.reference);
                return Err(Fault::new(Kind::Busy, text).about(new.reference.clone()).into());
            }
            let facts = Facts { deadline: new.deadline, ..new.facts };
            let blank = Life {
                state: State::Creating { create: Sends::default(), unwanted: None },
                next: None,
                fault: None,
            };
            let step = life::step(&facts, &blank, &Event::Sending, now)?;
            let lease = ledger.lease_id(&new.reference)?;
            let conn = ledger.conn()?;
            conn.prepare_cached(sql::LEASE_LATEST)?.execute(params![lease, new.latest.0])?;
            let serial = new.judged.next;
            if let Some((key, hash)) = key {
                let values = params![new.asker.uid, key, hash, lease, serial];
                conn.prepare_cached(sql::NEW_EXTENSION_KEY)?.execute(values)?;
            }
            let grant = ledger.insert_grant(
                &Fresh {
                    lease,
                    lane: new.lane.id,
                    key_arn: new.request.key_arn.as_str(),
                    serial,
                    twin: 0,
                    name: &new.request.name,
                    request: Some(&new.request),
                    facts: &facts,
                    life: &step.life,
                },
                now,
            )?;
            let actor = new::actor(new.asker.uid, &new.asker.name);
            let kind = if new.is_longer() { "extension-requested" } else { "shortening-requested" };
            ledger.append(now.latest, Some(&new.reference), kind, &actor, &told(new))?;
            ledger.row(grant)
        })
    }

    /// Where the lease stands that may have a successor.
    ///
    /// # Errors
    /// The `Fault` that says why it can have none now; those of the disk.
    pub fn standing(&self, reference: &Ref, now: Time) -> Result<Standing, LedgerError> {
        let links = self.links(reference)?;
        standing(&links, now).map_err(|unready| unready.fault(reference).into())
    }

    fn links(&self, reference: &Ref) -> Result<Vec<Link>, LedgerError> {
        let rows = self.rows_of_lease(reference)?;
        // A twin is no link: it is being ended whatever comes, or another host made it.
        let chain = rows.iter().filter(|row| row.twin() == 0);
        Ok(chain.map(link).collect())
    }

    /// End every grant of the lease that a later serial with an earlier deadline has replaced. Told
    /// as what a person asked for: the row of the shortening says who. What was only found replaces
    /// nothing: anybody can write a Name, and nobody could say who ended the lease.
    pub(super) fn end_replaced(
        &mut self,
        reference: &Ref,
        now: Now,
    ) -> Result<Vec<Row>, LedgerError> {
        let rows = self.rows_of_lease(reference)?;
        let made_here = |row: &&Row| row.twin() == 0 && row.facts().origin != Origin::Found;
        let links: Vec<Link> = rows.iter().filter(made_here).map(link).collect();
        let mut ended = Vec::new();
        for row in rows {
            let open = matches!(row.life().state, State::Creating { unwanted: None, .. })
                || matches!(row.life().state, State::Active { .. });
            let own = link(&row);
            let Some(by) = links.iter().find(|by| open && by.replaces(&own, now.latest)) else {
                continue;
            };
            let detail = format!("grant {} took its place, until {}", by.serial, by.deadline);
            let note = Note { detail: Some(detail), ..Note::grantd() };
            ended.push(self.step(row.id(), &Event::End(Why::Asked), now, &note)?.row);
        }
        Ok(ended)
    }
}

fn link(row: &Row) -> Link {
    Link::of(row.serial(), row.facts(), row.life())
}

/// The history body of a successor's birth: who asked for which deadline instead of which, why, and
/// what only an administrator may do of it.
fn told(new: &Successor) -> serde_json::Value {
    let mut body = json!({
        "serial": new.judged.next, "name": new.request.name, "deadline": new.deadline,
        "before": new.judged.deadline, "latest": new.latest, "policy": new.policy,
        "reason": new.reason, "asker": new.asker,
    });
    if let (Some(fields), false) = (body.as_object_mut(), new.overrides.is_empty()) {
        fields.insert("admin-override".to_owned(), json!(new.overrides));
    }
    body
}
