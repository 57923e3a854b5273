//! Another deadline for a lease: a successor grant under it. A later one lets the old grant end at
//! its own deadline; an earlier one has the old grant ended once KMS has accepted the successor.
//!
//! The intent is one commit, as that of a create. A crash before it leaves the lease as it was;
//! after it the successor's row finds its way, and what it replaces is ended in the very commit
//! that tells of its acceptance, whoever found it out (`ledger::succeed`).

use std::rc::Rc;
use std::sync::Arc;

use super::Caller;
use super::context::{Context, is_current, ledger_fault};
use super::desk::{
    digest, hear_the_time, lease, made_before, open_for_creates, probes, repeated, unsent,
};
use super::prove::refusal;
use super::refusals::refused;
use super::resolve::resolve;
use super::revoke::{anothers, end_now, not_yours};
use super::send::Made;
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::Ref;
use crate::ledger::{Ledger, LedgerError, Row, Successor, Urgency};
use crate::rules::extend::{Standing, gap};
use crate::rules::life::{Facts, Origin, State, Why};
use crate::rules::name::Name;
use crate::rules::policy::{self, Extended, Extension, Until};
use crate::rules::time::Time;
use crate::rules::{access, extend as chain};
use crate::terms::GrantRequest;
use crate::wire;

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a wire::ExtendLease,
}

/// The lease as it is, and what its next grant takes over from its last.
struct Known {
    lease: wire::Lease,
    standing: Standing,
    last: Row,
}

/// Give a lease another deadline.
pub(crate) async fn extend(
    cx: &Rc<Context>,
    asked: Asked<'_>,
    reference: &str,
    idempotency: Option<String>,
) -> Result<wire::LeaseExtended, Fault> {
    let made = change(cx, asked, reference, idempotency).await;
    cx.metrics.asked("extend", &made);
    if let Err(fault) = &made
        && fault.kind != Kind::OutcomeUnknown
    {
        let body = serde_json::json!({ "ref": reference, "ttl": asked.request.ttl,
            "until": asked.request.until });
        refused(cx, asked.caller, fault, "extend", body);
    }
    made
}

async fn change(
    cx: &Rc<Context>,
    asked: Asked<'_>,
    reference: &str,
    idempotency: Option<String>,
) -> Result<wire::LeaseExtended, Fault> {
    hear_the_time(cx).await;
    let config = open_for_creates(cx)?;
    let prefix = reference.to_owned();
    let sight = access::sight(Some(&config), asked.caller);
    let read = move |books: &mut Ledger| books.seen_ref(&prefix, &sight);
    let reference = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
    // Whether the token is wanted is no part of what is asked for.
    let bare = wire::ExtendLease { token: false, ..asked.request.clone() };
    let idempotency = idempotency.map(|key| (key, digest(&("extend", &reference, &bare))));
    if let Some(lease) = repeated(cx, asked.caller, idempotency.as_ref()).await? {
        return Ok(unchanged(lease));
    }
    let known = known(cx, &config, asked.caller, &reference).await?;
    let mut decided = decide(cx, &config, asked, &known).await?;
    let lane = known.last.lane();
    // Nothing of ours need have been on the key of what others made: it is proven within minutes of
    // the adoption, and this may come before.
    if decided.is_some() && known.last.facts().origin == Origin::Adopted && probes(cx, lane) {
        cx.prove(lane, &known.lease.key_arn).await?;
        // The proof took its time: what is asked for by a span is counted from now.
        decided = decide(cx, &config, asked, &known).await?;
    }
    let Some(decided) = decided else { return Ok(unchanged(known.lease)) };
    let standing = known.standing;
    let new = successor(&config, asked, known, decided, idempotency)?;
    let made = match cx.succeed(new, &config).await {
        Ok(made) => made,
        // The same key came in twice at once: the ledger decides.
        Err(LedgerError::Repeated(_)) => {
            return made_before(cx, &reference, standing.next).await.map(unchanged);
        }
        Err(error) => return Err(unsent(error)),
    };
    told(cx, asked.request.token, &standing, made).await
}

fn unchanged(lease: wire::Lease) -> wire::LeaseExtended {
    wire::LeaseExtended { lease, token: None, repeated: true, gap: None }
}

