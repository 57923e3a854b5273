//! The bounds of one call, and how they are kept.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion};
use aws_smithy_types::timeout::TimeoutConfig;
use futures_util::future::{Either, select};

use crate::clock::Clock;
use crate::rules::time::SECOND;

/// Names grantd in the user agent, and in the session of an assumed role, by which CloudTrail knows
/// it.
pub const APP: &str = "grantd";
/// No attempt may take longer: `rules::life::PATIENCE` gives an answer up for lost soon after.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// An endpoint that does not even accept for so long is not going to.
pub const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The adapter's bounds. Longer ones than [`ATTEMPT_MAX`] and [`CONNECT_MAX`] are cut to those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long one call may take, from the credentials to the last byte of the answer.
    pub attempt_timeout: Duration,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { attempt_timeout: ATTEMPT_MAX, connect_timeout: CONNECT_MAX }
    }
}

impl Settings {
    pub(super) fn bounded(self) -> Self {
        Self {
            attempt_timeout: self.attempt_timeout.min(ATTEMPT_MAX),
            connect_timeout: self.connect_timeout.min(CONNECT_MAX),
        }
    }

    pub(super) fn attempt_ms(&self) -> i64 {
        i64::try_from(self.attempt_timeout.as_millis()).unwrap_or(10 * SECOND)
    }

    pub(super) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect_timeout)
            .operation_attempt_timeout(self.attempt_timeout)
            .operation_timeout(self.attempt_timeout)
            .build()
    }
}

/// Pinned: a new SDK must not change time-outs or retries behind our back.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

pub(super) fn app_name() -> Option<AppName> {
    AppName::new(APP).ok()
}

/// `work`'s result, unless it takes longer than `ms` of boot-time: suspend counts.
pub(super) async fn within<T>(
    clock: &dyn Clock,
    ms: i64,
    work: impl Future<Output = T>,
) -> Option<T> {
    let end = clock.read().boot.saturating_add(ms);
    let bound = async {
        while clock.read().boot < end {
            clock.nap(end.saturating_sub(clock.read().boot)).await;
        }
    };
    match select(pin!(bound), pin!(work)).await {
        Either::Left(((), _)) => None,
        Either::Right((done, _)) => Some(done),
    }
}
