//! Rows move here, and only through `rules::life::step`: one transaction per event, with its
//! history.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde_json::json;

use super::columns::{Columns, word};
use super::{Ledger, LedgerError, NewLease, Note, Row, new, sql};
use crate::fault::{Fault, Kind};
use crate::ids::{GrantId, Ref};
use crate::rules::life::{self, Act, Event, Facts, Life, Next, Sends, State, Tries, Why};
use crate::rules::time::Now;
use crate::terms::GrantRequest;

/// What an event did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    /// The row as it is now.
    pub row: Row,
    /// New rows: other grants under its Name and request, to be ended at once.
    pub twins: Vec<Row>,
    /// Grants of its lease that a shorter successor has replaced by this, to be ended at once.
    pub replaced: Vec<Row>,
    /// All grants of the lease are closed now.
    pub lease_closed: bool,
}

/// A row of `kms_grant` to be inserted.
pub(super) struct Fresh<'a> {
    pub(super) lease: i64,
    pub(super) lane: i64,
    pub(super) key_arn: &'a str,
    pub(super) serial: u32,
    pub(super) twin: u32,
    pub(super) name: &'a str,
    pub(super) request: Option<&'a GrantRequest>,
    pub(super) facts: &'a Facts,
    pub(super) life: &'a Life,
}

impl Ledger {
    /// Record a lease and its first grant, about to be sent: the row, its lease and its history in
    /// one transaction. What may be sent is the [`super::Intent`] that [`super::Handle::begin`]
    /// makes of it after the commit.
    ///
    /// # Errors
    /// [`LedgerError::Repeated`] or a `Fault` of `IdempotencyConflict` for a used idempotency key;
    /// a `Fault` of `Frozen`;
    /// `Illegal` at or after the deadline; those of the disk.
    pub fn begin(&mut self, new: &NewLease, now: Now) -> Result<Row, LedgerError> {
        self.atomic(|ledger| {
            // What room is left is for endings; the ballast is not for new promises.
            if ledger.is_full() {
                return Err(LedgerError::Full);
            }
            if let Some(asker) = &new.asker {
                ledger.refuse_repeat(asker.uid, new.idempotency.as_ref())?;
            }
            ledger.refuse_frozen_lease(new)?;
            ledger.refuse_too_many(new)?;
            let facts = Facts {
                deadline: new.deadline,
                lead: new.lead_ms,
                settle: new.settle,
                order: new.order,
                origin: new.origin,
            };
            let blank = Life {
                state: State::Creating { create: Sends::default(), unwanted: None },
                next: None,
                fault: None,
            };
            let step = life::step(&facts, &blank, &Event::Sending, now)?;
            let lease = ledger.insert_lease(new)?;
            if new.held {
                ledger.conn()?.prepare_cached(sql::NEW_HOLD)?.execute([lease])?;
            }
            let grant = ledger.insert_grant(
                &Fresh {
                    lease,
                    lane: new.lane.id,
                    key_arn: new.request.key_arn.as_str(),
                    serial: 1,
                    twin: 0,
                    name: &new.request.name,
                    request: Some(&new.request),
                    facts: &facts,
                    life: &step.life,
                },
                now,
            )?;
            let actor = new
                .asker
                .as_ref()
                .map_or_else(|| "grantd".to_owned(), |asker| new::actor(asker.uid, &asker.name));
            let kind = step.record.map_or("requested", |record| record.0);
            let reference = &new.reference;
            ledger.append(now.latest, Some(reference), kind, &actor, &told(new))?;
            ledger.row(grant)
        })
    }

    pub(super) fn refuse_repeat(
        &self,
        uid: u32,
        key: Option<&(String, [u8; 32])>,
    ) -> Result<(), LedgerError> {
        let Some((key, hash)) = key else {
            return Ok(());
        };
        match self.by_idempotency(uid, key)? {
            None => Ok(()),
            Some((known, reference, _)) if known == *hash => Err(LedgerError::Repeated(reference)),
            Some((_, reference, _)) => {
                let text =
                    format!("idempotency key {key:?} was used for another request, {reference}");
                Err(Fault::new(Kind::IdempotencyConflict, text).about(reference).into())
            }
        }
    }

    fn insert_lease(&self, new: &NewLease) -> Result<i64, LedgerError> {
        let request = &new.request;
        let conn = self.conn()?;
        conn.prepare_cached(sql::NEW_LEASE)?.execute(params![
            new.reference.as_str(),
            new.lane.id,
            word(new.origin),
            new.key,
            request.key_arn.as_str(),
            request.key_arn.key_id(),
            request.grantee.as_str(),
            request.grantee.short(),
            json!(request.operations).to_string(),
            json!(request.constraints).to_string(),
            new.policy,
            new.reason,
            new.asker.as_ref().map(|asker| asker.uid),
            new.asker.as_ref().map(|asker| &asker.name),
            new.idempotency.as_ref().map(|(key, _)| key),
            new.idempotency.as_ref().map(|(_, hash)| hash),
            new.started_at.0,
            new.deadline.0,
            new.latest.0,
            new.lead_ms,
        ])?;
        Ok(conn.last_insert_rowid())
    }

