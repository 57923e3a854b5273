//! What the log says of each request.

use hyper::Method;

use super::limits::Stopwatch;

/// A request's line in the log, written when the request is over: answered, or left by its client.
/// Never the query, a header or a body: they hold what people write, and tokens.
pub(super) struct Line {
    uid: u32,
    pub(super) method: Method,
    pub(super) path: String,
    watch: Stopwatch,
    pub(super) status: Option<u16>,
}

impl Line {
    pub(super) fn new(uid: u32, method: Method, path: String) -> Self {
        Self { uid, method, path, watch: Stopwatch::start(), status: None }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { uid, method, path, watch, status } = self;
        let elapsed_ms = watch.elapsed_ms();
        match status {
            Some(status) => tracing::info!(uid, %method, path, status, elapsed_ms, "request"),
            None => tracing::info!(uid, %method, path, elapsed_ms, "request not waited for"),
        }
    }
}
