//! One seed's world: the network, the askers, the weather, and a daemon that is killed again and
//! again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use grantd::config::{self, Config, Names};
use grantd::engine::{Command, Engine, Ports, Refusals};
use grantd::fault::{Fault, Kind};
use grantd::ids::Ref;
use grantd::ledger::{Handle, Ledger};
use grantd::rng::Rng;
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use kms_sandbox::{Op, Propagation, Story, StoryOptions};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::actors::{Told, ask_around, govern};
use crate::check::{WIND_DOWN, at_the_end, watch};
use crate::clock::{START, SimClock, SimRng, pause};
use crate::kms::{Net, SimKms, Weather};

pub(crate) const CONFIG: &str = r#"
group = "sim"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "sim"
keys = ["alias/*"]
grantees = ["role/*"]
operations = ["Decrypt", "DescribeKey"]
callers = ["user:1", "user:2", "user:3"]
max-ttl = "1h"
max-live = 10000
max-live-per-asker = 10000
"#;

pub(crate) struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

/// What one run counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) granted: usize,
    pub(crate) crashes: usize,
    pub(crate) refused: BTreeMap<&'static str, usize>,
    pub(crate) recorded: usize,
    pub(crate) extended: usize,
    pub(crate) calls: usize,
    pub(crate) trace: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.granted += other.granted;
        self.crashes += other.crashes;
        self.recorded += other.recorded;
        self.extended += other.extended;
        self.calls += other.calls;
        for (kind, n) in &other.refused {
            *self.refused.entry(kind).or_default() += n;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} leases made, {} of unknown outcome, {} extended, {} crashes, {} calls; \
             refused: {:?}",
            self.granted, self.recorded, self.extended, self.crashes, self.calls, self.refused
        )
    }
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) net: Rc<Net>,
    pub(crate) rng: Rc<SimRng>,
    pub(crate) key_arn: String,
    pub(crate) alias: String,
    pub(crate) foreign: Vec<String>,
    /// The greatest lag of the views, in ms.
    pub(crate) propagation: u32,
    pub(crate) active_until: i64,
    pub(crate) calm_since: Cell<i64>,
    /// When the daemon last started; `None` while it is down.
    pub(crate) up_since: Cell<Option<i64>>,
    pub(crate) engine: RefCell<Option<mpsc::Sender<Command>>>,
    pub(crate) ledger: RefCell<Option<Handle>>,
    pub(crate) promised: RefCell<Vec<Ref>>,
    /// The refs of those whose end was asked for.
    pub(crate) revoked: RefCell<BTreeSet<String>>,
    figures: RefCell<Figures>,
    config: Arc<Config>,
}

/// Where the ledgers are kept: in memory where the system has such a place, since a simulated crash
/// loses no page.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("grantd-sim-").tempdir_in(root).unwrap()
}

impl World {
    pub(crate) fn run(seed: u64) -> Figures {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let dir = scratch();
        let outer = LocalSet::new();
        let figures = runtime.block_on(outer.run_until(live(seed, dir.path())));
        drop(outer);
        figures
    }

    fn new(seed: u64) -> Self {
        let clock = SimClock::new();
        let rng = SimRng::new(seed);
        // Most seeds have the propagation of a good day, some that of a bad one.
        let propagation = match rng.up_to(9) {
            0..=5 => 2_000,
            6..=8 => 30_000,
            _ => 240_000,
        };
        let propagation = u32::try_from(propagation).unwrap();
        let options = StoryOptions {
            seed,
            propagation: Propagation { min_ms: 0, max_ms: propagation },
            ..StoryOptions::default()
        };
        let mut story = Story::new(options, START);
        story.core.settings_mut().unconfirmed.twins_before_propagation = rng.chance(500);
        let foreign = foreign_grants(&mut story);
        let (key_arn, alias) = (story.key_arn.clone(), story.alias.to_owned());
        let net = Net::new(story, clock, Rc::clone(&rng));
        let config = config::parse("sim.toml", CONFIG, &Nobody).unwrap();
        Self {
            seed,
            net,
            rng,
            key_arn,
            alias,
            foreign,
            propagation,
            active_until: START + HOUR / 2,
            calm_since: Cell::new(START),
            up_since: Cell::new(None),
            engine: RefCell::new(None),
            ledger: RefCell::new(None),
            promised: RefCell::default(),
            revoked: RefCell::default(),
            figures: RefCell::default(),
            config: Arc::new(config),
        }
    }

    pub(crate) fn told(&self, told: Told) {
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
        self.promised.borrow_mut().push(reference);
    }

    pub(crate) fn extended(&self, anew: bool) {
        self.figures.borrow_mut().extended += usize::from(anew);
    }

    pub(crate) fn refused(&self, fault: &Fault) {
        assert!(fault.kind != Kind::Bug, "seed {}: {fault}", self.seed);
        *self.figures.borrow_mut().refused.entry(fault.kind.code()).or_default() += 1;
    }