    pub(super) fn insert_grant(&self, fresh: &Fresh<'_>, now: Now) -> Result<i64, LedgerError> {
        let head: [Value; 12] = [
            fresh.lease.into(),
            fresh.lane.into(),
            fresh.key_arn.to_owned().into(),
            fresh.serial.into(),
            fresh.twin.into(),
            word(fresh.facts.origin).into(),
            fresh.name.to_owned().into(),
            fresh.request.map(|request| json!(request).to_string()).into(),
            fresh.facts.deadline.0.into(),
            fresh.facts.lead.into(),
            fresh.facts.settle.into(),
            word(fresh.facts.order).into(),
        ];
        let columns = Columns::over(&Columns::default(), fresh.life, now.latest);
        let conn = self.conn()?;
        let mut insert = conn.prepare_cached(sql::NEW_GRANT)?;
        insert.execute(params_from_iter(head.into_iter().chain(columns.values())))?;
        Ok(conn.last_insert_rowid())
    }

    /// What `event` makes of a row: its columns, its history row and its twins, in one transaction.
    ///
    /// # Errors
    /// [`LedgerError::Illegal`] changes nothing; [`LedgerError::NoRow`]; those of the disk.
    pub fn step(
        &mut self,
        grant: i64,
        event: &Event,
        now: Now,
        note: &Note,
    ) -> Result<Stepped, LedgerError> {
        self.atomic(|ledger| {
            let (before, columns, lease) = ledger.stored(grant)?;
            let step = life::step(before.facts(), before.life(), event, now)?;
            let mut after = Columns::over(&columns, &step.life, now.latest);
            if let (Event::Looked { began, .. }, State::Ended { .. }, State::Closed { .. }) =
                (event, &before.life().state, &step.life.state)
            {
                // The look that closes a row may be the first that lacks its grant.
                after.gone = after.gone.or(Some(began.latest));
            }
            if let Some(id) = step.life.state.grant_id().filter(|_| columns.grant_id.is_none()) {
                ledger.give_way(before.key_arn().as_str(), id, grant, now)?;
            }
            if after != columns {
                ledger.write_columns(grant, &columns, &after)?;
            }
            if let Some(record) = step.record {
                let body = moved(&before, &after, note);
                let reference = Some(before.reference());
                ledger.append(now.latest, reference, record.0, &note.actor, &body)?;
            }
            let seen = match event {
                Event::Looked { began, .. } => *began,
                Event::Sending
                | Event::Created(_)
                | Event::Abandoned
                | Event::Answered(_)
                | Event::Due
                | Event::End(_) => now,
            };
            let mut twins = Vec::new();
            for id in &step.twins {
                twins.extend(ledger.twin(&before, lease, id, seen, now)?);
            }
            let closes = matches!(step.life.state, State::Closed { .. });
            let lease_closed = closes && ledger.is_lease_closed(lease)?;
            // A first grant replaces none, and is as it was written.
            if before.serial() == 1 {
                let row = Row { life: step.life, ..before };
                return Ok(Stepped { row, twins, replaced: Vec::new(), lease_closed });
            }
            let replaced = ledger.end_replaced(before.reference(), now)?;
            Ok(Stepped { row: ledger.row(grant)?, twins, replaced, lease_closed })
        })
    }

    fn is_lease_closed(&self, lease: i64) -> Result<bool, LedgerError> {
        let mut closed = self.conn()?.prepare_cached(sql::LEASE_CLOSED)?;
        Ok(closed.query_row([lease], |raw| raw.get(0))?)
    }

    /// A retry or a look changes none of what the indexes and triggers of the table go by: SQLite
    /// would write each index anew whose columns it is told to set, to whatever value.
    pub(super) fn write_columns(
        &self,
        grant: i64,
        from: &Columns,
        to: &Columns,
    ) -> Result<(), LedgerError> {
        let (statement, values) = match from.same_place(to) {
            true => (sql::SET_PROGRESS, to.progress()),
            false => (sql::SET_GRANT, to.values().to_vec()),
        };
        let values = std::iter::once(grant.into()).chain(values);
        let mut change = self.conn()?.prepare_cached(statement)?;
        change.execute(params_from_iter(values))?;
        Ok(())
    }

