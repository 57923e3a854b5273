//! Grants of others: taken up as leases, let pass to their ends by a brake, and held.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};
use serde_json::json;

use super::columns::{Columns, word};
use super::grants::Fresh;
use super::reads::{corrupt, limit};
use super::{Ledger, LedgerError, Row, new, sql};
use crate::config::Brake;
use crate::ids::{GrantId, KeyArn, Principal, Ref};
use crate::kms::Lane;
use crate::rules::brake::{AGAIN, counts_since};
use crate::rules::foreign::Fit;
use crate::rules::life::{Act, EndOrder, Facts, Life, Next, Origin, Sends, State};
use crate::rules::time::{Now, Time};
use crate::terms::{Constraints, Operation};
use crate::wire::{AdoptionHold, Asker};

/// Holds that are read at once: more policies or keys than anybody keeps in mind.
const HOLDS_MAX: usize = 1_000;
/// Grants that wait for a key's brake are counted up to this.
const WAITING_MAX: usize = 10_000;

/// Somebody else's grant, judged adoptable, as a listing showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedGrant {
    /// That it may be adopted.
    pub fit: Fit,
    /// The ref of the lease that it becomes.
    pub reference: Ref,
    /// Where it was seen, and will be ended.
    pub lane: Arc<Lane>,
    /// Its key.
    pub key_arn: KeyArn,
    /// KMS's id.
    pub grant_id: GrantId,
    /// Its Name, as its maker chose it; may be empty.
    pub name: String,
    /// Who has access.
    pub grantee: Principal,
    /// To do what, as far as grantd knows the operations.
    pub operations: Vec<Operation>,
    /// Under which encryption context.
    pub constraints: Constraints,
    /// The account that made it, as KMS shows it.
    pub issuer: String,
    /// When KMS made it, where it says.
    pub created: Option<Time>,
    /// When the listing was begun.
    pub began: Now,
    /// The policy that adopts it, or that allows it to the person.
    pub policy: String,
    /// UTC, whole seconds.
    pub deadline: Time,
    /// The latest deadline that the lease may be given.
    pub latest: Time,
    /// How long before the deadline the end is sent, in ms.
    pub lead: i64,
    /// How long after its creation a stray copy may appear, in ms.
    pub settle: i64,
    /// Whence the deadline, for people.
    pub notes: Vec<String>,
    /// Who took it up by hand, and why; `None`: its policy did.
    pub by: Option<(Asker, Option<String>)>,
}

/// What became of a grant that was to be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopting {
    /// It is a lease now.
    Taken(Box<Row>),
    /// A row acts on it already, or has ended it.
    Known,
    /// Its policy is held, or does not enforce as far as the ledger knows.
    Held,
}

/// Whether the end of an adopted grant may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Free,
    /// The brake of its key keeps it; the row as it is now, put off.
    Held(Box<Row>),
    /// The same, and by this very grant: so many ends were let pass.
    Braked(Box<Row>, u32),
}

impl Ledger {
    /// Take up somebody else's grant as a lease. A crash before it leaves nothing, one after it a
    /// lease like any other.
    ///
    /// # Errors
    /// [`LedgerError::Full`]; those of the disk.
    pub fn adopt(&mut self, new: &AdoptedGrant, now: Now) -> Result<Adopting, LedgerError> {
        self.atomic(|ledger| {
            if ledger.knows(new.key_arn.as_str(), &new.grant_id, new.began)? {
                return Ok(Adopting::Known);
            }
            if new.by.is_none() && !ledger.enforces(&new.policy)? {
                return Ok(Adopting::Held);
            }
            // What room is left is for endings; the ballast is not for new promises. Asked last: a
            // pass over what needs no room is not to break off.
            if ledger.is_full() {
                return Err(LedgerError::Full);
            }
            let lease = ledger.insert_adopted_lease(new, now)?;
            let facts = Facts {
                deadline: new.deadline,
                lead: new.lead,
                settle: new.settle,
                order: EndOrder::Revoke,
                origin: Origin::Adopted,
            };
            let last = new.created.unwrap_or(new.began.latest);
            let life = Life {
                state: State::Active {
                    id: new.grant_id.clone(),
                    // Others may have sent it more than once: that made one grant, or others with
                    // ids of their own.
                    create: Sends { count: 1, open: 0, last },
                    missing: None,
                },
                next: Some(Next { act: Act::End, at: facts.due_at() }),
                fault: None,
            };
            let fresh = Fresh {
                lease,
                lane: new.lane.id,
                key_arn: new.key_arn.as_str(),
                serial: 1,
                twin: 0,
                name: &new.name,
                request: None,
                facts: &facts,
                life: &life,
            };
            let row = ledger.insert_grant(&fresh, now)?;
            let actor = match &new.by {
                Some((asker, _)) => new::actor(asker.uid, &asker.name),
                None => "grantd".to_owned(),
            };
            ledger.append(now.latest, Some(&new.reference), "adopted", &actor, &told(new))?;
            ledger.row(row).map(|row| Adopting::Taken(Box::new(row)))
        })
    }