/// The lease, if this caller may change it and it is in a state to be changed.
async fn known(
    cx: &Rc<Context>,
    config: &Config,
    caller: &Caller,
    reference: &Ref,
) -> Result<Known, Fault> {
    let (wanted, now) = (reference.clone(), cx.time.now().latest);
    let read = move |books: &mut Ledger| {
        let lease = books.lease(wanted.as_str())?;
        Ok((lease, books.standing(&wanted, now), books.rows_of_lease(&wanted)?))
    };
    let (lease, standing, rows) = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
    not_yours(cx, caller, &lease)?;
    if lease.origin == Origin::Probe {
        let text = format!("lease {reference} is grantd's own proof that it can end grants");
        return Err(Fault::new(Kind::LeaseOver, text).about(reference.clone()));
    }
    let standing = standing.map_err(ledger_fault)?;
    let live = |row: &&Row| row.twin() == 0 && matches!(row.life().state, State::Active { .. });
    let last = rows.iter().filter(live).max_by_key(|row| row.serial()).cloned();
    let last = last.ok_or_else(|| chain::Unready::Over.fault(reference))?;
    if !is_current(config, last.lane()) {
        let text = format!(
            "the configuration no longer makes grants for account {} in {} as it made this one",
            lease.account, lease.region
        );
        let fault = Fault::new(Kind::NoPolicy, text).about(reference.clone());
        return Err(fault.hint("create a new lease"));
    }
    Ok(Known { lease, standing, last })
}

/// What is decided: the deadline, on which terms, and the key's aliases of today.
type Decided = (Time, Extended, Vec<String>);

/// What becomes of it, now; `None` where it has the deadline already.
async fn decide(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    asked: Asked<'_>,
    known: &Known,
) -> Result<Option<Decided>, Fault> {
    let until = Until::parse(asked.request.ttl.as_deref(), asked.request.until)?;
    let (lead, now) = (known.last.facts().lead, cx.time.now().latest);
    let deadline = policy::new_deadline(until, lead, now)?;
    if deadline == known.standing.deadline {
        return Ok(None);
    }
    let extended = match deadline > known.standing.deadline {
        true => allowed(cx, config, asked, known, deadline).await,
        false => shortened(config, asked, &known.lease).map(|extended| (extended, Vec::new())),
    };
    let (extended, aliases) =
        extended.map_err(|fault| fault.about(known.lease.reference.clone()))?;
    Ok(Some((deadline, extended, aliases)))
}

/// A later deadline gives access: today's policy decides. The key's aliases of today come with it.
async fn allowed(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    Asked { caller, request }: Asked<'_>,
    known: &Known,
    deadline: Time,
) -> Result<(Extended, Vec<String>), Fault> {
    let Known { lease, standing, .. } = known;
    let asker = lease.asker.as_ref().map(|asker| asker.uid);
    let owner = access::owns(Some(config), caller, lease.policy.as_deref(), asker);
    if !owner && !access::extends(config, caller, asker) {
        return Err(anothers(cx, caller, lease));
    }
    let key = resolve(cx, config, lease.key_arn.as_str(), None).await?;
    let extended = policy::extend(
        config,
        &Extension {
            ask: policy::Ask {
                caller,
                key: &key.facts,
                aliases: &key.aliases,
                grantee: &lease.grantee,
                operations: &lease.operations,
                until: Until::At(deadline),
                reason: request.reason.as_deref(),
                constraints: &lease.constraints,
                now: cx.time.now().latest,
            },
            policy: lease.policy.as_deref(),
            deadline,
            started_at: lease.started_at,
            latest: lease.latest,
            extensions: standing.extensions,
            owner,
            admin: config.is_admin(caller),
            beyond: request.beyond_policy,
        },
    )?;
    Ok((extended, key.aliases))
}

/// An earlier deadline takes no more than who may end the lease at once: no policy is asked.
fn shortened(
    config: &Config,
    Asked { caller, request }: Asked<'_>,
    lease: &wire::Lease,
) -> Result<Extended, Fault> {
    let asker = lease.asker.as_ref().map(|asker| asker.uid);
    let owner = access::owns(Some(config), caller, lease.policy.as_deref(), asker);
    policy::shorten(request.reason.as_deref(), owner, lease.latest)
}