    /// Another grant under the Name and request of `source`: a row of its own, to be ended at once.
    /// `None` when it is known, or when what was seen is older than the closing of its row.
    pub(super) fn twin(
        &mut self,
        source: &Row,
        lease: i64,
        id: &GrantId,
        seen: Now,
        now: Now,
    ) -> Result<Option<Row>, LedgerError> {
        if self.knows(source.key_arn().as_str(), id, seen)? {
            return Ok(None);
        }
        // The sends of the first row bound how long copies may still arrive; its columns keep them
        // when it is closed.
        let create = self.stored(source.id())?.1.create;
        let life = Life {
            state: State::Ending {
                id: id.clone(),
                create,
                why: Why::Twin,
                via: source.facts().order.first(),
                end: Tries::default(),
            },
            next: Some(Next { act: Act::End, at: now.latest }),
            fault: None,
        };
        let fresh = Fresh {
            lease,
            lane: source.lane().id,
            key_arn: source.key_arn().as_str(),
            serial: source.serial(),
            twin: self.next_twin(lease, source.serial())?,
            name: source.name().unwrap_or_default(),
            request: source.request(),
            facts: source.facts(),
            life: &life,
        };
        let row = self.insert_grant(&fresh, now)?;
        let row = self.row(row)?;
        let body = json!({
            "serial": row.serial(), "twin": row.twin(), "grant-id": id, "name": row.name(),
        });
        self.append(now.latest, Some(row.reference()), "twin", "grantd", &body)?;
        Ok(Some(row))
    }

    /// Whether a row acts on this grant, or was closed after it was seen.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn knows(&self, key_arn: &str, id: &GrantId, seen: Now) -> Result<bool, LedgerError> {
        let conn = self.conn()?;
        let values = params![key_arn, id.as_str()];
        let mut open = conn.prepare_cached(sql::KNOWN_OPEN)?;
        if open.exists(values)? {
            return Ok(true);
        }
        let mut closed = conn.prepare_cached(sql::KNOWN_CLOSED)?;
        let at: Option<i64> = closed.query_row(values, |raw| raw.get(0)).optional()?;
        Ok(at.is_some_and(|at| seen.latest.0 <= at))
    }

    pub(super) fn next_twin(&self, lease: i64, serial: u32) -> Result<u32, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::NEXT_TWIN)?;
        Ok(query.query_row(params![lease, serial], |raw| raw.get(0))?)
    }

    /// End every open grant of a lease, at `why`'s wish. Grants that are ending already stay as
    /// they are.
    ///
    /// # Errors
    /// A `Fault` of `RefUnknown`; those of the disk.
    pub fn end_lease(
        &mut self,
        reference: &Ref,
        why: Why,
        now: Now,
        note: &Note,
    ) -> Result<Vec<Row>, LedgerError> {
        self.atomic(|ledger| {
            let rows = ledger.rows_of_lease(reference)?;
            let mut after = Vec::new();
            for row in rows {
                if !matches!(row.life().state, State::Closed { .. }) {
                    let stepped = ledger.step(row.id(), &Event::End(why), now, note)?;
                    after.push(stepped.row);
                }
            }
            ledger.hold_over(reference)?;
            Ok(after)
        })
    }
}

/// The history body of a lease's birth: who asked for what, why, and which policy allowed it.
fn told(new: &NewLease) -> serde_json::Value {
    let request = &new.request;
    json!({
        "serial": 1, "origin": new.origin, "key": new.key, "key-arn": request.key_arn,
        "grantee": request.grantee, "operations": request.operations,
        "constraints": request.constraints, "name": request.name,
        "retiring-principal": request.retiring_principal, "policy": new.policy,
        "reason": new.reason, "asker": new.asker, "started": new.started_at,
        "deadline": new.deadline, "latest": new.latest, "lead-ms": new.lead_ms,
        "account": new.lane.account, "region": new.lane.region, "role-arn": new.lane.role_arn,
        "endpoint": new.lane.endpoint, "held": new.held,
    })
}

/// The history body of a transition: what a reader wants to know, without what did not change.
fn moved(before: &Row, after: &Columns, note: &Note) -> serde_json::Value {
    let mut body = json!({
        "serial": before.serial(), "state": after.state, "grant-id": after.grant_id,
        "why": after.why, "via": after.via, "how": after.how, "fault": after.fault,
        "detail": note.detail, "request-id": note.request_id, "issued": after.end.last,
        "accepted": after.accepted, "gone": after.gone, "missing": after.missing,
        "next": after.next.map(|next| next.at), "twin": (before.twin() > 0).then(|| before.twin()),
        "attempts": (after.end.count > 0).then_some(after.end.count),
        "sends": (after.create.count > 1).then_some(after.create.count),
    });
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}
