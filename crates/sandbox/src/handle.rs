//! A core that many may call, with a clock, and with the faults around each call.
//!
//! Used by the HTTP server and, in process, by simulations. `await`s only where a fault says so: a
//! call that no rule catches is done at its first poll.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::core::Core;
use crate::error::KmsError;
use crate::faults::{Act, Caught, Fault, FaultId, Faults, Match, When};
use crate::op::Op;
use crate::principals::Caller;

/// The clock of the sandbox: Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a caller gets instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// KMS says no.
    #[error(transparent)]
    Refused(#[from] KmsError),
    /// No answer comes; whether the call took effect is not known to the caller.
    #[error("the connection was closed without an answer")]
    Dropped,
}

/// A call that a `hold` keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The rule that keeps it.
    pub fault: FaultId,
    /// Before or after its effect.
    pub when: When,
    /// The operation.
    pub op: Op,
    /// The caller's ARN.
    pub caller: String,
    /// The request's body.
    pub body: Value,
    /// Unix milliseconds since when it is kept.
    pub since_ms: i64,
}

/// A shared sandbox. Clones are the same sandbox.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    clock: Clock,
    /// Bumped at every change of rules and held calls: who waits looks again.
    changes: watch::Sender<u64>,
}

struct State {
    core: Core,
    faults: Faults,
    held: Vec<(u64, Held)>,
    next_held: u64,
    /// Added to the clock: how tests move the sandbox's time.
    offset_ms: i64,
    /// How far the `Date` of answers is wrong.
    date_skew_ms: i64,
    dropped: Vec<FaultId>,
    /// Requests on a slow way, by the instant at which they arrive and the order of their sending.
    late: BTreeMap<(i64, u64), (Caller, Op, Value)>,
    next_late: u64,
}

impl State {
    /// Performs what has arrived by `now`, each at its own instant; nobody hears the answers.
    fn deliver(&mut self, now: i64) {
        while let Some(first) = self.late.first_entry() {
            if first.key().0 > now {
                return;
            }
            let ((at, _), (caller, op, body)) = first.remove_entry();
            drop(self.core.call(&caller, op, &body, at));
        }
    }

    fn post(&mut self, at: i64, caller: &Caller, op: Op, body: &Value) {
        self.next_late += 1;
        self.late.insert((at, self.next_late), (caller.clone(), op, body.clone()));
    }
}

