//! Another configuration in place of the one in force, or nothing at all.
//!
//! The file is read beside the engine's thread. It is refused where it would strand a lease: what
//! ends a grant stands in the ledger, but an account, Region, role or group that the file no longer
//! names is as a rule a slip. First the ledger has the lanes and the history row, then the file is
//! in force; a crash in between comes to the same, since a start reads the file anew. What was
//! decided by the old file and is not recorded yet is refused (`Context::ready`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use serde_json::json;
use tokio::sync::watch;

use super::adopt;
use super::context::{Context, is_current, ledger_fault};
use super::desk::actor;
use super::freeze::governs;
use super::lane::{LaneState, Search};
use super::run::facts;
use super::{Caller, EndOnly, find, keep};
use crate::config::change::{AT_START, Change, Subject, between};
use crate::config::{Config, Rates};
use crate::fault::{Fault, Kind};
use crate::ids::Group;
use crate::ledger::{Ledger, LedgerError, Urgency};
use crate::rules::life::Origin;
use crate::rules::name::Name;
use crate::rules::time::Time;
use crate::wire::{Changed, ConfigProblem, Lease, ListLeases, Reload, Reloaded};

/// Reads the file, beside the engine's thread.
pub type Load = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<Config, Fault>>>;

/// What a reload needs, and what the last one left.
pub(crate) struct Reloading {
    /// One at a time: each compares with what the one before has put in force.
    turn: tokio::sync::Mutex<()>,
    /// `None` where there is no file.
    pub(super) load: RefCell<Option<Load>>,
    /// Who reads without asking the engine.
    pub(super) told: RefCell<Option<watch::Sender<Option<Arc<Config>>>>>,
    /// What came of the last file, where it was not taken.
    problem: RefCell<Option<ConfigProblem>>,
}

impl Reloading {
    pub(crate) fn new(end_only: Option<&EndOnly>, at: Time) -> Self {
        let problem = end_only.and_then(|end_only| end_only.problem.clone());
        Self {
            turn: tokio::sync::Mutex::default(),
            load: RefCell::default(),
            told: RefCell::default(),
            problem: RefCell::new(problem.map(|text| ConfigProblem { at, text })),
        }
    }

    /// The file that was not taken, and why.
    pub(crate) fn problem(&self) -> Option<ConfigProblem> {
        self.problem.borrow().clone()
    }
}

/// Take the file anew. Refused whole, it leaves everything as it was.
pub(crate) async fn reload(
    cx: &Rc<Context>,
    caller: Option<&Caller>,
    request: Reload,
) -> Result<Reloaded, Fault> {
    if let Some(caller) = caller {
        governs(cx, caller, "reload the configuration", json!({}))?;
    }
    let by = caller.map_or_else(|| "SIGHUP".to_owned(), actor);
    let _turn = cx.reloading.turn.lock().await;
    if cx.stopping.get() {
        return Err(Fault::new(
            Kind::Stopping,
            "grantd is stopping: its next start reads the file",
        ));
    }
    let taken = take(cx, &by, request.dry_run).await;
    if let Err(fault) = &taken
        && !request.dry_run
        && matches!(fault.kind, Kind::Config | Kind::WouldStrand)
    {
        tracing::error!(by, "the configuration is not taken, and nothing changes:\n{}", fault.text);
        let at = cx.time.shown();
        let text = fault.text.clone();
        *cx.reloading.problem.borrow_mut() = Some(ConfigProblem { at, text });
        let why = fault.text.lines().next().unwrap_or_default();
        let body = json!({ "fault": fault.kind.code(), "why": why });
        cx.chronicle(None, "reload-refused", &by, body);
    }
    taken
}

