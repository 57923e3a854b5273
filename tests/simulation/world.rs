//! One seed's world: KMS, the network, the people, and a daemon that dies again and again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use grantd::config::Config;
use grantd::engine::{Command, Engine, Load, Ports, Refusals};
use grantd::fault::{Fault, Kind};
use grantd::ids::Ref;
use grantd::ledger::Handle;
use grantd::rng::Rng as _;
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use kms_sandbox::{GrantTruth, Op, Propagation, Story, StoryOptions};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::actors::Told;
use crate::check::{at_the_end, books_agree};
use crate::clock::{START, SimClock, SimRng, pause};
use crate::disk::{self, Disk, Image};
use crate::figures::{Figures, hash};
use crate::file;
use crate::foreign::foreign_grants;
use crate::forger::Forger;
use crate::good::{Goods, Trouble};
use crate::guests::{self, Guests};
use crate::happen::happen;
use crate::host::{self, Down};
use crate::kms::{Net, SimKms};
use crate::script::Event;
use crate::sleep::Sleep;
use crate::standby;

/// How long it takes until all is closed: the longest lease, twice the settle time for what
/// vanished, and what keeps a look from being made.
const WIND_DOWN: i64 = HOUR + 2 * 11 * MINUTE + 15 * MINUTE;
/// After a rollback what the ledger lacks is searched for again and again: every minute at first.
pub(crate) const SEARCH: i64 = 75 * SECOND;

pub(crate) struct World {
    pub(crate) seed: u64,
    /// How long things happen, in ms; then all is well, and comes to its end.
    pub(crate) day: i64,
    pub(crate) net: Rc<Net>,
    pub(crate) key_arn: String,
    pub(crate) alias: String,
    /// What is not ours, as it was made.
    pub(crate) foreign: RefCell<BTreeMap<String, GrantTruth>>,
    /// The greatest lag of the views, in ms.
    pub(crate) propagation: u32,
    /// How often the hosts search for what they do not know of, in ms.
    pub(crate) reconcile: i64,
    pub(crate) goods: Goods,
    /// The ledger of the host that stands by, if there is one.
    pub(crate) other: RefCell<Option<Handle>>,
    pub(crate) engine: RefCell<Option<mpsc::Sender<Command>>>,
    pub(crate) ledger: RefCell<Option<Handle>>,
    /// The leases that each asker was told of.
    told: RefCell<BTreeMap<u32, Vec<Ref>>>,
    /// What each idempotency key got.
    keyed: RefCell<BTreeMap<(u32, u64), Ref>>,
    /// The refs of those whose end was asked for.
    pub(crate) revoked: RefCell<BTreeSet<String>>,
    /// The refs of those whose deadline somebody wanted changed.
    pub(crate) changed: RefCell<BTreeSet<String>>,
    /// Of these nobody was told that it was done: a power cut may have taken the wish with it.
    pub(crate) unanswered: RefCell<BTreeSet<Ref>>,
    /// When the ledger was put back last: what was known may be forgotten.
    pub(crate) restored: Cell<Option<i64>>,
    /// How far the wall clock ran ahead and was believed: clocks so close agree, and the latest of
    /// those that agree decides.
    pub(crate) ahead: Cell<i64>,
    /// What comes after the next crash.
    pub(crate) down: RefCell<Option<Down>>,
    pub(crate) sleep: Sleep,
    pub(crate) disk: Disk,
    /// What the ledger was, by name.
    pub(crate) backups: RefCell<BTreeMap<i64, Image>>,
    figures: RefCell<Figures>,
    pub(crate) max_ttl: Rc<Cell<&'static str>>,
    /// Whether the policy gives nothing any more.
    pub(crate) narrowed: Cell<bool>,
    /// Whether a policy adopts.
    adopts: bool,
    pub(crate) guests: Guests,
    pub(crate) forger: Forger,
    pub(crate) dir: TempDir,
}

/// Where the ledgers are kept: in memory where the system has such a place; what SQLite writes goes
/// to a simulated disk.
pub(crate) fn scratch() -> TempDir {
    // Before any ledger is opened: the next opening must find what the first one wrote.
    disk::insert();
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("grantd-sim-").tempdir_in(root).unwrap()
}

/// The trace of a run, also of one that failed.
pub(crate) type Trace = Rc<RefCell<Vec<String>>>;

impl World {
    /// This script of so many ms under the seed's chances; `trace` has what happened, also where
    /// it failed.
    pub(crate) fn play(seed: u64, script: Vec<Event>, day: i64, trace: &Trace) -> Figures {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let outer = LocalSet::new();
        let figures = runtime.block_on(outer.run_until(live(seed, script, day, Rc::clone(trace))));
        drop(outer);
        figures
    }

