//! The state of the daemon, for `grantd status`.

use std::rc::Rc;

use super::context::{Context, ledger_fault};
use crate::fault::Fault;
use crate::ids::KeyArn;
use crate::kms::Lane;
use crate::ledger::Urgency;
use crate::rules::clocks::Doubt;
use crate::rules::life::Class;
use crate::rules::time::{SECOND, Time};
use crate::wire::{AdoptionHold, KeyOff, LaneStatus, MovedAlias, Status, Wait};

use super::lane::{LaneState, Search, Stall};
use super::metrics::Extra;
use super::survey::{Doubtful, count, is_gone};

/// So many overdue grants are listed; the count tells the rest.
const OVERDUE_SHOWN: usize = 100;
/// More grants of others than this name our role by no mistake: ten pages of them.
const STRANGERS_MANY: i64 = 1_000;

/// Put it together: the ledger's counts, and what the engine remembers.
pub(crate) async fn status(cx: &Rc<Context>) -> Result<Status, Fault> {
    let judged = cx.time.judge();
    let now = cx.time.shown();
    let read = cx.ledger.run(Urgency::Work, move |books| {
        let (overdue, overdue_count) = books.overdue(now, OVERDUE_SHOWN)?;
        let head = books.head()?.hex();
        let standing = (books.freezes()?, books.holds(now)?);
        let drift =
            (books.moved_aliases()?, books.keys_off()?, books.missing()?, books.found_live()?);
        Ok((books.counts()?, books.next_deadline()?, overdue, overdue_count, head, standing, drift))
    });
    let (counts, next_deadline, overdue, overdue_count, head, (freezes, mut holds), drift) =
        read.await.map_err(ledger_fault)?;
    for hold in &mut holds {
        hold.grants = hold.policy.as_ref().map_or(hold.grants, |policy| cx.unadopted.of(policy));
    }
    let (lanes, doubtful) = (cx.lanes.borrow(), cx.doubtful.borrow());
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        health: 0,
        alarms: Vec::new(),
        end_only: cx.end_only().map(|end_only| end_only.why),
        config_problem: cx.reloading.problem(),
        freezes,
        started_at: cx.started_at.get(),
        now,
        counts,
        next_deadline,
        overdue,
        overdue_count,
        waits: lanes.values().flat_map(waits).collect(),
        lanes: lanes.iter().map(|(id, lane)| lane_status(lane, doubtful.get(id))).collect(),
        history_head: head,
        unproven: doubtful.values().map(|seen| seen.unproven).sum(),
        strangers: doubtful.values().map(|seen| seen.strangers).sum(),
        rogues: doubtful.values().map(|seen| seen.rogues).sum(),
        impostors: doubtful.values().map(|seen| seen.impostors).sum(),
        strays: doubtful.values().map(|seen| seen.strays).sum(),
        found: drift.3,
        holds,
        moved_aliases: drift.0,
        keys_off: drift.1,
        missing: drift.2,
        adoptable: cx.unadopted.all(),
        refused_today: count(doubtful.values().map(|seen| seen.refused_today.len()).sum()),
        grantees_gone: count(doubtful.values().map(|seen| ghosts(seen, now)).sum()),
    };
    drop((lanes, doubtful));
    for finding in cx.findings.borrow().iter() {
        status.health = 2;
        status.alarms.push(finding.clone());
    }
    judge(&mut status, judged.doubt, cx.backlog.borrow().len());
    Ok(status)
}

/// The same and the counters, for Prometheus.
pub(crate) async fn metrics(cx: &Rc<Context>) -> Result<String, Fault> {
    let status = status(cx).await?;
    let extra = Extra {
        doubt: cx.time.judge().doubt.is_some(),
        unwritten: cx.backlog.borrow().len(),
        full: cx.ledger.is_full(),
    };
    cx.metrics.render(&status, &extra)
}

fn not_taken(at: Time) -> String {
    format!(
        "the configuration's file was not taken at {at}, and the one before is in force: see \
         `config-problem`, mend the file and `grantd reload`"
    )
}