async fn take(cx: &Rc<Context>, by: &str, dry_run: bool) -> Result<Reloaded, Fault> {
    let load = cx.reloading.load.borrow().clone();
    let Some(load) = load else {
        return Err(Fault::new(Kind::Config, "this daemon was given no file to read"));
    };
    let new = Arc::new(load().await?);
    let open = open_leases(cx, &new).await?;
    strands(cx, &new, &open).await?;
    let old = cx.config();
    let changes = old.as_deref().map_or_else(Vec::new, |old| between(old, &new));
    let makes_again = cx.end_only().is_some_and(|end_only| !end_only.lasting);
    let reloaded = Reloaded {
        config: new.path.clone(),
        dry_run,
        makes_again,
        changes: changes.iter().map(|change| open.changed(change)).collect(),
        open_leases: open.all,
        warnings: new.warnings.lines().collect(),
    };
    if !dry_run {
        record(cx, by, &new, &reloaded).await?;
        put_in_force(cx, new).await?;
        *cx.reloading.problem.borrow_mut() = None;
        tracing::info!(by, changes = changes.len(), makes_again, "the configuration is taken");
    }
    Ok(reloaded)
}

/// The open leases, counted by what a change may concern.
#[derive(Debug, Default)]
struct Open {
    all: u64,
    of_policy: BTreeMap<String, u64>,
    of_account: BTreeMap<String, u64>,
    /// A group under which one lives, and that the new file does not name.
    other: Option<Group>,
}

impl Open {
    fn count(&mut self, lease: &Lease) {
        self.all += 1;
        *self.of_account.entry(lease.account.to_string()).or_default() += 1;
        if let Some(policy) = &lease.policy {
            *self.of_policy.entry(policy.clone()).or_default() += 1;
        }
    }

    fn changed(&self, change: &Change) -> Changed {
        let Change { subject, key, was, is } = change;
        let count = |counts: &BTreeMap<String, u64>, name| counts.get(name).copied().unwrap_or(0);
        let (what, leases) = match subject {
            Subject::File => ("daemon".to_owned(), self.all),
            Subject::Access => ("access".to_owned(), self.all),
            Subject::Account(id) => (format!("account {id}"), count(&self.of_account, id)),
            Subject::Policy(name) => (format!("policy {name}"), count(&self.of_policy, name)),
        };
        let means = match leases > 0 || AT_START.contains(key) {
            true => means(subject, key, is.is_none()),
            false => None,
        };
        let (key, means) = ((*key).to_owned(), means.map(str::to_owned));
        Changed { what, key, was: was.clone(), is: is.clone(), leases, means }
    }
}

/// What a change means for what lives: an end, as such, stands in the ledger and never changes.
fn means(subject: &Subject, key: &str, gone: bool) -> Option<&'static str> {
    match (subject, key) {
        (Subject::Policy(_), "") if gone => {
            Some("they end at their deadlines, and cannot be extended")
        }
        (Subject::Policy(_), "max-ttl" | "max-extensions" | "operations" | "keys" | "grantees") => {
            Some("their deadlines stay; an extension goes by the new value")
        }
        (Subject::Policy(_), "own" | "callers") => Some("who may extend and revoke them"),
        (Subject::Policy(_), "max-live" | "max-live-per-asker") => Some("they count"),
        (Subject::Account(_), "profile" | "session-name" | "revoke-role-arn") => {
            Some("they are ended with these credentials from now on")
        }
        (Subject::Account(_), "proxy") => Some("they are ended by this way from now on"),
        (Subject::Account(_), "rates" | "hosts") => Some("their ends are sent at this pace"),
        (Subject::Access, _) => Some("who may see, extend and end them"),
        (Subject::File, "settle") => Some("new ones alone"),
        (Subject::File, key) if AT_START.contains(&key) => Some("takes a restart of the daemon"),
        _ => None,
    }
}

/// All open leases, page by page: no read holds up what is to be written.
async fn open_leases(cx: &Rc<Context>, new: &Arc<Config>) -> Result<Open, Fault> {
    let (mut open, mut after) = (Open::default(), None);
    loop {
        let list = ListLeases { after: after.take(), ..ListLeases::default() };
        let read = move |books: &mut Ledger| books.leases(&list, None, Time(0));
        let page = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
        // A proof of the way out is nobody's lease.
        for lease in page.items.iter().filter(|lease| lease.origin != Origin::Probe) {
            open.count(lease);
        }
        open.other = open.other.or_else(|| other_group(new, &page.items));
        after = page.next;
        if after.is_none() {
            return Ok(open);
        }
    }
}

