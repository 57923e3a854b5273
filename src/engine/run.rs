//! The main loop.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::context::{Context, Parts, ledger_fault};
use super::keep::Chores;
use super::lane::LaneState;
use super::refusals::Refusals;
use super::timekeeper::{NAP, TimeKeeper};
use super::{
    Command, EndOnly, Load, adopt, adopt_now, audit, desk, due, extend, freeze, hold, keep, pins,
    prove_now, refusals, reload, revoke, revoke_many, status,
};
use crate::clock::Clock;
use crate::config::{Config, Rates};
use crate::fault::{Fault, chain};
use crate::kms::{Kms, Lane};
use crate::ledger::{Handle, LaneFacts, Ledger, Urgency};
use crate::rng::Rng;
use crate::rules::time::{SECOND, Time};

/// How long calls in flight may take once the daemon stops; the rest is left unknown for the next
/// start.
const GRACE: i64 = 10 * SECOND;

/// The outside world of the engine.
pub struct Ports {
    /// KMS.
    pub kms: Rc<dyn Kms>,
    /// The clocks.
    pub clock: Rc<dyn Clock>,
    /// Randomness.
    pub rng: Rc<dyn Rng>,
    /// The ledger.
    pub ledger: Handle,
    /// What the API refuses by itself, for the history.
    pub refusals: Refusals,
}

/// Told once per turn of the main loop, at least once a second: the engine lives, and this is what
/// it has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The guarded present.
    pub now: Time,
    /// When the next row is due, if any is within sight.
    pub next: Option<Time>,
    /// How many rows are in sight.
    pub ahead: usize,
    /// How many rows wait to be written.
    pub unwritten: usize,
}

/// The engine, ready to run.
pub struct Engine {
    cx: Rc<Context>,
}

impl Engine {
    /// Take up the ledger: its lanes, its clocks. `config` is `None`, or `end_only` is set, where
    /// the daemon only ends.
    ///
    /// # Errors
    /// When the ledger cannot be read, or not take a lane that is new in `config`.
    pub async fn new(
        ports: Ports,
        config: Option<Arc<Config>>,
        end_only: Option<EndOnly>,
    ) -> Result<Self, Fault> {
        let Ports { kms, clock, rng, ledger, refusals } = ports;
        let wanted: Vec<LaneFacts> =
            config.iter().flat_map(|config| config.lanes()).map(|(_, lane)| facts(lane)).collect();
        let (lanes, clocks) = ledger
            .run(Urgency::Work, move |books| {
                for facts in &wanted {
                    books.lane(facts)?;
                }
                Ok((books.lanes()?, books.clocks()?))
            })
            .await
            .map_err(ledger_fault)?;
        let time = TimeKeeper::new(clock, clocks.as_ref());
        let cx = Context::new(Parts { kms, rng, time, ledger, config, end_only, refusals });
        let now = cx.time.now().latest;
        let left = move |books: &mut Ledger| books.tell_refusals(now);
        // Counts of what was refused are no reason to end nothing.
        if let Err(error) = cx.ledger.run(Urgency::Work, left).await {
            tracing::error!("what was refused before the start stays untold: {}", chain(&error));
        }
        for lane in lanes {
            let config = cx.config();
            let account = config.as_deref().and_then(|c| c.account(lane.account.as_str()));
            let rates = account.map_or_else(Rates::default, |account| account.pace());
            cx.lanes.borrow_mut().insert(lane.id, LaneState::new(lane, rates));
        }
        Ok(Self { cx: Rc::new(cx) })
    }

    /// Let the configuration be replaced: by what `load` reads; `told` hears of it.
    #[must_use]
    pub fn reloading(self, load: Load, told: watch::Sender<Option<Arc<Config>>>) -> Self {
        *self.cx.reloading.load.borrow_mut() = Some(load);
        *self.cx.reloading.told.borrow_mut() = Some(told);
        self
    }

