//! What is refused, by the desk and at the socket, on its way into the history.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Caller;
use super::context::Context;
use super::desk::actor;
use crate::fault::{Fault, Kind};
use crate::ids::Ref;
use crate::ledger::Urgency;
use crate::rules::refusals::{self, Refusal, Told};

/// The refusals that are not all told yet. The API's thread and the engine's have it both: each
/// only counts, and a flood on the socket is no work for the engine.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<refusals::Refusals>,
    fresh: Notify,
}

impl Refusals {
    fn open(&self) -> MutexGuard<'_, refusals::Refusals> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next refusal of this kind to this user is only counted.
    #[must_use]
    pub fn knows(&self, uid: u32, kind: Kind) -> bool {
        self.open().knows(uid, kind.code())
    }

    /// Take one in. `asked` is a JSON object.
    pub fn tell(&self, caller: &Caller, fault: &Fault, asked: serde_json::Value) {
        let new = self.open().take_in(Refusal {
            uid: caller.uid,
            actor: actor(caller),
            code: fault.kind.code(),
            why: fault.text.clone(),
            asked,
            lease: fault.lease.clone(),
        });
        if new {
            let lease = fault.lease.as_ref().map(Ref::as_str);
            let (uid, fault_code) = (caller.uid, fault.kind.code());
            tracing::info!(uid, fault = fault_code, lease, "refused: {fault}");
            self.0.fresh.notify_one();
        }
    }

    /// Until something is to be written at once.
    pub(crate) async fn fresh(&self) {
        self.0.fresh.notified().await;
    }
}

/// The desk refuses.
pub(crate) fn refused(
    cx: &Context,
    caller: &Caller,
    fault: &Fault,
    command: &str,
    mut asked: serde_json::Value,
) {
    asked["command"] = command.into();
    cx.refusals.tell(caller, fault, asked);
}

/// Write what is due of them, beside the work. On a full disk they are only counted: what room is
/// left is for endings.
pub(crate) fn write(cx: &Rc<Context>) {
    if cx.ledger.is_full() {
        return;
    }
    let told = cx.refusals.open().due(cx.time.now().latest, cx.time.ticks());
    if !told.is_empty() {
        let task = Rc::clone(cx);
        cx.spawn(async move { save(&task, told).await });
    }
}

/// The daemon stops: nothing stays counted.
pub(crate) async fn close(cx: &Context) {
    let told = cx.refusals.open().close();
    if !told.is_empty() {
        save(cx, told).await;
    }
}

async fn save(cx: &Context, told: Told) {
    let (at, saved) = (cx.time.now().latest, told.counts.len());
    let lost: Vec<String> =
        told.rows.iter().map(|row| format!("{}: {}", row.actor, row.body)).collect();
    match cx.ledger.run(Urgency::Work, move |books| books.refused(at, &told)).await {
        Ok(()) => tracing::debug!(saved, rows = lost.len(), "refusals are in the ledger"),
        Err(error) => {
            let error = crate::fault::chain(&error);
            tracing::error!("the history lacks refusals: {error}: {}", lost.join("; "));
        }
    }
}
