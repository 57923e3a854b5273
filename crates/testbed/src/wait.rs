//! Waiting for levels, and taking turns.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::venv;

/// How long a level may take before the test has failed. Generous: a busy machine must not fail it.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a level.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `reached` gives something, at most [`PATIENCE`] long. `what` says what was awaited.
#[track_caller]
pub fn until<T>(what: &str, reached: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, reached)
}

/// The same with another bound, for levels that lie in the future by themselves, such as a
/// deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a test waits: looks at a level, never for time to pass"
)]
#[track_caller]
pub fn until_within<T>(bound: Duration, what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(level) = reached() {
            return level;
        }
        assert!(start.elapsed() < bound, "not within {bound:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Unix milliseconds, by the clock that the sandbox and the daemon use too.
#[expect(clippy::disallowed_methods, reason = "tests compare instants of the real clock")]
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("before the year 292 million")
}

/// A turn among the tests of all processes that would disturb each other's measurements, or that
/// would make the same thing. Given up when dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

impl Turn {
    /// Waits for its turn at `name`.
    #[must_use]
    pub fn wait(name: &str) -> Self {
        let path = venv::target().join(format!("{name}.lock"));
        let file = File::create(&path).expect("target is writable");
        file.lock().expect("a lock of our own file");
        Self { _file: file }
    }
}
