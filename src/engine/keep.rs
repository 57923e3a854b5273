//! Housekeeping: the agenda is loaded again, the clocks are remembered, AWS is asked for its date
//! and our identity, the proofs are renewed, held leases are looked after, and the head of the
//! history goes to the log.

use std::rc::Rc;
use std::sync::Arc;

use super::agenda::{HORIZON, ROWS_MAX};
use super::context::{Context, is_current};
use super::hold::{TEND_EVERY, tend};
use super::lane::{Frozen, Op, Sent};
use super::look::freeze;
use crate::kms::{Identity, Lane, Scope};
use crate::ledger::{Ledger, LedgerError, Row, Urgency, Waiting};
use crate::rules::life::Outcome;
use crate::rules::time::{MINUTE, SECOND, Time};

/// The agenda is loaded this often; changes made here are in it at once.
const LOAD_EVERY: i64 = 30 * SECOND;
/// The same while it is empty: what comes due is in it minutes before.
const LOAD_IDLE: i64 = 4 * MINUTE;
/// The clocks and the head of the history are written this often, where there is need (DESIGN 5).
const NOTE_EVERY: i64 = MINUTE;
/// Each lane is asked who we are this often: it keeps AWS's date and the credentials fresh, and
/// shows a re-created role.
const ASK_EVERY: i64 = 5 * MINUTE;
/// The same where it is another identity than before: its freeze is lifted soon after its reason.
const ASK_FROZEN: i64 = 10 * SECOND;
/// The same while the clocks are in doubt.
const ASK_IN_DOUBT: i64 = 2 * SECOND;
/// Credentials are refreshed ahead of need: the adapter is reminded this often.
const WARM_EVERY: i64 = 10 * SECOND;
/// Keys with live leases are checked for a stale proof this often.
const PROVE_EVERY: i64 = 10 * MINUTE;

/// When each chore is due again, by the boot-steady guarded clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chores {
    load: Time,
    note: Time,
    prove: Time,
    warm: Time,
    tend: Time,
}

impl Chores {
    /// All at once.
    pub(crate) const fn new() -> Self {
        let first = Time(i64::MIN);
        Self { load: first, note: first, prove: first, warm: first, tend: first }
    }

    /// Start what is due. Each chore runs beside the main loop.
    pub(crate) fn run(&mut self, cx: &Rc<Context>) {
        let judged = cx.time.judge();
        let now = judged.now.latest;
        ask_lanes(cx, now, judged.doubt.is_some());
        if cx.crowded.take() || now >= self.load {
            let idle = cx.agenda.borrow().len() == 0 && cx.backlog.borrow().len() == 0;
            self.load = now.plus(if idle { LOAD_IDLE } else { LOAD_EVERY });
            let task = Rc::clone(cx);
            cx.spawn(async move { load(&task).await });
        }
        if now >= self.note && self.note > Time(i64::MIN) {
            let task = Rc::clone(cx);
            cx.spawn(async move { note(&task).await });
        }
        if now >= self.note {
            self.note = now.plus(NOTE_EVERY);
        }
        if now >= self.warm {
            self.warm = now.plus(WARM_EVERY);
            for lane in lanes(cx) {
                let task = Rc::clone(cx);
                cx.spawn(async move { warm(&task, &lane).await });
            }
        }
        // By the boot clock: the guarded one may stand still, and a holder is not to wait for AWS.
        if cx.held.get() && cx.time.ticks() >= self.tend {
            self.tend = cx.time.ticks().plus(TEND_EVERY);
            let task = Rc::clone(cx);
            cx.spawn(async move { tend(&task).await });
        }
        if now >= self.prove && judged.doubt.is_none() && cx.config().is_some() {
            self.prove = now.plus(PROVE_EVERY);
            let task = Rc::clone(cx);
            cx.spawn(async move { renew_proofs(&task).await });
        }
    }
}

/// Which lanes are history: they are neither warmed nor asked.
async fn retire_lanes(cx: &Rc<Context>) {
    let Ok(open) = cx.ledger.run(Urgency::Work, |books| books.open_lanes()).await else { return };
    let config = cx.config();
    for (id, state) in cx.lanes.borrow_mut().iter_mut() {
        let current = config.as_deref().is_some_and(|config| is_current(config, &state.lane));
        state.set_past(!current && !open.contains(id));
    }
}

/// Take the look-ahead from the ledger.
pub(crate) async fn load(cx: &Rc<Context>) {
    retire_lanes(cx).await;
    let now = cx.time.now().latest;
    let until = now.plus(HORIZON);
    let mut rows = cx.ledger.run(Urgency::End, move |books| books.ahead(until, ROWS_MAX)).await;
    if rows.as_ref().is_ok_and(|rows| rows.len() >= ROWS_MAX) {
        rows = load_beside_stalls(cx, now, until).await;
    }
    match rows {
        Ok(rows) => {
            cx.agenda.borrow_mut().reach(until);
            cx.take_in(rows);
        }
        Err(error) => tracing::error!(
            "cannot read what is due: {}; the look-ahead goes on",
            crate::fault::chain(&error)
        ),
    }
}