impl Handle {
    /// Shares a core.
    #[must_use]
    pub fn new(core: Core, clock: Clock) -> Self {
        let state = State {
            core,
            faults: Faults::default(),
            held: Vec::new(),
            next_held: 0,
            offset_ms: 0,
            date_skew_ms: 0,
            dropped: Vec::new(),
            late: BTreeMap::new(),
            next_late: 0,
        };
        let changes = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { state: Mutex::new(state), clock, changes }) }
    }

    /// Runs something on the core: inspection, settings, principals, or a call without faults.
    pub fn with<T>(&self, f: impl FnOnce(&mut Core) -> T) -> T {
        let mut state = self.lock();
        let now = (self.shared.clock)() + state.offset_ms;
        state.deliver(now);
        state.core.tick(now);
        f(&mut state.core)
    }

    /// The sandbox's time: Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        let offset = self.lock().offset_ms;
        (self.shared.clock)() + offset
    }

    /// Moves the sandbox's time against its clock by so many milliseconds in all.
    pub fn set_offset(&self, ms: i64) {
        self.lock().offset_ms = ms;
    }

    /// The time that answers carry in their `Date` header.
    #[must_use]
    pub fn date_ms(&self) -> i64 {
        let skew = self.lock().date_skew_ms;
        self.now() + skew
    }

    /// Makes the `Date` of answers wrong by so many milliseconds.
    pub fn set_date_skew(&self, ms: i64) {
        self.lock().date_skew_ms = ms;
    }

    /// One call, with whatever the rules do to it. If the future is dropped while a rule keeps the
    /// call before its effect, it takes no effect.
    ///
    /// # Errors
    /// What KMS or a rule answers, or that no answer comes.
    pub async fn call(&self, caller: &Caller, op: Op, body: &Value) -> Result<Value, Failure> {
        let caught = self.lock().faults.catch(caller, op, body);
        self.suffer(&caught, When::Before, caller, op, body).await?;
        let answer = self.perform(caller, op, body);
        self.suffer(&caught, When::After, caller, op, body).await?;
        Ok(answer?)
    }

    fn perform(&self, caller: &Caller, op: Op, body: &Value) -> Result<Value, KmsError> {
        let mut state = self.lock();
        let now = (self.shared.clock)() + state.offset_ms;
        state.deliver(now);
        state.core.call(caller, op, body, now)
    }

    async fn suffer(
        &self,
        caught: &[Caught],
        when: When,
        caller: &Caller,
        op: Op,
        body: &Value,
    ) -> Result<(), Failure> {
        for Caught { id, act, .. } in caught.iter().filter(|c| c.when == when) {
            match act {
                Act::Hold => self.keep(*id, when, caller, op, body).await?,
                Act::Delay(ms) => pause(*ms).await,
                Act::Drop => return Err(Failure::Dropped),
                Act::Late(ms) => {
                    self.post(*ms, caller, op, body);
                    return Err(Failure::Dropped);
                }
                Act::Echo(ms) => self.post(*ms, caller, op, body),
                Act::Throttle | Act::Fail | Act::Deny | Act::Error { .. } => {
                    return act.error().map_or(Ok(()), |error| Err(error.into()));
                }
            }
        }
        Ok(())
    }

    fn post(&self, after_ms: u64, caller: &Caller, op: Op, body: &Value) {
        let at = self.now().saturating_add(i64::try_from(after_ms).unwrap_or(i64::MAX));
        self.lock().post(at, caller, op, body);
    }

    async fn keep(
        &self,
        id: FaultId,
        when: When,
        caller: &Caller,
        op: Op,
        body: &Value,
    ) -> Result<(), Failure> {
        let held = Held {
            fault: id,
            when,
            op,
            caller: caller.arn().to_owned(),
            body: body.clone(),
            since_ms: self.now(),
        };
        let _place = self.enter(held);
        self.until(|state| !state.faults.contains(id)).await;
        if self.lock().dropped.contains(&id) {
            return Err(Failure::Dropped);
        }
        Ok(())
    }

    fn enter(&self, held: Held) -> Place {
        let mut state = self.lock();
        state.next_held += 1;
        let number = state.next_held;
        state.held.push((number, held));
        drop(state);
        self.changed();
        Place { handle: self.clone(), number }
    }

    /// Waits until the state is as asked for; a level, so nothing is missed.
    async fn until(&self, reached: impl Fn(&State) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        while !reached(&self.lock()) {
            if changes.changed().await.is_err() {
                return; // The sender lives in `self`; this cannot come.
            }
        }
    }

    fn changed(&self) {
        self.shared.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// A test that panicked while it held the lock left no half-made state: each call is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of this machine.
#[must_use]
pub fn system_clock() -> Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox is a world of its own, and this its clock"
    )]
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// The rules.
impl Handle {
    /// Adds a rule.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let id = self.lock().faults.add(fault);
        self.changed();
        id
    }

    /// Holds calls before or after their effect until released.
    pub fn hold(&self, matching: Match, when: When) -> FaultId {
        self.inject(Fault::new(matching, when, Act::Hold))
    }

    /// Lets go what a hold keeps, and takes the rule away. Any other rule is just taken away.
    pub fn release(&self, id: FaultId) -> bool {
        let known = self.lock().faults.clear(id);
        self.changed();
        known
    }

    /// Throws away what a hold keeps: no effect where it held before, no answer where after.
    pub fn discard(&self, id: FaultId) -> bool {
        let mut state = self.lock();
        state.dropped.push(id);
        let known = state.faults.clear(id);
        drop(state);
        self.changed();
        known
    }

    /// Takes all rules away and lets go all held calls.
    pub fn clear(&self) {
        self.lock().faults.clear_all();
        self.changed();
    }

    /// How many requests are still on a slow way.
    #[must_use]
    pub fn late(&self) -> usize {
        self.lock().late.len()
    }

    /// The rules in force.
    #[must_use]
    pub fn faults(&self) -> Vec<(FaultId, Fault)> {
        self.lock().faults.iter().map(|(id, fault)| (id, fault.clone())).collect()
    }

    /// The calls that are kept now, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.lock().held.iter().map(|(_, held)| held.clone()).collect()
    }

    /// Waits until a rule keeps at least so many calls.
    pub async fn wait_held(&self, id: FaultId, calls: usize) {
        self.until(|state| state.held.iter().filter(|(_, h)| h.fault == id).count() >= calls).await;
    }
}

/// A held call's place in the list; given up when the call goes on or its caller goes away.
struct Place {
    handle: Handle,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handle.lock().held.retain(|(number, _)| *number != self.number);
        self.handle.changed();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a delay that a test asked for, on the sandbox's side"
)]
async fn pause(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

#[cfg(test)]
mod tests;
