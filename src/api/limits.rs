//! What a client may take of the API, in counts, bytes and time; and the only timers outside the
//! clock port.
//!
//! Network time-outs may stop in suspend and ignore clock steps: they bound how long a *connection*
//! lasts, and no deadline of a lease depends on them.

use std::time::Duration;

/// The bounds of the API. Every value of [`Limits::default`] has its reason beside it; tests shrink
/// or widen them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once: the CLI needs one, for milliseconds; 64 descriptors and their buffers
    /// fit any host.
    pub connections: usize,
    /// Connections at once of one user, so that no user can keep the others out alone.
    pub per_uid: usize,
    /// Leases held at once, each on a connection of its own beside those: an idle one costs a
    /// descriptor and a few kilobytes.
    pub holds: usize,
    /// Leases held at once by one user: more than the leases that a user may have by default.
    pub holds_per_uid: usize,
    /// From the first byte awaited to the end of the headers. It counts from the last reply on too,
    /// so that an idle connection is closed after the same time.
    pub header: Duration,
    /// For the body of one request.
    pub body: Duration,
    /// For the answer of the engine or the ledger: a create waits 10 s for KMS and up to 15 s for
    /// the first proof of the way out on a key.
    pub reply: Duration,
    /// After this a connection takes no further request: even a client that never reads its reply
    /// goes in the end. A connection that holds a lease stays for as long as that does.
    pub life: Duration,
    /// After `life`, for the call in flight (the reply and its way to the client).
    pub linger: Duration,
    /// After the stop, for calls in flight (DESIGN: up to 10 s).
    pub grace: Duration,
    /// Bytes of a request's body: a create with every field full stays under 16 KiB.
    pub body_bytes: usize,
    /// Header lines of a request; curl sends three.
    pub headers: usize,
    /// Bytes of a request's headers, and of the read buffer of a connection.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            per_uid: 8,
            holds: 256,
            holds_per_uid: 32,
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            reply: Duration::from_secs(30),
            life: Duration::from_secs(60),
            linger: Duration::from_secs(40),
            grace: Duration::from_secs(10),
            body_bytes: 64 * 1024,
            headers: 64,
            header_bytes: 16 * 1024,
        }
    }
}

/// The output of `future`, or `None` when it takes longer than `limit`.
#[expect(
    clippy::disallowed_methods,
    reason = "a network time-out: no lease's deadline depends on it"
)]
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Wait for `pause` on the socket's behalf.
#[expect(
    clippy::disallowed_methods,
    reason = "a network time-out: no lease's deadline depends on it"
)]
pub(crate) async fn pause(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Measures how long a request took, for its log line.
pub(crate) struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the length of one request, for the log alone")]
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
