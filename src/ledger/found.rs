//! Grants of ours that were found at KMS without a row: another host of the group made them, or the
//! ledger was lost or is older than they are.

use rusqlite::{OptionalExtension as _, params};
use serde_json::json;

use super::columns::word;
use super::grants::Fresh;
use super::reads::corrupt;
use super::{FoundGrant, Ledger, LedgerError, Note, Row, sql};
use crate::ids::{GrantId, Principal, Ref};
use crate::rules::life::{Act, Event, Facts, Life, Next, Origin, PATIENCE, Sends, State};
use crate::rules::time::Now;

impl Ledger {
    /// Take up a grant that is ours by its Name and has no row here. It ends at the deadline of its
    /// Name (and `STAND_IN_DELAY`). `None` when it is known already.
    ///
    /// A known lease gets it as the grant that its row was waiting for, as another serial, or as a
    /// twin: ended at once if it gives the same as the stored request, else at its own deadline. So
    /// is a twin of what was itself only found: which of the two is one too many, the host knows
    /// that made them. Were each host to end the one that it saw second, both could be ended.
    /// What a shorter successor has replaced is ended at once: their Names say it. A row whose
    /// create was sent within [`PATIENCE`] is left to its sender, and to its own look after that.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn find(&mut self, found: &FoundGrant, now: Now) -> Result<Option<Row>, LedgerError> {
        self.atomic(|ledger| {
            let Some(row) = ledger.take_up(found, now)? else { return Ok(None) };
            ledger.end_replaced(&found.reference, now)?;
            ledger.row(row.id()).map(Some)
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

    fn take_up(&mut self, found: &FoundGrant, now: Now) -> Result<Option<Row>, LedgerError> {
        self.atomic(|ledger| {
            if ledger.knows(found.key_arn.as_str(), &found.grant_id, found.began)? {
                return Ok(None);
            }
            let reference = found.reference.as_str();
            let mut known = ledger.conn()?.prepare_cached(sql::LEASE_ID)?;
            let lease: Option<i64> = known.query_row([reference], |raw| raw.get(0)).optional()?;
            drop(known);
            let Some(lease) = lease else {
                let lease = ledger.insert_found_lease(found)?;
                return ledger.insert_found(found, lease, 0, now).map(Some);
            };
            let mut later = ledger.conn()?.prepare_cached(sql::LEASE_FOUND)?;
            later.execute(params![lease, found.deadline.0, found.created.0])?;
            drop(later);
            let Some(row) = ledger.by_serial(lease, found.serial)? else {
                return ledger.insert_found(found, lease, 0, now).map(Some);
            };
            if row.facts().origin == Origin::Found || !same_terms(&row, found) {
                let twin = ledger.next_twin(lease, found.serial)?;
                return ledger.insert_found(found, lease, twin, now).map(Some);
            }
            if let State::Creating { create, .. } = &row.life().state {
                // Its sender may wait for the answer yet, or be about to repeat it.
                if now.latest.since(create.last) < PATIENCE {
                    return Ok(None);
                }
                let ids = vec![found.grant_id.clone()];
                let event = Event::Looked { began: found.began, ids };
                let stepped = ledger.step(row.id(), &event, now, &Note::grantd())?;
                return Ok(Some(stepped.row));
            }
            ledger.twin(&row, lease, &found.grant_id, found.began, now)
        })
    }

    fn insert_found_lease(&self, found: &FoundGrant) -> Result<i64, LedgerError> {
        let conn = self.conn()?;
        conn.prepare_cached(sql::NEW_LEASE)?.execute(params![
            found.reference.as_str(),
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
        let body = json!({
            "serial": found.serial, "twin": twin, "grant-id": found.grant_id, "name": found.name,
            "key-arn": found.key_arn, "grantee": found.grantee, "operations": found.operations,
            "constraints": found.constraints, "created": found.created, "deadline": found.deadline,
            "policy": found.policy,
        });
        self.append(now.latest, Some(row.reference()), "found", "grantd", &body)?;
        Ok(row)
    }
}

fn same_terms(row: &Row, found: &FoundGrant) -> bool {
    row.key_arn() == &found.key_arn
        && row.request().is_none_or(|request| {
            let mut operations = found.operations.clone();
            operations.sort_unstable();
            // KMS may show the unique id of a principal that is young or gone (kms-facts 2).
            let grantee =
                request.grantee == found.grantee || Principal::is_unique_id(&found.grantee);
            grantee && request.operations == operations && request.constraints == found.constraints
        })
}
