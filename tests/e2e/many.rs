//! Many at once: 1,000 leases over 30 s and 200 at one second all end, in the order of their
//! deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use testbed::load::{RATE, deadlines, ends, lend};
use testbed::{Config, PATIENCE, Sandbox, Turn, now_ms, until_within};

use crate::GRANTD;
use crate::lease::history_verifies;

#[test]
fn a_thousand_over_half_a_minute_and_two_hundred_at_one_second() {
    let _alone = Turn::wait("many");
    let sandbox = Sandbox::start();
    let rates = Config { create_rate: RATE, end_rate: RATE, ..Config::default() };
    let host = sandbox.host(GRANTD, &rates);
    let _daemon = host.ready();
    let deadlines = deadlines();
    lend(&host, &sandbox, &deadlines);
    assert_eq!(sandbox.living().len(), 1_200);

    let left = u64::try_from(deadlines.iter().max().unwrap() - now_ms()).unwrap_or(0);
    let bound = Duration::from_millis(left) + 2 * PATIENCE;
    until_within(bound, "all are ended", || sandbox.living().is_empty().then_some(()));
    let ends = ends(&sandbox);
    assert_eq!(ends.len(), deadlines.len(), "each was ended, once");
    in_order(&ends);
    none_early_none_late(&ends);
    history_verifies(&host);
}

/// Deadlines never fall in the order in which the ends took effect, but for what was on the wire at
/// the same time: two requests that leave together may overtake each other.
fn in_order(ends: &[(i64, i64)]) {
    for pair in ends.windows(2) {
        let [(due, at), (next_due, next_at)] = pair else { continue };
        let together = next_at - at < 100;
        assert!(next_due >= due || together, "{next_due} ended after {due}, at {next_at} and {at}");
    }
}

/// The k-th end of a second is sent k / rate later; the failing bound is on top of that.
fn none_early_none_late(ends: &[(i64, i64)]) {
    let patience = i64::try_from(PATIENCE.as_millis()).unwrap();
    let mut in_second: BTreeMap<i64, i64> = BTreeMap::new();
    for (due, at) in ends {
        let k = in_second.entry(*due).and_modify(|k| *k += 1).or_insert(1);
        let bound = patience + *k * 1_000 / i64::from(RATE);
        assert!((0..bound).contains(&(at - due)), "number {k} of its second, {} ms late", at - due);
    }
}
