//! Grants of ours that were found at KMS without a row: another host of the group made them, or the
//! ledger was lost or is older than they are. Or somebody forged a Name: whoever may create grants
//! on a key can write one.
//!
//! So a found grant ends at the deadline of its own Name, and changes nothing else. It joins a
//! lease only if it gives the same as that lease, and even then it moves neither the deadline nor
//! the serials of the rows that this host made, and it ends none of them.

use rusqlite::{OptionalExtension as _, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::columns::{Columns, parse, word};
use super::grants::Fresh;
use super::reads::corrupt;
use super::{FoundGrant, Ledger, LedgerError, Note, Row, sql};
use crate::ids::{GrantId, Ref};
use crate::rules::extend::SERIAL_MAX;
use crate::rules::found::{Alarm, DECAY};
use crate::rules::life::{
    Act, Event, Facts, How, Life, Next, Origin, PATIENCE, STAND_IN_DELAY, Sends, State,
};
use crate::rules::time::{Now, Time};
use crate::terms::{Constraints, Operation};

/// So many grants that were only found, or are twins, join one lease: as many as a host of the
/// group can make of it. Reads of a lease show 1,000 grants, so a flood of forged ones must not
/// push out the rows that this host made.
const JOINED_MAX: u32 = SERIAL_MAX;

/// What the ledger makes of a found grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// Too early to say: its sender may be at it, or a principal may yet show as itself.
    Early,
    /// A row acts on it, or was closed after it was seen.
    Known {
        /// The lease of the open row; none where it is closed.
        lease: Option<Ref>,
        /// What is wrong with it.
        alarm: Option<Alarm>,
    },
    /// It has a row now.
    Taken {
        /// The row.
        row: Box<Row>,
        /// What is wrong with it.
        alarm: Option<Alarm>,
    },
}

/// What the lease of a ref gives, and where.
struct Terms {
    lease: i64,
    lane: i64,
    origin: Origin,
    key_arn: String,
    grantee: String,
    operations: Vec<Operation>,
    constraints: Constraints,
}

impl Terms {
    /// Whether the grant gives the same by the same lane. A unique id is no principal that anybody
    /// asked for, so it equals nothing.
    fn equal(&self, found: &FoundGrant) -> bool {
        let (mut own, mut theirs) = (self.operations.clone(), found.operations.clone());
        own.sort_unstable();
        theirs.sort_unstable();
        self.lane == found.lane.id
            && self.key_arn == found.key_arn.as_str()
            && self.grantee == found.grantee.as_str()
            && own == theirs
            && self.constraints == found.constraints
            && found.understood
    }
}