    /// One life of the daemon, from opening the ledger to the crash or the end.
    async fn daemon(self: &Rc<Self>, dir: &Path, lives: i64) {
        let (ledger, _) = Ledger::open(dir).unwrap();
        let ledger = Handle::inline(ledger);
        *self.ledger.borrow_mut() = Some(ledger.clone());
        let (engine, commands) = mpsc::channel(64);
        *self.engine.borrow_mut() = Some(engine);
        self.up_since.set(Some(self.net.clock.now()));
        // A set of its own: dropping it is the crash, with all that was under way.
        let inside = LocalSet::new();
        let kms = Rc::new(SimKms { net: Rc::clone(&self.net), ledger: ledger.clone() });
        let (clock, rng) = (Rc::clone(&self.net.clock), Rc::clone(&self.rng));
        let refusals = Refusals::default();
        let ports = Ports { kms, clock, rng, ledger, refusals };
        let config = Some(Arc::clone(&self.config));
        let life = async move {
            let engine = Engine::new(ports, config, None).await.unwrap();
            engine.run(commands, |_| {}, pause(lives)).await;
        };
        tokio::select! {
            biased;
            () = pause(lives) => {}
            () = inside.run_until(life) => {}
        }
        drop(inside);
        self.up_since.set(None);
        *self.engine.borrow_mut() = None;
        *self.ledger.borrow_mut() = None;
    }

    async fn weather(self: Rc<Self>) {
        while self.net.clock.now() < self.active_until {
            let (next, lasts) = match self.rng.up_to(9) {
                0..=4 => (Weather::Calm, self.rng.between(MINUTE, 5 * MINUTE)),
                5..=8 => (Weather::Storm, self.rng.between(MINUTE, 6 * MINUTE)),
                _ => (Weather::Outage, self.rng.between(5 * SECOND, 3 * MINUTE)),
            };
            self.turn(next);
            if self.rng.chance(100) {
                let steps = [-HOUR, -90 * SECOND, 70 * SECOND, 40 * HOUR];
                let i = usize::try_from(self.rng.up_to(3)).unwrap();
                self.net.clock.step.set(steps[i]);
                pause(self.rng.between(SECOND, MINUTE)).await;
                self.net.clock.step.set(0);
            }
            pause(lasts).await;
        }
        self.turn(Weather::Calm);
    }

    fn turn(&self, next: Weather) {
        if next == Weather::Calm && self.net.weather.get() != Weather::Calm {
            // What was under way still runs into its time-out.
            self.calm_since.set(self.net.clock.now() + 15 * SECOND);
        }
        self.net.weather.set(next);
    }
}

async fn live(seed: u64, dir: &Path) -> Figures {
    let world = Rc::new(World::new(seed));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn_local(watch(Rc::clone(&world)));
    tasks.spawn_local(Rc::clone(&world).weather());
    for uid in 1..=3 {
        tasks.spawn_local(ask_around(Rc::clone(&world), uid));
    }
    tasks.spawn_local(govern(Rc::clone(&world)));
    let script = async {
        while world.net.clock.now() < world.active_until {
            world.daemon(dir, world.rng.between(SECOND, 12 * MINUTE)).await;
            world.figures.borrow_mut().crashes += 1;
            pause(world.rng.between(1, 40 * SECOND)).await;
        }
        // The last life is long enough for all to end, and looked at just before it is over.
        let last = world.daemon(dir, WIND_DOWN);
        let verdict = async {
            pause(WIND_DOWN - SECOND).await;
            at_the_end(&world).await;
        };
        tokio::join!(last, verdict);
    };
    tokio::select! {
        biased;
        ended = failed(&mut tasks) => panic!("seed {seed}: {ended}"),
        () = script => {}
    }
    let mut figures = world.figures.borrow().clone();
    let trace = world.net.trace.borrow();
    figures.calls = trace.len();
    figures.trace = hash(&trace);
    figures
}

/// The first task that panics ends the run; those that merely finish do not.
async fn failed(tasks: &mut tokio::task::JoinSet<()>) -> String {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
    std::future::pending().await
}

/// FNV-1a: enough to tell two traces apart.
fn hash(trace: &[String]) -> u64 {
    let bytes = trace.iter().flat_map(|line| line.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Somebody else's grants, some of which look like ours.
fn foreign_grants(story: &mut Story) -> Vec<String> {
    let (admin, key) = (story.admin.caller.clone(), story.key_arn.clone());
    let own = story.grantd.arn.clone();
    let names = [
        json!({ "Name": "terraform" }),
        json!({}),
        json!({ "Name": "grantd/other/g-000000000000/1/2026-11-23T11:00:00Z" }),
        json!({ "Name": "grantd/sim/nonsense", "RetiringPrincipal": own }),
        json!({ "Name": "grantd/sim/g-zzzzzzzzzzzz/1/2026-11-23T11:00:00Z" }),
    ];
    let ids = names.into_iter().map(|extra| {
        let mut body = json!({
            "KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
            "Operations": ["Decrypt"],
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let made = story.core.call(&admin, Op::CreateGrant, &body, START).unwrap();
        made["GrantId"].as_str().unwrap().to_owned()
    });
    ids.collect()
}