    fn new(seed: u64, script: &[Event], day: i64, trace: Trace) -> Self {
        let rng = SimRng::new(!seed);
        let clock = SimClock::ticking(nap(&rng));
        // Most seeds have the propagation of a good day, some that of a bad one.
        let propagation = match rng.up_to(9) {
            0..=5 => 2_000,
            6..=8 => 30_000,
            _ => 240_000,
        };
        let options = StoryOptions {
            seed,
            propagation: Propagation { min_ms: 0, max_ms: propagation },
            ..StoryOptions::default()
        };
        let mut story = Story::new(options, START);
        let settings = story.core.settings_mut();
        settings.unconfirmed.twins_before_propagation = rng.chance(500);
        settings.quotas =
            Op::ALL.iter().filter_map(|op| Some((*op, op.default_quota()?))).collect();
        let foreign = foreign_grants(&mut story);
        let (key_arn, alias) = (story.key_arn.clone(), story.alias.to_owned());
        let dir = scratch();
        Self {
            seed,
            day,
            net: Net::tracing(story, clock, rng, trace),
            key_arn,
            alias,
            foreign: RefCell::new(foreign),
            propagation,
            reconcile: file::reconcile(seed),
            goods: Goods::default(),
            other: RefCell::default(),
            engine: RefCell::default(),
            ledger: RefCell::default(),
            told: RefCell::default(),
            keyed: RefCell::default(),
            revoked: RefCell::default(),
            changed: RefCell::default(),
            unanswered: RefCell::default(),
            restored: Cell::default(),
            ahead: Cell::default(),
            down: RefCell::default(),
            sleep: Sleep::default(),
            disk: host::disk(&dir.path().join("state"), seed),
            backups: RefCell::default(),
            figures: RefCell::default(),
            max_ttl: Rc::new(Cell::new("1h")),
            narrowed: Cell::default(),
            adopts: guests::come(script),
            guests: Guests::default(),
            forger: Forger::default(),
            dir,
        }
    }

    /// So many ms since the beginning.
    pub(crate) fn elapsed(&self) -> i64 {
        self.net.clock.now() - START
    }

    pub(crate) fn told(&self, uid: u32, key: Option<u64>, told: Told) {
        let mut figures = self.figures.borrow_mut();
        let reference = match told {
            Told::Made(reference) => {
                figures.granted += 1;
                reference
            }
            Told::Recorded(reference) => {
                figures.recorded += 1;
                reference
            }
        };
        if let Some(key) = key {
            let mut keyed = self.keyed.borrow_mut();
            let first = keyed.entry((uid, key)).or_insert_with(|| reference.clone());
            let rolled_back = self.restored.get().is_some();
            let seed = self.seed;
            assert!(*first == reference || rolled_back, "seed {seed}: one key, two leases");
        }
        let mut told = self.told.borrow_mut();
        let mine = told.entry(uid).or_default();
        // A repeat under its key is the same lease.
        if mine.last() != Some(&reference) {
            mine.push(reference);
        }
    }

    /// The n-th that this asker was told of, counted from the last.
    pub(crate) fn nth(&self, uid: u32, nth: usize) -> Option<Ref> {
        let told = self.told.borrow();
        let mine = told.get(&uid).filter(|mine| !mine.is_empty())?;
        Some(mine[mine.len() - 1 - nth % mine.len()].clone())
    }

    /// Every lease that anybody was told of.
    pub(crate) fn promised(&self) -> Vec<Ref> {
        self.told.borrow().values().flatten().cloned().collect()
    }

    pub(crate) fn reloaded(&self) {
        self.figures.borrow_mut().reloaded += 1;
    }

    pub(crate) fn extended(&self, anew: bool) {
        self.figures.borrow_mut().extended += usize::from(anew);
    }

    pub(crate) fn refused(&self, fault: &Fault) {
        assert!(fault.kind != Kind::Bug, "seed {}: {fault}", self.seed);
        *self.figures.borrow_mut().refused.entry(fault.kind.code()).or_default() += 1;
    }

    pub(crate) fn fall(&self, down: Down) {
        self.down.replace(Some(down));
        self.net.crash.notify_one();
    }

    /// Where the ledger lies.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Keep what the ledger is now.
    pub(crate) fn back_up(&self, name: i64) {
        self.backups.borrow_mut().insert(name, self.disk.image());
    }