impl Ledger {
    /// Take up a grant that is ours by its Name and has no row here. It ends at the deadline of its
    /// Name (and `STAND_IN_DELAY`).
    ///
    /// A grant of a known lease that gives the same joins it: as the grant that its row was waiting
    /// for, as a twin of it, or as what another host made. A twin of a row that this host made is
    /// ended at once. A twin of what was itself only found is not: the host that made both knows
    /// which of them is one too many, and were each host to end the one that it saw second, both
    /// could be ended. A grant of a known ref that gives anything else is an impostor, and becomes
    /// a lease of its own. A row whose create was sent within [`PATIENCE`] is left to its sender,
    /// and to its own look after that.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn find(&mut self, found: &FoundGrant, now: Now) -> Result<Sighting, LedgerError> {
        self.atomic(|ledger| {
            if let Some(lease) = ledger.open_lease_of(found.key_arn.as_str(), &found.grant_id)? {
                let alarm = ledger.alarm(found, &lease)?;
                return Ok(Sighting::Known { lease: Some(lease), alarm });
            }
            if ledger.knows(found.key_arn.as_str(), &found.grant_id, found.began)? {
                return Ok(Sighting::Known { lease: None, alarm: None });
            }
            let decayed = found.grantee.is_unique_id();
            let due = found.deadline.plus(STAND_IN_DELAY) <= now.least;
            if decayed && !due && now.latest.since(found.created) < DECAY {
                return Ok(Sighting::Early);
            }
            let Some(row) = ledger.take_up(found, now)? else { return Ok(Sighting::Early) };
            let alarm = ledger.alarm(found, row.reference())?;
            Ok(Sighting::Taken { row: Box::new(row), alarm })
        })
    }

    /// The lease of the open row that acts on this grant, if there is one.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open_lease_of(&self, key_arn: &str, id: &GrantId) -> Result<Option<Ref>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::OPEN_LEASE_OF)?;
        let known: Option<String> =
            query.query_row(params![key_arn, id.as_str()], |raw| raw.get(0)).optional()?;
        known.map(Ref::parse).transpose().map_err(corrupt)
    }

    /// What is wrong with a found grant whose row is of this lease.
    fn alarm(&self, found: &FoundGrant, lease: &Ref) -> Result<Option<Alarm>, LedgerError> {
        if *lease != found.reference {
            return Ok(Some(Alarm::Impostor));
        }
        if !found.alone {
            return Ok(None);
        }
        let origin = self.terms(lease)?.map(|terms| terms.origin);
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_BEGAN)?;
        let began: Option<i64> = query.query_row([], |raw| raw.get(0)).optional()?;
        let newer = began.is_some_and(|began| found.created > Time(began));
        Ok((origin == Some(Origin::Found) && newer).then_some(Alarm::Stray))
    }

    fn take_up(&mut self, found: &FoundGrant, now: Now) -> Result<Option<Row>, LedgerError> {
        let Some(terms) = self.terms(&found.reference)? else {
            let lease = self.insert_found_lease(found, &found.reference)?;
            return self.insert_found(found, lease, 0, now).map(Some);
        };
        let lease = terms.lease;
        if !terms.equal(found) || self.joined(lease)? >= JOINED_MAX {
            let lease = self.insert_found_lease(found, &self.free_ref(found)?)?;
            return self.insert_found(found, lease, 0, now).map(Some);
        }
        let same_name = |row: &Row| row.name() == Some(found.name.as_str());
        match self.by_serial(lease, found.serial)?.filter(same_name) {
            Some(row) if row.facts().origin != Origin::Found => {
                let State::Creating { create, .. } = &row.life().state else {
                    return self.twin(&row, lease, &found.grant_id, found.began, now);
                };
                // Its sender may wait for the answer yet, or be about to repeat it.
                if now.latest.since(create.last) < PATIENCE {
                    return Ok(None);
                }
                let ids = vec![found.grant_id.clone()];
                let event = Event::Looked { began: found.began, ids };
                self.step(row.id(), &event, now, &Note::grantd()).map(|stepped| Some(stepped.row))
            }
            Some(_) | None => {
                let next = self.next_twin(lease, found.serial)?;
                // The serials of a lease that was made here are this host's to give.
                let twin = match terms.origin {
                    Origin::Found => {
                        let mut wider = self.conn()?.prepare_cached(sql::LEASE_FOUND)?;
                        wider.execute(params![lease, found.deadline.0, found.created.0])?;
                        next
                    }
                    Origin::Asked | Origin::Probe | Origin::Adopted => next.max(1),
                };
                self.insert_found(found, lease, twin, now).map(Some)
            }
        }
    }

    fn terms(&self, reference: &Ref) -> Result<Option<Terms>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::LEASE_TERMS)?;
        let mut rows = query.query([reference.as_str()])?;
        let Some(raw) = rows.next()? else { return Ok(None) };
        let json = |error: serde_json::Error| LedgerError::Corrupt(error.to_string());
        Ok(Some(Terms {
            lease: raw.get(0)?,
            lane: raw.get(1)?,
            origin: parse(raw.get(2)?)?,
            key_arn: raw.get(3)?,
            grantee: raw.get(4)?,
            operations: serde_json::from_str(&raw.get::<_, String>(5)?).map_err(json)?,
            constraints: serde_json::from_str(&raw.get::<_, String>(6)?).map_err(json)?,
        }))
    }

    /// How many grants of the lease this host did not ask for.
    fn joined(&self, lease: i64) -> Result<u32, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::JOINED)?;
        Ok(query.query_row(params![lease, JOINED_MAX], |raw| raw.get(0))?)
    }

    /// A ref for an impostor. The same grant always gets the same one, so that a ledger that is
    /// lost and found again speaks of the same lease.
    fn free_ref(&self, found: &FoundGrant) -> Result<Ref, LedgerError> {
        for round in 0..u8::MAX {
            let mut hash = Sha256::new();
            hash.update([round]);
            hash.update(found.key_arn.as_str());
            hash.update(found.grant_id.as_str());
            let bits = hash
                .finalize()
                .iter()
                .take(8)
                .fold(0, |bits, byte| u64::wrapping_shl(bits, 8) | u64::from(*byte));
            let reference = Ref::of_bits(bits);
            if self.terms(&reference)?.is_none() {
                return Ok(reference);
            }
        }
        Err(LedgerError::Corrupt("no free ref is left for a found grant".to_owned()))
    }

    fn insert_found_lease(&self, found: &FoundGrant, reference: &Ref) -> Result<i64, LedgerError> {
        let conn = self.conn()?;
        conn.prepare_cached(sql::NEW_LEASE)?.execute(params![
            reference.as_str(),
            found.lane.id,
            word(Origin::Found),
            found.key_arn.as_str(),
            found.key_arn.as_str(),
            found.key_arn.key_id(),
            found.grantee.as_str(),
            found.grantee.short(),
            json!(found.operations).to_string(),
            json!(found.constraints).to_string(),
            found.policy,
            None::<String>,
            None::<u32>,
            None::<String>,
            None::<String>,
            None::<Vec<u8>>,
            found.created.0,
            found.deadline.0,
            found.deadline.0,
            0,
        ])?;
        Ok(conn.last_insert_rowid())
    }

    fn insert_found(
        &mut self,
        found: &FoundGrant,
        lease: i64,
        twin: u32,
        now: Now,
    ) -> Result<Row, LedgerError> {
        let facts = Facts {
            deadline: found.deadline,
            lead: 0,
            settle: found.settle,
            order: found.order,
            origin: Origin::Found,
        };
        let life = Life {
            state: State::Active {
                id: found.grant_id.clone(),
                // By id: what else bears this Name is found as this one was.
                create: Sends { count: 1, open: 0, last: found.created },
                missing: None,
            },
            next: Some(Next { act: Act::End, at: facts.due_at() }),
            fault: None,
        };
        let fresh = Fresh {
            lease,
            lane: found.lane.id,
            key_arn: found.key_arn.as_str(),
            serial: found.serial,
            twin,
            name: &found.name,
            request: None,
            facts: &facts,
            life: &life,
        };
        let row = self.insert_grant(&fresh, now)?;
        let row = self.row(row)?;
        let claims = (*row.reference() != found.reference).then_some(&found.reference);
        let body = json!({
            "serial": found.serial, "twin": twin, "grant-id": found.grant_id, "name": found.name,
            "key-arn": found.key_arn, "grantee": found.grantee, "operations": found.operations,
            "constraints": found.constraints, "created": found.created, "deadline": found.deadline,
            "policy": found.policy, "claims": claims,
        });
        self.append(now.latest, Some(row.reference()), "found", "grantd", &body)?;
        Ok(row)
    }

    /// A row that this host made turns out to be the one of this grant: a row that had only found
    /// the grant gives way to it, since one row acts on one grant.
    pub(super) fn give_way(
        &mut self,
        key_arn: &str,
        id: &GrantId,
        owner: i64,
        now: Now,
    ) -> Result<(), LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::KNOWN_OPEN)?;
        let holder: Option<i64> =
            query.query_row(params![key_arn, id.as_str()], |raw| raw.get(0)).optional()?;
        drop(query);
        let Some(holder) = holder.filter(|holder| *holder != owner) else { return Ok(()) };
        let (row, before, _) = self.stored(holder)?;
        if row.facts().origin != Origin::Found {
            return Ok(());
        }
        let state = State::Closed { how: How::Gone, gone: None, at: now.latest };
        let after = Columns::over(&before, &Life { state, next: None, fault: None }, now.latest);
        self.write_columns(holder, &before, &after)?;
        let body = json!({ "grant-id": id, "serial": row.serial(), "twin": row.twin() });
        self.append(now.latest, Some(row.reference()), "claimed", "grantd", &body)
    }
}
