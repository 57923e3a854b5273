//! How late ends take effect, as the embedded KMS saw it: 1,000 leases over 30 s, then 200 at one
//! second. Promise 2: the k-th end due in one second is sent within 0.5 s + k / rate (p99), 2 s + k
//! / rate at most.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Duration;

use testbed::load::{RATE, deadlines, ends, lend};
use testbed::{Config, PATIENCE, Sandbox, now_ms, until_within};

fn main() {
    let sandbox = Sandbox::start();
    let rates = Config { create_rate: RATE, end_rate: RATE, ..Config::default() };
    let host = sandbox.host(env!("CARGO_BIN_EXE_grantd"), &rates).direct();
    let daemon = host.ready();
    println!("resident memory, idle: {:.1} MB", resident_mb(daemon.pid()));

    let deadlines = deadlines();
    lend(&host, &sandbox, &deadlines);
    println!("resident memory, 1,200 leases: {:.1} MB", resident_mb(daemon.pid()));

    let last = *deadlines.iter().max().unwrap();
    let left = u64::try_from(last - now_ms()).unwrap_or(0);
    let bound = Duration::from_millis(left) + 2 * PATIENCE;
    until_within(bound, "all are ended", || sandbox.living().is_empty().then_some(()));
    let (mut at_once, mut spread) = (Vec::new(), Vec::new());
    for (due, at) in ends(&sandbox) {
        let set = if due == last { &mut at_once } else { &mut spread };
        set.push(at - due);
    }
    show("1,000 over 30 s", &mut spread);
    show("200 at one second", &mut at_once);
}

fn show(what: &str, late: &mut [i64]) {
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() * percent / 100).min(late.len() - 1)];
    println!(
        "{what}: {} ends, late by p50 {} ms, p99 {} ms, max {} ms",
        late.len(),
        at(50),
        at(99),
        at(100)
    );
}

/// `VmRSS` of a process, in MB.
fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kb: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb / 1_000.0
}