    /// Run until `stop` resolves, then finish what is in flight within ten seconds. Must run on a
    /// `LocalSet`. Dropping the future is a crash: nothing acknowledged is lost.
    pub async fn run(
        self,
        mut commands: mpsc::Receiver<Command>,
        mut beat: impl FnMut(Beat),
        stop: impl Future<Output = ()>,
    ) {
        let cx = self.cx;
        cx.started_at.set(cx.time.wall());
        keep::load(&cx).await;
        if let Some(config) = cx.config() {
            adopt::enforce(&cx, &config).await;
            reload::begin_searches(&cx, &config);
        }
        cx.spawn(audit::check(Rc::clone(&cx)));
        let mut chores = Chores::new();
        let mut stop = pin!(stop);
        let mut open = true;
        loop {
            cx.reap();
            chores.run(&cx);
            refusals::write(&cx);
            let now = cx.time.now();
            let next = due::dispatch(&cx, now);
            let (ahead, unwritten) = (cx.agenda.borrow().len(), cx.backlog.borrow().len());
            beat(Beat { now: now.latest, next, ahead, unwritten });
            let nap = next.map_or(NAP, |at| at.since(cx.time.now().latest));
            tokio::select! {
                biased;
                () = &mut stop => break,
                command = commands.recv(), if open => match command {
                    Some(command) => serve(&cx, command),
                    None => open = false,
                },
                () = cx.wake.notified() => {}
                () = cx.refusals.fresh() => {}
                () = cx.time.nap(nap) => {}
            }
        }
        wind_down(&cx, commands, beat).await;
    }
}

/// No new sends; answers still on their way are taken in, as long as they come soon.
async fn wind_down(
    cx: &Rc<Context>,
    mut commands: mpsc::Receiver<Command>,
    mut beat: impl FnMut(Beat),
) {
    cx.stopping.set(true);
    cx.halt.notify_waiters();
    commands.close();
    while commands.try_recv().is_ok() {}
    let settle = async {
        // Ends that come due meanwhile are sent: they must not wait for a silent create.
        while !cx.idle() {
            due::dispatch_all_ends(cx);
            let unwritten = cx.backlog.borrow().len();
            beat(Beat { now: cx.time.now().latest, next: None, ahead: 0, unwritten });
            cx.time.pause(SECOND / 20).await;
        }
    };
    if cx.time.within(GRACE, settle).await.is_none() {
        tracing::warn!("calls were still in flight: their outcome is found out at the next start");
    }
    let last = async {
        refusals::close(cx).await;
        keep::note(cx).await;
    };
    if cx.time.within(SECOND, last).await.is_none() {
        tracing::warn!("the ledger does not answer: the head of the history is not noted");
    }
}

fn serve(cx: &Rc<Context>, command: Command) {
    let task = Rc::clone(cx);
    cx.spawn(async move {
        let cx = task;
        match command {
            Command::Create { caller, request, idempotency, reply } => {
                answer(reply, desk::create(&cx, &caller, &request, idempotency).await);
            }
            Command::Extend { caller, reference, request, idempotency, reply } => {
                let asked = extend::Asked { caller: &caller, request: &request };
                answer(reply, extend::extend(&cx, asked, &reference, idempotency).await);
            }
            Command::Revoke { caller, reference, reason, reply } => {
                answer(reply, revoke::revoke(&cx, &caller, &reference, reason).await);
            }
            Command::RevokeMany { caller, request, reply } => {
                answer(reply, revoke_many::revoke_many(&cx, &caller, request).await);
            }
            Command::Freeze { caller, request, reply } => {
                answer(reply, freeze::freeze(&cx, &caller, request).await);
            }
            Command::Lift { caller, id, request, reply } => {
                answer(reply, freeze::lift(&cx, &caller, id, request).await);
            }
            Command::Hold { caller, reference, reply } => {
                answer(reply, hold::hold(&cx, &caller, &reference).await);
            }
            Command::Reload { caller, request, reply } => {
                answer(reply, reload::reload(&cx, caller.as_ref(), request).await);
            }
            Command::Prove { caller, request, reply } => {
                answer(reply, prove_now::prove_now(&cx, &caller, request).await);
            }
            Command::Adopt { caller, request, reply } => {
                answer(reply, adopt_now::adopt_now(&cx, &caller, request).await);
            }
            Command::Resume { caller, request, reply } => {
                answer(reply, adopt_now::resume(&cx, &caller, request).await);
            }
            Command::AcceptAlias { caller, request, reply } => {
                answer(reply, pins::accept(&cx, &caller, request).await);
            }
            Command::Search { caller, reply } => {
                answer(reply, adopt_now::search_now(&cx, &caller));
            }
            Command::Metrics { reply } => answer(reply, status::metrics(&cx).await),
            Command::Status { reply } => answer(reply, status::status(&cx).await),
        }
    });
}

/// Who asked may be gone when the answer comes: that is no error, the ledger has it.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("the asker hung up before the answer");
    }
}

pub(super) fn facts(lane: Lane) -> LaneFacts {
    LaneFacts {
        account: lane.account,
        region: lane.region,
        role_arn: lane.role_arn,
        external_id: lane.external_id,
        endpoint: lane.endpoint,
        retiring_principal: lane.retiring_principal,
        ways: lane.ways,
    }
}