    /// One life of the daemon, until it dies or all is over.
    async fn daemon(self: &Rc<Self>) -> Option<Down> {
        let Some(ledger) = host::open(self).await else {
            let down = self.down.take().unwrap_or_default();
            host::fell(self, &down).await;
            return Some(down);
        };
        let ledger = Handle::inline(ledger);
        *self.ledger.borrow_mut() = Some(ledger.clone());
        books_agree(self).await;
        let (engine, commands) = mpsc::channel(64);
        *self.engine.borrow_mut() = Some(engine);
        // A set of its own: dropping it is the crash, with all that was under way.
        let inside = LocalSet::new();
        let net = Rc::clone(&self.net);
        let kms = Rc::new(SimKms { net, ledger: ledger.clone(), first: true });
        let (clock, rng) = (Rc::clone(&self.net.clock), SimRng::new(self.net.rng.next_u64()));
        let refusals = Refusals::default();
        let ports = Ports { kms, clock, rng, ledger, refusals };
        let config = Some(Arc::new(self.configured(self.max_ttl.get())));
        let file = Rc::clone(self);
        let load: Load =
            Rc::new(move || Box::pin(std::future::ready(Ok(file.configured(file.max_ttl.get())))));
        let (told, _) = watch::channel(None);
        let life = async move {
            // Without its ledger it does not start, and is started again.
            let engine = Engine::new(ports, config, None).await?.reloading(load, told);
            engine.run(commands, |_| {}, std::future::pending()).await;
            Ok(())
        };
        let fell = tokio::select! {
            biased;
            () = self.net.crash.notified() => Some(self.down.take().unwrap_or_default()),
            () = host::dark(&self.disk) => Some(self.down.take().unwrap_or_default()),
            () = pause(self.day + WIND_DOWN + self.reconcile - self.elapsed()) => None,
            ended = self.sleep.while_awake(inside.run_until(life)) => {
                let ended: Result<(), Fault> = ended;
                assert!(self.disk.is_ill(), "seed {}: it stopped: {ended:?}", self.seed);
                Some(Down { ms: SECOND, ..Down::default() })
            }
        };
        if fell.is_none() {
            at_the_end(self).await;
        }
        if let Some(down) = &fell {
            // Before anything is dropped: SQLite would close its files in peace.
            host::fell(self, down).await;
        }
        drop(inside);
        *self.engine.borrow_mut() = None;
        *self.ledger.borrow_mut() = None;
        fell
    }

    /// The configuration's file with this greatest lifetime.
    pub(crate) fn configured(&self, max_ttl: &str) -> Config {
        let text = file::of(max_ttl, self.reconcile, self.adopts);
        file::parsed(&if self.narrowed.get() { file::narrowed(&text) } else { text })
    }

    async fn lives(self: &Rc<Self>) {
        loop {
            let Some(fell) = self.daemon().await else { return };
            self.net.tell(format!("-- down: {fell:?}"));
            self.figures.borrow_mut().crashes += 1;
            self.trouble(Trouble::Host);
            if let Some(name) = fell.restore {
                host::put_back(self, name);
            }
            pause(fell.ms).await;
            if fell.reboot {
                self.net.clock.reboot();
            }
            let lag = i64::from(self.propagation);
            let felt = if fell.restore.is_some() { lag + SEARCH } else { 0 };
            self.over(Trouble::Host, felt);
        }
    }
}

async fn live(seed: u64, script: Vec<Event>, day: i64, trace: Trace) -> Figures {
    let world = Rc::new(World::new(seed, &script, day, trace));
    let mut tasks = tokio::task::JoinSet::new();
    for event in script {
        tasks.spawn_local(happen(Rc::clone(&world), event));
    }
    tokio::select! {
        biased;
        () = failed(&mut tasks) => {}
        () = world.net.courier() => {}
        () = standby::stand_by(&world) => {}
        () = world.lives() => {}
    }
    let mut figures = world.figures.borrow().clone();
    let trace = world.net.trace.borrow();
    figures.calls = trace.len();
    figures.trace = hash(&trace);
    figures
}

/// The first task that panics ends the run; those that merely finish do not.
async fn failed(tasks: &mut tokio::task::JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
    std::future::pending().await
}

/// How long the daemon naps where nothing is due. A machine's tick is a second; where the clock
/// tells of each step, a longer one shows the same and is done sooner. At the longest it must not
/// sleep over its look-ahead: loaded every four minutes, for ten.
fn nap(rng: &SimRng) -> i64 {
    match rng.up_to(99) {
        0 => SECOND,
        1..=9 => rng.between(5 * SECOND, MINUTE),
        _ => rng.between(2 * MINUTE, 4 * MINUTE),
    }
}
