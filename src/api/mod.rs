//! The control socket: HTTP/1.1 and JSON on a Unix socket, for people of this host.
//!
//! It runs on a runtime and thread of its own, and hands work to the engine through a bounded
//! channel without ever waiting for room in it: whatever clients do to the socket, endings do not
//! notice. Nothing here is durable; a crash loses connections, and what they asked for is in the
//! ledger or was never begun.
//!
//! Rejected: `axum::serve`, which has no time-outs (half-sent requests stay for ever, reliability
//! 0.6), and TCP.

mod adopt;
mod books;
mod call;
mod hold;
mod limits;
mod line;
mod many;
mod peer;
pub mod port;
mod refuse;
mod reply;
mod route;
mod sight;
pub mod socket;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

pub use books::{Books, LedgerBooks};
pub use call::parse;
pub use limits::Limits;
pub(crate) use limits::pause;
pub use reply::{JSON, LINES, PROBLEM};

use crate::config::Config;
use crate::engine::{Command, Refusals};
use crate::fault::{Fault, Kind};
use call::Calls;
use hold::{Holds, Seat};
use limits::within;
use peer::{Names, Peer};

/// After an accept that failed (no descriptors left, say): long enough not to spin, short enough
/// not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Clients that are being told there is no room; those beyond are closed without a word.
const TURNED_AWAY: usize = 16;
/// For the request of a client that is to be turned away.
const TURN_AWAY_TIME: Duration = Duration::from_secs(1);

/// Who answers the API's requests.
#[derive(Clone)]
pub struct Backend {
    /// The engine: creates, revokes, status. Bounded; a full one is told to the client as `Busy`.
    pub engine: mpsc::Sender<Command>,
    /// The ledger, for reads.
    pub ledger: Arc<dyn Books>,
    /// The configuration in force, which says who may read; `None` where none loads.
    pub config: watch::Receiver<Option<Arc<Config>>>,
    /// What is refused, on its way into the history.
    pub refusals: Refusals,
}

/// Serve `listener` until `stop` resolves; then accept nothing more, give calls in flight
/// [`Limits::grace`], and close. To be run on a current-thread tokio runtime of its own, with I/O
/// and time enabled. End that runtime with `shutdown_background`: a user-name look-up that hangs in
/// a directory server may still hold one of its threads.
///
/// # Errors
/// `Io` when the listener cannot be used at all. Whatever happens to a connection ends that
/// connection alone.
pub async fn serve(
    listener: std::os::unix::net::UnixListener,
    backend: Backend,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), Fault> {
    let unusable = |error: io::Error| {
        Fault::new(Kind::Io, format!("cannot listen on the control socket: {error}"))
    };
    listener.set_nonblocking(true).map_err(unusable)?;
    let listener = UnixListener::from_std(listener).map_err(unusable)?;
    let calls = Calls { backend, names: Names::new(), holds: Holds::default(), limits };
    let mut door = Door::new(calls);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = door.tasks.join_next_with_id() => door.left(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => door.enter(stream),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on the control socket");
                    pause(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener); // from here on a client is refused at once, rather than left waiting
    door.close().await;
    Ok(())
}

/// The connections that are open, counted by user.
struct Door {
    calls: Calls,
    tasks: JoinSet<()>,
    turned_away: JoinSet<()>,
    inside: HashMap<Id, Arc<Seat>>,
    stopping: watch::Sender<bool>,
}

impl Door {
    fn new(calls: Calls) -> Self {
        Self {
            calls,
            tasks: JoinSet::new(),
            turned_away: JoinSet::new(),
            inside: HashMap::new(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Let a connection in, or turn it away.
    fn enter(&mut self, stream: UnixStream) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => return tracing::debug!(%error, "a client is gone before it is known"),
        };
        if let Err(fault) = self.room(peer.uid) {
            tracing::debug!(uid = peer.uid, %fault, "connection turned away");
            self.calls.turned_away(&peer, &fault);
            while self.turned_away.try_join_next().is_some() {}
            if self.turned_away.len() < TURNED_AWAY {
                self.turned_away.spawn(turn_away(stream, fault));
            }
            return;
        }
        let seat = Arc::new(Seat::new(peer));
        let calls = self.calls.clone();
        let stopping = self.stopping.subscribe();
        let task = self.tasks.spawn(connection(calls, Arc::clone(&seat), stream, stopping));
        self.inside.insert(task.id(), seat);
    }

    fn room(&self, uid: u32) -> Result<(), Fault> {
        let limits = &self.calls.limits;
        let inside = || self.inside.values().filter(|seat| !seat.holds());
        if inside().count() >= limits.connections {
            let text = format!("the daemon has {} connections open", limits.connections);
            return Err(Fault::new(Kind::Busy, text));
        }
        let own = inside().filter(|seat| seat.peer.uid == uid).count();
        if own >= limits.per_uid {
            let text = format!("you have {own} connections open, as many as one user may");
            return Err(Fault::new(Kind::Busy, text));
        }
        Ok(())
    }

    fn left(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a connection's task broke off: please report it");
                error.id()
            }
        };
        self.inside.remove(&id);
    }

    /// Let the calls in flight end, within bounds.
    async fn close(mut self) {
        self.stopping.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let grace = self.calls.limits.grace;
        if within(grace, all).await.is_none() {
            let left = self.tasks.len();
            tracing::warn!(left, "connections closed over calls still in flight");
        }
    }
}

/// Tell a client that there is no room. Its request is awaited, since an answer before the question
/// confuses HTTP clients, but not read for meaning.
async fn turn_away(stream: UnixStream, fault: Fault) {
    let told = async {
        let mut ignored = [0; 4096];
        loop {
            stream.readable().await?; // may be wrong about it
            match stream.try_read(&mut ignored) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        stream.writable().await?;
        stream.try_write(reply::turned_away(&fault).as_bytes())
    };
    if let Some(Err(error)) = within(TURN_AWAY_TIME, told).await {
        tracing::debug!(%error, "a client is gone before it was told");
    }
}

/// Serve one connection until it ends, is told to, or has been open long enough.
async fn connection(
    calls: Calls,
    seat: Arc<Seat>,
    stream: UnixStream,
    mut stopping: watch::Receiver<bool>,
) {
    let limits = calls.limits.clone();
    let (calls, seat) = (&calls, &seat);
    let service =
        service_fn(
            move |request| async move { Ok::<_, Infallible>(calls.answer(seat, request).await) },
        );
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let told = pin!(async {
        // A held lease stays as long as its holder: its deadline is the bound.
        while within(limits.life, stopping.wait_for(|stopping| *stopping)).await.is_none() {
            if !seat.holds() {
                break;
            }
        }
    });
    match select(serving.as_mut(), told).await {
        Either::Left((ended, _)) => return note(ended),
        Either::Right(_) => serving.as_mut().graceful_shutdown(),
    }
    let rest = poll_fn(|cx| serving.as_mut().poll(cx));
    match within(limits.linger, rest).await {
        Some(ended) => note(ended),
        None => tracing::debug!(uid = seat.peer.uid, "a connection is closed that never ends"),
    }
}

/// A connection that ends badly is the client's business.
fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(error = crate::fault::chain(&error), "a connection broke off");
    }
}