/// More is due than fits: what waits for a lane or a key must not keep the others out.
async fn load_beside_stalls(
    cx: &Rc<Context>,
    now: Time,
    until: Time,
) -> Result<Vec<Row>, LedgerError> {
    let mut stalls = Vec::new();
    for state in cx.lanes.borrow().values() {
        let lane = state.lane.id;
        let whole = state.stall.iter().filter(|stall| !state.passes(Op::End, stall));
        let whole = whole.map(|stall| (lane, Waiting::Lane, stall.clone()));
        let keys = state.keys.iter().filter_map(|((key, op), stall)| match op {
            Op::End => Some((lane, Waiting::Key(key.clone()), stall.clone())),
            Op::EndAdopted => Some((lane, Waiting::Adopted(key.clone()), stall.clone())),
            Op::Create | Op::List => None,
        });
        stalls.extend(whole.chain(keys));
    }
    let job = move |books: &mut Ledger| {
        for old in books.stalls()? {
            books.clear_stall(old.lane.id, &old.what)?;
        }
        for (lane, what, stall) in &stalls {
            let (class, detail) = (stall.class, stall.detail.as_str());
            // Out until the next load at least, also while its one try is under way.
            let until = stall.until.max(now.plus(LOAD_EVERY));
            books.set_stall(*lane, what, class, now, until, detail)?;
        }
        let mut rows = books.ahead_beside_stalls(until, ROWS_MAX, now)?;
        // One of each tries for all, or nobody would learn that it is mended.
        for (lane, what, _) in &stalls {
            rows.extend(books.one_of(*lane, what, until)?);
        }
        Ok(rows)
    };
    let rows = cx.ledger.run(Urgency::End, job).await?;
    let backlog = cx.backlog.borrow();
    cx.agenda.borrow_mut().clear(|id| backlog.holds(id));
    Ok(rows)
}

/// Remember the clocks, and tell the log the head of the chain. While nothing is open, nobody gains
/// by a clock that is set back over a reboot: an idle host's disk is left alone.
pub(crate) async fn note(cx: &Rc<Context>) {
    let (stored, noted) = (cx.time.remember(), cx.noted.get());
    let head = cx.ledger.run(Urgency::Work, move |books| {
        let head = books.head()?;
        if head.seq != noted || !books.open_lanes()?.is_empty() {
            books.set_clocks(&stored)?;
        }
        Ok(head)
    });
    match head.await {
        Ok(head) => {
            cx.noted.set(head.seq);
            tracing::info!(seq = head.seq, hash = %head.hex(), "head of the history");
        }
        Err(error) => tracing::error!("cannot note the clocks: {}", crate::fault::chain(&error)),
    }
}

fn ask_lanes(cx: &Rc<Context>, now: Time, doubt: bool) {
    let mut due = Vec::new();
    for state in cx.lanes.borrow_mut().values_mut() {
        let other = matches!(state.frozen, Some(Frozen::Identity { .. }));
        let every = if other { ASK_FROZEN } else { ASK_EVERY };
        let stale = state.asked_at.is_none_or(|at| now.since(at) >= every);
        // A lane that waits is asked too: its outage ends for us when it ends.
        let waits = state.stall.is_some();
        if (stale || doubt || waits) && !state.asking && !state.past {
            state.asking = true;
            due.push(Arc::clone(&state.lane));
        }
    }
    for lane in due {
        let task = Rc::clone(cx);
        cx.spawn(async move {
            ask(&task, &lane).await;
            // In doubt the guarded clock may stand still, so the pause is part of the question.
            let waits = task.lane(&lane, |state| state.stall.is_some()) == Some(true);
            if waits || task.time.judge().doubt.is_some() {
                task.rest(ASK_IN_DOUBT).await;
            }
            let now = task.time.now().latest;
            task.lane(&lane, |state| (state.asking, state.asked_at) = (false, Some(now)));
            task.wake.notify_one();
        });
    }
}

/// An end was denied: are we still who we were? (Not at each of many denials.)
pub(crate) fn ask_soon(cx: &Context, lane: &Lane) {
    let now = cx.time.now().latest;
    cx.lane(lane, |state| state.asked_at.take_if(|at| now.since(*at) >= ASK_FROZEN));
}

/// Who are we? Any answer at all carries AWS's date.
async fn ask(cx: &Rc<Context>, lane: &Arc<Lane>) {
    let answer = cx.kms.identity(lane).await;
    let Outcome::Done(identity) = &answer.outcome else {
        // STS is no part of an end: whether the lane waits is for KMS to say, which has a date too.
        cx.time_of(lane, &answer);
        let page = cx.kms.page(lane, Scope::Retirable, None).await;
        return cx.heard(lane, Op::List, None, Sent::default(), &page);
    };
    cx.heard(lane, Op::List, None, Sent::default(), &answer);
    if identity.account != lane.account.as_str() {
        let why = format!("the credentials belong to account {}", identity.account);
        let since = cx.time.now().latest;
        return freeze(cx, lane, Frozen::Identity { why, since });
    }
    compare(cx, lane, identity).await;
}

