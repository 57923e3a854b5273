//! Holding a lease: an answer that goes on for as long as the lease does, a line of JSON now and
//! then. When its connection closes, the body is dropped, and with it the receiver by which the
//! engine knows that somebody is there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::call::{Calls, Silence};
use super::limits::Limits;
use super::peer::Peer;
use super::reply::{self, Reply};
use crate::engine::Command;
use crate::fault::{Fault, Kind};
use crate::wire::HeldLease;

/// One connection: who is at its other end, and whether it holds a lease. Then it is counted among
/// those, and neither among the others nor by its age.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peer: Peer,
    holds: AtomicBool,
}

impl Seat {
    pub(super) const fn new(peer: Peer) -> Self {
        Self { peer, holds: AtomicBool::new(false) }
    }

    pub(super) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    pub(super) fn hold(&self) {
        self.holds.store(true, Ordering::Relaxed);
    }
}

/// How many leases are held, by user.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<Mutex<BTreeMap<u32, usize>>>);

impl Holds {
    /// A place for one more of this user, if there is one; it is free again when dropped.
    pub(super) fn take(&self, uid: u32, limits: &Limits) -> Result<Place, Fault> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |who: &str, most| {
            let text = format!("{who} holds {most} leases, as many as may be held at once");
            Err(Fault::new(Kind::Busy, text).hint("try again when one of them is over"))
        };
        if held.values().sum::<usize>() >= limits.holds {
            return full("the daemon", limits.holds);
        }
        let own = held.entry(uid).or_default();
        if *own >= limits.holds_per_uid {
            return full("this user", limits.holds_per_uid);
        }
        *own += 1;
        Ok(Place { holds: self.clone(), uid })
    }
}

/// A place among the held leases.
#[derive(Debug)]
pub(super) struct Place {
    holds: Holds,
    uid: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.holds.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.uid);
            }
        }
    }
}

/// The body of the answer.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) lease: mpsc::Receiver<HeldLease>,
    pub(super) _place: Place,
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = self.lease.poll_recv(cx);
        line.map(|line| line.map(|line| Ok(Frame::data(Bytes::from(reply::text(&line))))))
    }
}

const NO_HOLD: Silence = Silence {
    kind: Kind::Busy,
    late: "the daemon has not said in time whether the lease is held",
    stopped: "the daemon is stopping; hold the lease again once it has restarted",
};
impl Calls {
    pub(super) async fn hold(&self, seat: &Seat, reference: String) -> Result<Reply, Fault> {
        let place = self.holds.take(seat.peer.uid, &self.limits)?;
        let caller = self.names.caller(&seat.peer).await;
        let make = |reply| Command::Hold { caller, reference, reply };
        let lease = self.engine(make, &NO_HOLD).await?;
        seat.hold();
        Ok(reply::lines(Lines { lease, _place: place }))
    }
}

#[cfg(test)]
mod tests;