/// Health and its reasons: 2 where a promise is broken or creates are refused, 1 where somebody
/// should look.
fn judge(status: &mut Status, doubt: Option<Doubt>, unwritten: usize) {
    let mut raise = |health: u8, alarm: String| {
        status.health = status.health.max(health);
        status.alarms.push(alarm);
    };
    if status.end_only.is_some() {
        raise(2, "grantd only ends leases, creates are refused: see `end-only`".to_owned());
    }
    if let Some(problem) = status.config_problem.as_ref().filter(|_| status.end_only.is_none()) {
        raise(1, not_taken(problem.at));
    }
    if status.overdue_count > 0 {
        raise(
            2,
            format!("{} past the deadline and not ended: see `overdue`", status.overdue_count),
        );
    }
    for freeze in &status.freezes {
        let (id, scope, by) = (freeze.id, &freeze.scope, &freeze.by.name);
        let text = format!(
            "{scope} is frozen by {by} since {}: no lease is made there; `grantd unfreeze {id}` \
             lifts it",
            freeze.at
        );
        raise(1, text);
    }
    for wait in &status.waits {
        let what = wait.key_arn.as_ref().map_or("the lane", KeyArn::as_str);
        let text = format!(
            "{} {}: {what} waits ({} tries): {}; {}",
            wait.account,
            wait.region,
            wait.tries,
            wait.detail,
            remedy(wait.class)
        );
        raise(1, text);
    }
    for lane in status.lanes.iter().filter(|lane| lane.frozen.is_some()) {
        let why = lane.frozen.as_deref().unwrap_or_default();
        raise(1, format!("{} {}: nothing is closed there: {why}", lane.account, lane.region));
    }
    for lane in &status.lanes {
        if let Some(why) = &lane.unrefreshed {
            let text = "the credentials cannot be refreshed, those in hand serve until they expire";
            raise(1, format!("{} {}: {text}: {why}", lane.account, lane.region));
        }
    }
    match doubt {
        Some(Doubt::WallAlone(ms)) => {
            let text = format!("the host's clock is off by {} s: set it", ms.abs() / SECOND);
            raise(1, text);
        }
        Some(Doubt::DateAlone(ms)) => {
            let off = ms.abs() / SECOND;
            raise(1, format!("an answer of AWS is dated {off} s off: it is asked again"));
        }
        Some(Doubt::Unconfirmed) if !status.lanes.is_empty() => {
            raise(1, "AWS has not confirmed the clock yet: creates are refused".to_owned());
        }
        Some(Doubt::Unconfirmed) | None => {}
    }
    if unwritten > 0 {
        raise(1, format!("{unwritten} grants wait to be recorded: check the disk of the ledger"));
    }
    changed(status);
    strange(status);
    forged(status);
}

/// Grants that somebody made in grantd's name, or that only look so.
fn forged(status: &mut Status) {
    for (count, text) in [
        (
            status.rogues,
            "grants name grantd's role as their retiring principal, and grantd did not make them \
             (rogues): grantd leaves them alone; the log has each with the command that ends it",
        ),
        (
            status.impostors,
            "grants bear the ref of a lease and give something else (impostors): they end at the \
             deadlines of their own Names; the log has each with the command that ends it now",
        ),
        (
            status.strays,
            "grants bear a Name of this group, and this host, which is the only one (`hosts = 1`), \
             did not make them (strays): they end at the deadlines of their Names; the log has each",
        ),
    ] {
        if count > 0 {
            status.health = 2;
            status.alarms.push(format!("{count} {text}"));
        }
    }
    for lane in status.lanes.iter().filter(|lane| lane.incomplete) {
        status.health = status.health.max(1);
        status.alarms.push(format!(
            "{} {}: the search is incomplete: KMS did not list all grants that grantd's role may \
             retire, so grantd searched only the keys that the policies name; check \
             kms:ListRetirableGrants, and `strangers`",
            lane.account, lane.region
        ));
    }
}

/// What waits for a person to look at it, or is not as it was.
fn changed(status: &mut Status) {
    let held = status.holds.iter().map(held);
    let moved = status.moved_aliases.iter().map(told_moved);
    let off = status.keys_off.iter().map(|KeyOff { key_arn, state, since }| {
        let text = "its leases give no access meanwhile, and end at their deadlines";
        format!("{key_arn} is {state} since {since}: {text}")
    });
    let alarms: Vec<String> = held.chain(moved).chain(off).collect();
    if !alarms.is_empty() {
        status.health = status.health.max(1);
        status.alarms.extend(alarms);
    }
}

