//! The production engine and ledger on one thread, under a simulated clock, against the sandbox's
//! core: with lost requests, lost answers, late deliveries, throttling, outages, crashes and
//! reopens. A seed replays to the letter.
//!
//! `GRANTD_SEEDS=from..to cargo test --test simulation` runs other seeds; a failure prints its
//! seed.
#![expect(clippy::unwrap_used, reason = "a test panics where its world is not as it must be")]
#![expect(clippy::disallowed_methods, reason = "the simulated clock is tokio's paused one")]
#![expect(clippy::print_stderr, reason = "the figures of a run are for the one who runs it")]

mod actors;
mod chain;
mod check;
mod clock;
mod extend;
mod hold;
mod hostile;
mod kms;
mod many;
mod people;
mod scenarios;
mod settings;
mod stage;
mod switches;
mod world;

use world::World;

/// The seeds of the gate: four tests of fifty, so that two cores share them.
const SHARE: u64 = 50;

fn seeds(quarter: u64) -> std::ops::Range<u64> {
    match std::env::var("GRANTD_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").unwrap();
            let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
            let share = (to - from).div_ceil(4);
            from + quarter * share..(from + (quarter + 1) * share).min(to)
        }
        Err(_) => quarter * SHARE..(quarter + 1) * SHARE,
    }
}

fn run(quarter: u64) {
    let mut total = world::Figures::default();
    let seeds = seeds(quarter);
    // A few seeds need not meet everything.
    let few = seeds.end.saturating_sub(seeds.start) < SHARE;
    for seed in seeds {
        let figures = World::run(seed);
        total.add(&figures);
    }
    eprintln!("{total}");
    let frozen = total.refused.contains_key("frozen");
    let wild = total.granted > 0 && total.crashes > 0 && total.extended > 0 && frozen;
    assert!(few || wild, "the world was too tame: {total}");
}

#[test]
fn first_quarter_of_the_seeds() {
    run(0);
}

#[test]
fn second_quarter_of_the_seeds() {
    run(1);
}

#[test]
fn third_quarter_of_the_seeds() {
    run(2);
}

#[test]
fn fourth_quarter_of_the_seeds() {
    run(3);
}

#[test]
fn a_seed_replays_to_the_letter() {
    assert_eq!(World::run(7).trace, World::run(7).trace);
    assert_ne!(World::run(7).trace, World::run(8).trace);
}
