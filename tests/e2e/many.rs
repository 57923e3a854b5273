//! Many at once: 1,000 leases over 30 s and 200 at one second all end, in the order of their deadlines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kms_sandbox::Entry;
use serde_json::json;
use testbed::{Config, Host, PATIENCE, Sandbox, Turn, now_ms, until_within};

use crate::GRANTD;
use crate::lease::{Lease, ends, history_verifies};

/// Requests per second and operation: just below the sandbox's quota of 50, which is AWS's.
const RATE: u32 = 45;
/// Askers at once: below the API's cap per user.
const ASKERS: usize = 6;

/// Makes one lease for each deadline (Unix milliseconds, whole seconds), as fast as the rate allows.
fn make(host: &Host, sandbox: &Sandbox, deadlines: &[i64]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                while let Some(deadline) = deadlines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let until = jiff::Timestamp::from_millisecond(*deadline).unwrap();
                    let request = json!({
                        "key": sandbox.story.alias, "grantee": "role/RoleB",
                        "operations": ["Decrypt"], "until": until.to_string(),
                    });
                    Lease::of(&host.post("/v1/leases", &request), 201);
                }
            });
        }
    });
}

/// Waits for all ends, and checks their order and their lateness against the deadlines in their Names.
fn check(sandbox: &Sandbox, deadlines: &[i64]) {
    let last = deadlines.iter().max().unwrap();
    let due_ms = u64::try_from(last - now_ms()).unwrap_or(0);
    let burst = Duration::from_secs_f64(deadlines.len() as f64 / f64::from(RATE));
    until_within(Duration::from_millis(due_ms) + burst + PATIENCE, "all are ended", || {
        sandbox.living().is_empty().then_some(())
    });
    let ends = ends(sandbox);
    assert_eq!(ends.len(), deadlines.len(), "each was ended, once");
    let order: Vec<i64> = ends.iter().map(deadline).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    // Two requests on the wire may overtake each other: an end may stand behind one that was due a second later, if both
    // left at the same time. In the order of deadlines, no end is out of place by more than what is in flight.
    let misplaced = order.iter().zip(&sorted).filter(|(is, should)| is != should).count();
    assert!(misplaced * 20 <= order.len(), "{misplaced} of {} out of order", order.len());
    assert!(order.windows(2).all(|pair| pair[1] >= pair[0] - 1_000), "{order:?}");
    let mut in_second: BTreeMap<i64, i64> = BTreeMap::new();
    for end in &ends {
        let due = deadline(end);
        let k = in_second.entry(due).and_modify(|k| *k += 1).or_insert(1);
        let late = end.at_ms - due;
        let bound = 10_000 + *k * 1_000 / i64::from(RATE);
        assert!((0..bound).contains(&late), "number {k} of its second, {late} ms late");
    }
}

/// The deadline that stands in the grant's Name.
fn deadline(end: &Entry) -> i64 {
    let name = end.name.as_deref().unwrap();
    let text = name.rsplit('/').next().unwrap();
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[test]
fn a_thousand_over_half_a_minute_and_two_hundred_at_one_second() {
    let _alone = Turn::wait("many");
    let sandbox = Sandbox::start();
    let rates = Config { create_rate: RATE, end_rate: RATE, ..Config::default() };
    let host = sandbox.host(GRANTD, &rates);
    let _daemon = host.ready();

    // Making 1,200 takes 27 s at this rate; the first deadline lies behind that.
    let start = (now_ms() / 1_000 + 45) * 1_000;
    let thousand: Vec<i64> = (0..1_000).map(|i| start + i * 30 / 1_000 * 1_000).collect();
    let all = [thousand, vec![start + 40_000; 200]].concat();
    make(&host, &sandbox, &all);
    assert!(now_ms() < start, "this machine is too slow to make them before the first is due");
    assert_eq!(sandbox.living().len(), 1_200);

    check(&sandbox, &all);
    history_verifies(&host);
}