/// What goes into the ledger, and to KMS: the lease's own terms, and another deadline.
fn successor(
    config: &Config,
    Asked { caller, request }: Asked<'_>,
    known: Known,
    (deadline, extended, aliases): Decided,
    idempotency: Option<(String, [u8; 32])>,
) -> Result<Successor, Fault> {
    let Known { lease, standing, last } = known;
    let name = Name::new(config.group.clone(), lease.reference.clone(), standing.next, deadline)
        .map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
    let longer = deadline > standing.deadline;
    let facts = Facts {
        settle: config.settle,
        origin: Origin::Asked,
        order: last.lane().own_order(),
        ..*last.facts()
    };
    Ok(Successor {
        lane: Arc::clone(last.lane()),
        judged: standing,
        key: lease.key,
        aliases,
        request: GrantRequest {
            key_arn: lease.key_arn,
            grantee: lease.grantee,
            operations: lease.operations,
            retiring_principal: last.lane().retiring_principal.clone(),
            constraints: lease.constraints,
            name: name.to_string(),
        },
        facts,
        deadline,
        latest: extended.latest,
        policy: lease.policy.filter(|_| longer),
        reason: request.reason.clone(),
        asker: wire::Asker { uid: caller.uid, name: caller.name.clone() },
        overrides: extended.overrides,
        idempotency,
        reference: lease.reference,
    })
}

/// What the asker reads; a shorter lease is reported once the old grant's end is accepted, or 10 s
/// have passed.
async fn told(
    cx: &Rc<Context>,
    token: bool,
    before: &Standing,
    made: Made,
) -> Result<wire::LeaseExtended, Fault> {
    let (row, was) = (made.row(), before.deadline);
    let (reference, deadline) = (row.reference().clone(), row.facts().deadline);
    let longer = deadline > was;
    match made {
        Made::Granted(row) => {
            let accepted = cx.time.now().latest;
            tracing::info!(lease = %reference, serial = row.serial(), %was, %deadline,
                "lease has another deadline");
            if !longer {
                end_old(cx, &row).await?;
            }
            let old_end = if longer { before.due_at } else { accepted };
            let gap = gap(old_end, accepted, row.facts().settle);
            let gap = gap.map(|(from, until)| wire::Gap { from, until });
            let token = token.then(|| cx.token(row.id())).flatten();
            let token = token.map(|token| token.reveal().to_owned());
            let lease = lease(cx, &reference).await?;
            Ok(wire::LeaseExtended { lease, token, repeated: false, gap })
        }
        Made::Refused(row, class, detail) => {
            let fault = refusal(class, row.key_arn(), &detail);
            let text = format!("{}; lease {reference} still ends at {was}", fault.text);
            Err(Fault { text, ..fault }.about(reference))
        }
        Made::Unknown(_, detail) => {
            let rest = match longer {
                true => format!(
                    "the lease ends at {deadline} in any case, but count on {was} until it is known"
                ),
                false => format!(
                    "the lease ends at {deadline}, unless it turns out until then that KMS never \
                     made the new grant: then at {was}"
                ),
            };
            let text =
                format!("KMS has not answered ({detail}); what you asked is recorded: {rest}");
            let hint = format!("see `grantd show {reference}`");
            Err(Fault::new(Kind::OutcomeUnknown, text).hint(hint).about(reference))
        }
    }
}

/// End what `row` has replaced, as a revoke would; the scheduler keeps at it afterwards.
async fn end_old(cx: &Rc<Context>, row: &Row) -> Result<(), Fault> {
    let (reference, serial) = (row.reference().clone(), row.serial());
    let read = move |books: &mut Ledger| books.rows_of_lease(&reference);
    let rows = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
    let old = |row: &Row| {
        row.serial() < serial && matches!(row.life().state, State::Ending { why: Why::Asked, .. })
    };
    let ends = rows.into_iter().filter(old).map(|row| end_now(cx, row));
    let ended = futures_util::future::join_all(ends).await;
    match ended.into_iter().find_map(Result::err) {
        Some(fault) => Err(fault.about(row.reference().clone())),
        None => Ok(()),
    }
}
