//! Many leases at once, and how late they ended.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use kms_sandbox::{Entry, Op};
use serde_json::json;

use crate::host::Host;
use crate::sandbox::Sandbox;
use crate::wait::now_ms;

/// Requests per second and operation: just below the sandbox's quota of 50, which is AWS's.
pub const RATE: u32 = 45;
/// Askers at once: below the API's cap of connections per user.
const ASKERS: usize = 6;
/// Making the leases of [`deadlines`] takes 27 s at [`RATE`]; the first is due behind that.
const LEAD_SECONDS: i64 = 45;

/// 1,000 deadlines over 30 s and then 200 at one second, in Unix milliseconds, far enough ahead to
/// be asked for before the first is due.
#[must_use]
pub fn deadlines() -> Vec<i64> {
    let start = (now_ms() / 1_000 + LEAD_SECONDS) * 1_000;
    let thousand = (0..1_000).map(|i| start + i * 30 / 1_000 * 1_000);
    thousand.chain(std::iter::repeat_n(start + 40_000, 200)).collect()
}

/// Makes one lease for RoleB for each deadline, as fast as the daemon's rate allows.
pub fn lend(host: &Host, sandbox: &Sandbox, deadlines: &[i64]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                while let Some(deadline) = deadlines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let until = Timestamp::from_millisecond(*deadline).expect("an instant");
                    let request = json!({
                        "key": sandbox.story.alias, "grantee": "role/RoleB",
                        "operations": ["Decrypt"], "until": until.to_string(),
                    });
                    let made = host.post("/v1/leases", &request);
                    assert_eq!(made.status, 201, "{made:?}");
                }
            });
        }
    });
    let first = deadlines.iter().min().expect("a deadline");
    assert!(now_ms() < *first, "too slow: the first was due before the last was made");
}

/// Of each accepted end of a lease, in the order in which they took effect: the deadline that
/// stands in the grant's Name, and the instant.
#[must_use]
pub fn ends(sandbox: &Sandbox) -> Vec<(i64, i64)> {
    let due = |end: &Entry| {
        let text = end.name.as_deref()?.rsplit('/').next()?;
        Some(text.parse::<Timestamp>().ok()?.as_millisecond())
    };
    let ends = sandbox.accepted(Op::RetireGrant);
    ends.iter().map(|end| (due(end).expect("the Name tells the deadline"), end.at_ms)).collect()
}
