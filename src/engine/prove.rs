//! The proof of the way out, before the way in: a normal, recorded grant to grantd's own role for
//! DescribeKey only, ended for real. DryRun is not used: it answers differently before propagation,
//! and some endpoints act on it (DESIGN 6).

use std::rc::Rc;
use std::sync::Arc;

use super::context::{Context, ledger_fault};
use super::record::RECORD_PATIENCE;
use super::send::{ASKER_WAITS, Made};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Ref};
use crate::kms::{Lane, Scope};
use crate::ledger::{Ledger, NewLease, Row, Urgency};
use crate::rules::life::{Class, Event, Origin, Outcome, State, Why};
use crate::rules::name::Name;
use crate::rules::pace::Part;
use crate::rules::time::{DAY, MINUTE, SECOND, Time};
use crate::terms::{Constraints, GrantRequest, Operation};

/// A proof holds for a day: a key policy that is changed is noticed well before most deadlines.
pub(crate) const PROOF_KEEPS: i64 = DAY;
/// One by token holds only until the grant of the next probe is surely seen.
const TOKEN_PROOF_KEEPS: i64 = 10 * MINUTE;
/// The probe is ended by its id, as the leases will be; one that is not seen for so long by its
/// token. Half of what an asker waits.
const BY_ID: i64 = ASKER_WAITS / 2;
/// Between two tries.
const AGAIN: i64 = SECOND / 2;
/// So many probes of a key may be owed at once. One whose end is refused lives until somebody mends
/// the key; a new one at each try would fill the key's quota of grants. More than one, since a role
/// that was made again may end only what was made since.
const OWED_MAX: usize = 3;
/// The probe's own deadline, should we die in between: it gives nobody anything but DescribeKey to
/// ourselves.
const PROBE_LIVES: i64 = 10 * MINUTE;

impl Context {
    /// Make sure that grantd can end what it makes on this key.
    ///
    /// # Errors [`Kind::NoWayOut`] with KMS's words when it cannot; the faults of a create when
    /// that is not known.
    pub(crate) async fn prove(
        self: &Rc<Self>,
        lane: &Arc<Lane>,
        key: &KeyArn,
    ) -> Result<(), Fault> {
        self.prove_unless(lane, key, true).await
    }

    /// The same, whatever an earlier proof says.
    ///
    /// # Errors
    /// Those of [`Context::prove`].
    pub(crate) async fn prove_anew(
        self: &Rc<Self>,
        lane: &Arc<Lane>,
        key: &KeyArn,
    ) -> Result<(), Fault> {
        self.prove_unless(lane, key, false).await
    }

    /// `known`: a proof that holds is enough.
    async fn prove_unless(
        self: &Rc<Self>,
        lane: &Arc<Lane>,
        key: &KeyArn,
        known: bool,
    ) -> Result<(), Fault> {
        let place = (lane.id, key.clone());
        let turn = Rc::clone(self.proving.borrow_mut().entry(place.clone()).or_default());
        let guard = turn.lock().await;
        let result = match self.proven(lane, key).await {
            Ok(true) if known => Ok(()),
            Ok(true | false) => self.probe(lane, key).await,
            Err(fault) => Err(fault),
        };
        drop(guard);
        // The map and we: nobody else waits for this proof.
        if Rc::strong_count(&turn) == 2 {
            self.proving.borrow_mut().remove(&place);
        }
        result
    }

    async fn proven(&self, lane: &Arc<Lane>, key: &KeyArn) -> Result<bool, Fault> {
        let (id, key) = (lane.id, key.clone());
        let at = self.ledger.run(Urgency::Work, move |books| books.proof(id, &key)).await;
        let now = self.time.now().latest;
        at.map(|at| at.is_some_and(|at| now.since(at) < PROOF_KEEPS)).map_err(ledger_fault)
    }

    async fn probe(self: &Rc<Self>, lane: &Arc<Lane>, key: &KeyArn) -> Result<(), Fault> {
        let (id, of) = (lane.id, key.clone());
        let owed = move |books: &mut Ledger| books.owed_probes(id, &of, OWED_MAX);
        let mut owed = self.ledger.run(Urgency::Work, owed).await.map_err(ledger_fault)?;
        let row = match owed.len() < OWED_MAX {
            true => self.make_probe(lane, key).await?,
            false => owed.swap_remove(0),
        };
        let keeps = self.end_probe(row).await?;
        // The day counts from when a whole proof would have been made.
        let at = self.time.now().latest.plus(keeps - PROOF_KEEPS);
        let (id, key) = (lane.id, key.clone());
        let set = move |books: &mut Ledger| books.set_proof(id, &key, at);
        self.ledger.run(Urgency::Work, set).await.map_err(ledger_fault)
    }

    async fn make_probe(self: &Rc<Self>, lane: &Arc<Lane>, key: &KeyArn) -> Result<Row, Fault> {
        let Some(config) = self.config() else {
            return Err(Fault::new(Kind::EndOnly, "grantd only ends leases now"));
        };
        let probe = self.probe_lease(lane, key, &config)?;
        match self.send(probe, &config).await.map_err(ledger_fault)? {
            Made::Granted(row) => Ok(row),
            Made::Refused(_, class, detail) => Err(way_in_fault(class, key, &detail)),
            Made::Unknown(row, detail) => {
                let text = format!("KMS did not answer the probe of {key}: {detail}");
                Err(Fault::new(Kind::KmsSilent, text).about(row.reference().clone()))
            }
        }
    }