/// Compare who we are with who we were. Our own principal, made again, is accepted when nothing is
/// left that the old one made and that is owed an end; the ledger then has it. Nobody else is.
async fn compare(cx: &Rc<Context>, lane: &Arc<Lane>, identity: &Identity) {
    let now = cx.time.now().latest;
    let frozen = cx.lane(lane, |state| state.frozen.clone()).flatten();
    let since = match frozen {
        Some(Frozen::Identity { since, .. }) => since,
        Some(Frozen::Vanished(_)) | None => now,
    };
    let (id, unique_id) = (lane.id, identity.unique_id.clone());
    let ours = is_ours(lane, &identity.arn);
    let known = cx.ledger.run(Urgency::Work, move |books| {
        let known = books.identity(id)?;
        let changed = known.as_ref().is_some_and(|known| *known != unique_id);
        let frozen = changed && (!ours || books.owes_before(id, since)?);
        if !frozen && known.as_ref() != Some(&unique_id) {
            books.set_identity(id, &unique_id)?;
        }
        Ok((known.filter(|_| changed), frozen))
    });
    match known.await {
        Ok((Some(known), true)) => {
            let why = changed(lane, &known, identity);
            freeze(cx, lane, Frozen::Identity { why, since });
        }
        Ok((known, _)) => {
            let other = |frozen: &mut Frozen| matches!(frozen, Frozen::Identity { .. });
            let thawed = cx.lane(lane, |state| state.frozen.take_if(other)).flatten().is_some();
            if thawed || known.is_some() {
                tracing::info!(account = %lane.account, region = %lane.region, was = known,
                    is = identity.unique_id, "the identity behind the credentials is accepted");
                let body = serde_json::json!({ "account": lane.account, "region": lane.region,
                    "was": known, "is": identity.unique_id });
                cx.chronicle(None, "identity-accepted", "grantd", body);
            }
        }
        Err(error) => tracing::error!("cannot read the identity: {}", crate::fault::chain(&error)),
    }
}

/// Whether the ARN of an identity is that of the lane's retiring principal, or of a session of it
/// (which lacks the role's path).
fn is_ours(lane: &Lane, arn: &str) -> bool {
    let own = &lane.retiring_principal;
    let session = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    own.as_str() == arn || (own.as_str().contains(":role/") && session == Some(own.short()))
}

fn changed(lane: &Lane, was: &str, identity: &Identity) -> String {
    let Identity { arn, unique_id: is, .. } = identity;
    if !is_ours(lane, arn) {
        return format!(
            "the identity behind the credentials changed from {was} to {is}, {arn}, which is not \
             {}: give grantd its own credentials back",
            lane.retiring_principal
        );
    }
    let what_to_do = match &lane.ways.revoke_role {
        Some(role) => format!("they are revoked as {role}"),
        None => "set `revoke-role-arn` in its [[account]] and restart grantd, or revoke by hand \
                 what stays overdue (docs/recovery.md)"
            .to_owned(),
    };
    format!(
        "the identity behind the credentials changed from {was} to {is}: a role that was made again \
         cannot retire the grants of the old one; {what_to_do}"
    )
}

fn lanes(cx: &Context) -> Vec<Arc<Lane>> {
    let lanes = cx.lanes.borrow();
    lanes.values().filter(|state| !state.past).map(|state| Arc::clone(&state.lane)).collect()
}

/// A failure is told here, well before a deadline needs the credentials; the next call finds it out
/// for itself.
async fn warm(cx: &Rc<Context>, lane: &Arc<Lane>) {
    let answer = cx.kms.warm(lane).await;
    let failed =
        answer.outcome.class().map(|_| answer.detail.unwrap_or_else(|| "no answer".to_owned()));
    let before = cx.lane(lane, |state| std::mem::replace(&mut state.unrefreshed, failed.clone()));
    match (before.flatten(), failed) {
        (before, Some(detail)) if before.as_ref() != Some(&detail) => {
            tracing::warn!(account = %lane.account, region = %lane.region,
                "the credentials cannot be refreshed: {detail}");
        }
        (Some(_), None) => tracing::info!(account = %lane.account, region = %lane.region,
            "the credentials can be refreshed again"),
        (Some(_) | None, Some(_) | None) => {}
    }
}

async fn renew_proofs(cx: &Rc<Context>) {
    for lane in lanes(cx) {
        if !super::desk::probes(cx, &lane) {
            continue;
        }
        let id = lane.id;
        let keys = cx.ledger.run(Urgency::Work, move |books| books.live_keys(id, None)).await;
        for key in keys.unwrap_or_default() {
            if let Err(fault) = cx.prove(&lane, &key).await {
                tracing::error!(%key, "the way out is not proven any more: {fault}");
                let body = serde_json::json!({ "key": key, "why": fault.text });
                cx.chronicle(fault.lease, "no-way-out", "grantd", body);
            }
        }
    }
}