    fn insert_adopted_lease(&self, new: &AdoptedGrant, now: Now) -> Result<i64, LedgerError> {
        let conn = self.conn()?;
        let (asker, reason) =
            new.by.as_ref().map_or((None, None), |(by, why)| (Some(by), why.as_ref()));
        conn.prepare_cached(sql::NEW_LEASE)?.execute(params![
            new.reference.as_str(),
            new.lane.id,
            word(Origin::Adopted),
            new.key_arn.as_str(),
            new.key_arn.as_str(),
            new.key_arn.key_id(),
            new.grantee.as_str(),
            new.grantee.short(),
            json!(new.operations).to_string(),
            json!(new.constraints).to_string(),
            new.policy,
            reason,
            asker.map(|asker| asker.uid),
            asker.map(|asker| &asker.name),
            None::<String>,
            None::<Vec<u8>>,
            new.created.unwrap_or(now.latest).0,
            new.deadline.0,
            new.latest.max(new.deadline).0,
            new.lead,
        ])?;
        Ok(conn.last_insert_rowid())
    }

    /// Note which policies say `adopt = "enforce"`. One that is new here is held; one that no
    /// longer says so is forgotten, and will be held again. What is new, by name.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn enforce(
        &mut self,
        policies: &BTreeSet<String>,
        now: Now,
    ) -> Result<Vec<String>, LedgerError> {
        let known = self.enforced()?;
        let new: Vec<String> =
            policies.iter().filter(|name| !known.contains(*name)).cloned().collect();
        let old: Vec<&String> = known.iter().filter(|name| !policies.contains(*name)).collect();
        if new.is_empty() && old.is_empty() {
            return Ok(new);
        }
        self.atomic(|ledger| {
            let conn = ledger.conn()?;
            for name in &old {
                conn.prepare_cached(sql::UNENFORCE)?.execute([name])?;
            }
            for name in &new {
                conn.prepare_cached(sql::ENFORCE)?.execute(params![name, now.latest.0])?;
            }
            for (name, kind) in old
                .iter()
                .map(|name| (*name, "adopts-no-more"))
                .chain(new.iter().map(|n| (n, "adoption-held")))
            {
                ledger.append(now.latest, None, kind, "grantd", &json!({ "policy": name }))?;
            }
            Ok(())
        })?;
        Ok(new)
    }

    fn enforced(&self) -> Result<BTreeSet<String>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::ENFORCED)?;
        let names = query.query_map([limit(HOLDS_MAX)], |raw| raw.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Whether this policy adopts, and is not held.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn enforces(&self, policy: &str) -> Result<bool, LedgerError> {
        Ok(self.conn()?.prepare_cached(sql::ENFORCES)?.exists([policy])?)
    }

    /// What is held, policies first. How many grants wait for a policy is not known here.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn holds(&self, now: Time) -> Result<Vec<AdoptionHold>, LedgerError> {
        let conn = self.conn()?;
        let mut query = conn.prepare_cached(sql::POLICIES_HELD)?;
        let policies = query.query_map([limit(HOLDS_MAX)], |raw| {
            let since = Time(raw.get(1)?);
            Ok(AdoptionHold { policy: raw.get(0)?, key_arn: None, since, grants: 0 })
        })?;
        let mut holds = policies.collect::<Result<Vec<_>, _>>()?;
        let mut query = conn.prepare_cached(sql::KEYS_HELD)?;
        let keys = query.query_map([limit(HOLDS_MAX)], |raw| Ok((raw.get(0)?, raw.get(1)?)))?;
        for held in keys.collect::<Result<Vec<(String, i64)>, _>>()? {
            let (key, since) = (KeyArn::parse(held.0).map_err(corrupt)?, Time(held.1));
            let mut waiting = conn.prepare_cached(sql::ADOPTED_WAITING)?;
            let values = params![key.as_str(), now.0, limit(WAITING_MAX)];
            let grants = waiting.query_row(values, |raw| raw.get(0))?;
            holds.push(AdoptionHold { policy: None, key_arn: Some(key), since, grants });
        }
        Ok(holds)
    }

    /// Let go on what is held of these, in one transaction: what was held.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn resume(
        &mut self,
        holds: &[AdoptionHold],
        by: &Asker,
        reason: Option<&str>,
        now: Now,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            for hold in holds {
                let conn = ledger.conn()?;
                if let Some(policy) = &hold.policy {
                    conn.prepare_cached(sql::RESUME_POLICY)?
                        .execute(params![policy, now.latest.0])?;
                }
                if let Some(key) = &hold.key_arn {
                    conn.prepare_cached(sql::RESUME_KEY)?
                        .execute(params![key.as_str(), now.latest.0])?;
                    conn.prepare_cached(sql::ADOPTED_DUE_AGAIN)?.execute([key.as_str()])?;
                }
                let body = json!({ "policy": hold.policy, "key-arn": hold.key_arn,
                    "since": hold.since, "reason": reason });
                let actor = new::actor(by.uid, &by.name);
                ledger.append(now.latest, None, "adoption-resumed", &actor, &body)?;
            }
            Ok(())
        })
    }

    /// Whether the end of this adopted grant may be sent, which is on the disk before it is: once
    /// let pass, it may be tried for ever. `brake` is that of a policy.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn let_end(
        &mut self,
        grant: i64,
        brake: impl FnOnce(Option<&str>) -> Brake,
        now: Now,
    ) -> Result<Passage, LedgerError> {
        self.atomic(|ledger| {
            if ledger.conn()?.prepare_cached(sql::LET_END)?.exists([grant])? {
                return Ok(Passage::Free);
            }
            let row = ledger.row(grant)?;
            let key = row.key_arn();
            let (from, held) = ledger.brake_of(key)?;
            if held {
                return Ok(Passage::Held(Box::new(ledger.put_off(grant, now)?)));
            }
            let ended = ledger.ended_since(key, counts_since(from, now.least))?;
            let policy = ledger.policy_of(row.reference())?;
            let allowed = brake(policy.as_deref()).allows(ledger.grants_on(key)?);
            let at = now.latest.0;
            if ended < allowed {
                let mut pass = ledger.conn()?.prepare_cached(sql::NEW_LET_END)?;
                pass.execute(params![grant, key.as_str(), at])?;
                return Ok(Passage::Free);
            }
            ledger.conn()?.prepare_cached(sql::SET_BRAKE)?.execute(params![key.as_str(), at])?;
            let body = json!({ "key-arn": key, "policy": policy, "ended": ended,
                "allowed": allowed });
            ledger.append(now.latest, None, "brake", "grantd", &body)?;
            Ok(Passage::Braked(Box::new(ledger.put_off(grant, now)?), ended))
        })
    }

    /// Since when ends count on a key, and whether it is held.
    fn brake_of(&self, key: &KeyArn) -> Result<(Time, bool), LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::BRAKE)?;
        let known: Option<(i64, Option<i64>)> =
            query.query_row([key.as_str()], |raw| Ok((raw.get(0)?, raw.get(1)?))).optional()?;
        Ok(known.map_or((Time(i64::MIN), false), |(from, held)| (Time(from), held.is_some())))
    }

    /// How many ends were let pass since then; the older ones are forgotten.
    fn ended_since(&self, key: &KeyArn, since: Time) -> Result<u32, LedgerError> {
        let conn = self.conn()?;
        conn.prepare_cached(sql::FORGET_LET_ENDS)?.execute(params![key.as_str(), since.0])?;
        Ok(conn.prepare_cached(sql::LET_ENDS)?.query_row([key.as_str()], |raw| raw.get(0))?)
    }

    fn policy_of(&self, reference: &Ref) -> Result<Option<String>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::POLICY_OF)?;
        Ok(query.query_row([reference.as_str()], |raw| raw.get(0))?)
    }

    fn grants_on(&self, key: &KeyArn) -> Result<u32, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::CENSUS)?;
        Ok(query.query_row([key.as_str()], |raw| raw.get(0)).optional()?.unwrap_or(0))
    }

    fn put_off(&mut self, grant: i64, now: Now) -> Result<Row, LedgerError> {
        let (_, before, _) = self.stored(grant)?;
        let next = Some(Next { act: Act::End, at: now.latest.plus(AGAIN) });
        self.write_columns(grant, &before, &Columns { next, ..before.clone() })?;
        self.row(grant)
    }
}

/// The history body of an adoption: whose grant it is, and why it is to end then.
fn told(new: &AdoptedGrant) -> serde_json::Value {
    json!({
        "grant-id": new.grant_id, "name": new.name, "key-arn": new.key_arn,
        "grantee": new.grantee, "operations": new.operations, "constraints": new.constraints,
        "issuing-account": new.issuer, "created": new.created, "policy": new.policy,
        "deadline": new.deadline, "latest": new.latest, "lead-ms": new.lead, "notes": new.notes,
        "reason": new.by.as_ref().and_then(|(_, reason)| reason.as_ref()),
        "account": new.lane.account, "region": new.lane.region,
    })
}