    fn probe_lease(
        &self,
        lane: &Arc<Lane>,
        key: &KeyArn,
        config: &Config,
    ) -> Result<NewLease, Fault> {
        let now = self.time.now().latest;
        let reference = Ref::random(self.rng.as_ref());
        let deadline: Time = now.plus(PROBE_LIVES).floor_second();
        let name = Name::new(config.group.clone(), reference.clone(), 1, deadline)
            .map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
        Ok(NewLease {
            reference,
            lane: Arc::clone(lane),
            origin: Origin::Probe,
            key: key.to_string(),
            request: GrantRequest {
                key_arn: key.clone(),
                grantee: lane.retiring_principal.clone(),
                operations: vec![Operation::DescribeKey],
                retiring_principal: lane.retiring_principal.clone(),
                constraints: Constraints::None,
                name: name.to_string(),
            },
            policy: None,
            reason: Some("proof of the way out".to_owned()),
            asker: None,
            idempotency: None,
            held: false,
            aliases: Vec::new(),
            started_at: now,
            deadline,
            latest: deadline,
            lead_ms: 0,
            max_live: None,
            settle: config.settle,
            order: lane.own_order(),
        })
    }

    /// End the probe for real; for how long that proves the way out. By id, as a lease is ended at
    /// its deadline: that KMS takes a token is no proof that it knows us as the retiring principal.
    /// A "no" by id to what is listed, or by token at all, names the missing permission; the
    /// scheduler keeps at it.
    async fn end_probe(self: &Rc<Self>, row: Row) -> Result<i64, Fault> {
        let (grant, key, lease) = (row.id(), row.key_arn().clone(), row.reference().clone());
        let start = self.time.now().latest;
        let served = super::record::Happening::own(Event::End(Why::Probe), self.time.now());
        if !self.agenda.borrow_mut().claim(grant) {
            return Err(Fault::new(Kind::Busy, format!("the probe of {key} is busy")));
        }
        let mut row = self.record(&row, vec![served], Some(RECORD_PATIENCE)).await;
        let mut token = None;
        let result = loop {
            let keeps = if token.is_some() { TOKEN_PROOF_KEEPS } else { PROOF_KEEPS };
            if matches!(row.life().state, State::Ended { .. } | State::Closed { .. }) {
                break Ok(keeps);
            }
            self.place(row.lane(), super::lane::Op::End, Part::Urgent).await;
            let (after, outcome, detail) = super::due::end_by(self, row, token.clone()).await;
            row = after;
            let words = detail.unwrap_or_else(|| "KMS did not answer".to_owned());
            let waited = self.time.now().latest.since(start);
            let again = waited + AGAIN < ASKER_WAITS && !self.stopping.get();
            let no_way = || {
                let text = format!("grantd cannot end grants on {key}: {words}");
                Err(Fault::new(Kind::NoWayOut, text).about(lease.clone()))
            };
            match outcome {
                Outcome::Done(()) => break Ok(keeps),
                Outcome::Refused(Class::Denied | Class::NotFound) if token.is_none() && again => {
                    // Not seen yet, as a rule; or not ours to end.
                    if waited >= BY_ID {
                        if outcome == Outcome::Refused(Class::Denied) && self.lists(&row).await {
                            break no_way();
                        }
                        token = self.token(grant);
                    }
                }
                Outcome::Unknown if again => {}
                Outcome::Refused(
                    Class::Throttled | Class::Unavailable | Class::NotFound | Class::BadToken,
                ) if again => {}
                Outcome::Refused(Class::Denied) => break no_way(),
                Outcome::Refused(_) | Outcome::Unknown => {
                    let text = format!("the probe of {key} could not be ended: {words}");
                    break Err(Fault::new(Kind::KmsSilent, text).about(lease.clone()));
                }
            }
            self.time.pause(AGAIN).await;
        };
        self.put(row);
        self.release(grant);
        result
    }

    /// Whether KMS lists the grant: then it is seen, and a refusal means what it says.
    async fn lists(self: &Rc<Self>, row: &Row) -> bool {
        let Some(id) = row.life().state.grant_id() else { return false };
        let listed = super::look::list(self, row.lane(), Scope::One(row.key_arn(), id)).await;
        listed.is_ok_and(|found| found.iter().any(|entry| entry.id == *id))
    }
}

fn way_in_fault(class: Class, key: &KeyArn, detail: &str) -> Fault {
    let fault = refusal(class, key, detail);
    if fault.kind != Kind::KmsDenied {
        return fault;
    }
    fault.hint("allow kms:CreateGrant on the key to grantd's role")
}

/// A refused create as the asker reads it.
pub(crate) fn refusal(class: Class, key: &KeyArn, detail: &str) -> Fault {
    let kind = match class {
        Class::NotFound => Kind::KeyNotFound,
        Class::Throttled => Kind::Throttled,
        Class::Denied => Kind::KmsDenied,
        Class::KeyState => Kind::KeyState,
        Class::Credentials => Kind::Credentials,
        Class::Unavailable => Kind::KmsSilent,
        Class::Quota => Kind::KeyFull,
        Class::BadToken | Class::Invalid => Kind::KmsInvalid,
    };
    let unsent = class == Class::Unavailable;
    let what = if unsent { "no grant was asked for on" } else { "KMS refuses a grant on" };
    Fault::new(kind, format!("{what} {key}: {detail}"))
}