/// What the searches saw that is not as it should be.
fn strange(status: &mut Status) {
    let mut raise = |count: i64, text: &str| {
        status.health = status.health.max(1);
        status.alarms.push(format!("{count} {text}"));
    };
    if status.missing > 0 {
        let text = "grants are listed by KMS no more before their deadlines: somebody else has \
                    ended them (`grantd history`: missing)";
        raise(status.missing, text);
    }
    if status.unproven > 0 {
        let text = "grants bear our name but are not provably ours: left alone, see the log";
        raise(status.unproven, text);
    }
    if status.strangers > STRANGERS_MANY {
        let text = "grants on keys of accounts that grantd does not serve name its role as \
                    retiring principal: somebody floods it; they are left alone, and cost listings";
        raise(status.strangers, text);
    }
    if status.refused_today > 0 {
        let text = "open leases are such as no policy would give today: they end at their \
                    deadlines, or now by `grantd revoke` (`grantd history`: refused-today)";
        raise(status.refused_today, text);
    }
    if status.grantees_gone > 0 {
        let text = "open leases are of a grantee that was deleted, or made again: they give \
                    access to nobody, and end at their deadlines (`grantd history`: grantee-gone)";
        raise(status.grantees_gone, text);
    }
}

fn told_moved(moved: &MovedAlias) -> String {
    let MovedAlias { account, region, alias, was, is, since } = moved;
    format!(
        "{account} {region}: {alias} points at {is} since {since}, and no more at {was}: it names \
         neither until `grantd accept-alias {alias}`"
    )
}

fn held(hold: &AdoptionHold) -> String {
    let AdoptionHold { policy, key_arn, since, grants } = hold;
    match (policy, key_arn) {
        (Some(policy), _) => format!(
            "policy {policy} is held since {since}, and adopts nothing: {grants} grants of others \
             wait; `grantd scan` shows them, `grantd resume --policy {policy}` lets them end"
        ),
        (None, key) => {
            let key = key.as_ref().map_or("?", KeyArn::as_str);
            format!(
                "the brake holds adopted grants of {key} since {since}: so many ended within a day; \
                 {grants} are past their deadline; `grantd resume --key {key}` lets them end"
            )
        }
    }
}

/// Leases of a lane whose grantee is gone.
fn ghosts(seen: &Doubtful, now: Time) -> usize {
    seen.ghosts.values().filter(|since| is_gone(**since, now)).count()
}

fn remedy(class: Class) -> &'static str {
    match class {
        Class::Unavailable => "check the network and the endpoint",
        Class::Credentials => "check the daemon's AWS credentials",
        Class::Denied => "give grantd's role the permission that is named",
        Class::KeyState => "enable the key",
        Class::Throttled => "raise KMS's request quota, or lower `rates`",
        Class::NotFound | Class::BadToken | Class::Quota | Class::Invalid => "see the log",
    }
}

fn waits(state: &LaneState) -> Vec<Wait> {
    let lane = state.stall.iter().map(|stall| wait(&state.lane, None, stall));
    let keys = state.keys.iter().map(|((key, _), stall)| wait(&state.lane, Some(key), stall));
    lane.chain(keys).collect()
}

fn wait(lane: &Lane, key: Option<&KeyArn>, stall: &Stall) -> Wait {
    Wait {
        account: lane.account.clone(),
        region: lane.region.clone(),
        key_arn: key.cloned(),
        class: stall.class,
        since: stall.since,
        tries: stall.tries,
        until: stall.until,
        detail: stall.detail.clone(),
    }
}

fn lane_status(state: &LaneState, seen: Option<&Doubtful>) -> LaneStatus {
    let incomplete = seen.is_some_and(|seen| seen.incomplete);
    LaneStatus {
        account: state.lane.account.clone(),
        region: state.lane.region.clone(),
        endpoint: state.lane.endpoint.clone(),
        retiring_principal: state.lane.retiring_principal.clone(),
        answered_at: state.answered_at,
        answer: state.answer.clone(),
        ends_per_second: state.ends_per_second(),
        frozen: state.frozen.as_ref().map(|frozen| frozen.why().to_owned()),
        unrefreshed: state.unrefreshed.clone(),
        searching: state.search == Search::UnderWay,
        incomplete,
    }
}