/// A group under whose Names one of these leases lives, and that the file does not name.
#[must_use]
pub fn other_group(config: &Config, leases: &[Lease]) -> Option<Group> {
    let names = leases.iter().flat_map(|lease| &lease.grants).filter_map(|g| g.name.as_ref());
    let mut groups = names.filter_map(|name| Name::parse(name).ok());
    let known = |group: &Group| *group == config.group || config.former_groups.contains(group);
    groups.find(|name| !known(name.group())).map(|name| name.group().clone())
}

/// Refuse a file that no longer names where something lives.
async fn strands(cx: &Rc<Context>, new: &Config, open: &Open) -> Result<(), Fault> {
    let hint = "name it again until they have ended, or end them first: `grantd revoke`";
    let refuse = |text: String| Err(Fault::new(Kind::WouldStrand, text).hint(hint));
    let lanes: Vec<_> = cx.lanes.borrow().values().map(|state| Arc::clone(&state.lane)).collect();
    for lane in lanes.into_iter().filter(|lane| !is_current(new, lane)) {
        let id = lane.id;
        let keys = cx.ledger.run(Urgency::Work, move |books| books.live_keys(id, None)).await;
        if !keys.map_err(ledger_fault)?.is_empty() {
            return refuse(format!(
                "leases live in account {}, Region {}, under {}, and {} no longer names those",
                lane.account, lane.region, lane.retiring_principal, new.path
            ));
        }
    }
    match &open.other {
        Some(was) => refuse(format!(
            "leases live under the group {was}, and {} says {}; name {was} among its \
             `former-groups`",
            new.path, new.group
        )),
        None => Ok(()),
    }
}

/// The ledger's part, in one commit: the lanes, and who changed what.
async fn record(
    cx: &Rc<Context>,
    by: &str,
    new: &Arc<Config>,
    reloaded: &Reloaded,
) -> Result<(), Fault> {
    let lanes: Vec<_> = new.lanes().map(|(_, lane)| facts(lane)).collect();
    let (now, by) = (cx.time.now(), by.to_owned());
    let body = json!({ "config": reloaded.config, "makes-again": reloaded.makes_again,
        "changes": reloaded.changes });
    let job = move |books: &mut Ledger| -> Result<(), LedgerError> {
        books.reload(&lanes, now.latest, &by, &body)
    };
    cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)
}

/// From here on the new file decides. Lanes keep what they remember; new ones begin.
async fn put_in_force(cx: &Rc<Context>, new: Arc<Config>) -> Result<(), Fault> {
    let read = |books: &mut Ledger| books.lanes();
    let lanes = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
    for lane in lanes {
        let account = new.account(lane.account.as_str());
        let rates = account.map_or_else(Rates::default, |account| account.pace());
        let mut states = cx.lanes.borrow_mut();
        match states.get_mut(&lane.id) {
            Some(state) => state.renew(lane, rates),
            None => drop(states.insert(lane.id, LaneState::new(lane, rates))),
        }
    }
    cx.put_in_force(Arc::clone(&new));
    if let Some(told) = &*cx.reloading.told.borrow() {
        told.send_replace(Some(Arc::clone(&new)));
    }
    adopt::enforce(cx, &new).await;
    begin_searches(cx, &new);
    // What is ahead was read with the lanes as they were. It stays until it is read again: a disk
    // that stalls just now must not stop an end.
    keep::load(cx).await;
    cx.wake.notify_one();
    Ok(())
}

/// Search each lane that the file names, where nobody does yet.
pub(super) fn begin_searches(cx: &Rc<Context>, config: &Config) {
    let mut begun = Vec::new();
    for state in cx.lanes.borrow_mut().values_mut() {
        if state.search == Search::None && is_current(config, &state.lane) {
            state.search = Search::UnderWay;
            begun.push(state.lane.id);
        }
    }
    for lane in begun {
        cx.spawn(find::search(Rc::clone(cx), lane));
    }
}
