//! Every clock lies once, alone, in each direction.

use super::*;
use crate::rules::time::{DAY, HOUR};

const START: i64 = 1_800_000_000_000;

/// Wall and boot clock advance together unless told otherwise.
struct Machine {
    wall: i64,
    boot: i64,
    boot_id: &'static str,
    clocks: Clocks,
}

impl Machine {
    fn new() -> Self {
        let mut machine =
            Self { wall: START, boot: 5_000, boot_id: "one", clocks: Clocks::new(None, Time(0)) };
        machine.aws(START);
        assert_eq!(machine.judge().doubt, None);
        machine
    }

    fn reading(&self) -> Reading {
        Reading { wall: Time(self.wall), boot: self.boot, boot_id: self.boot_id.to_owned() }
    }

    fn pass(&mut self, ms: i64) {
        self.wall += ms;
        self.boot += ms;
    }

    fn aws(&mut self, at: i64) {
        let reading = self.reading();
        self.clocks.heard(Time(at).floor_second(), &reading);
    }

    fn judge(&mut self) -> Judgement {
        let reading = self.reading();
        self.clocks.judge(&reading)
    }

    fn latest(&mut self) -> i64 {
        self.judge().now.latest.0 - START
    }
}

#[test]
fn at_the_first_start_nothing_is_believed_until_aws_has_spoken() {
    let mut machine = Machine {
        wall: START,
        boot: 5_000,
        boot_id: "one",
        clocks: Clocks::new(None, Time(START - HOUR)),
    };
    let before = machine.judge();
    assert_eq!(before.doubt, Some(Doubt::Unconfirmed));
    assert_eq!(before.now.latest, Time(START - HOUR));
    machine.aws(START + 400);
    let after = machine.judge();
    assert_eq!((after.doubt, after.now.latest), (None, Time(START)));
}

#[test]
fn a_backward_step_of_the_wall_does_not_hold_time_back() {
    for step in [MINUTE, HOUR, 10 * 365 * DAY] {
        let mut machine = Machine::new();
        machine.wall -= step;
        machine.pass(10 * SECOND);
        assert_eq!(machine.latest(), 10 * SECOND, "step {step}");
        assert_eq!(machine.judge().doubt, Some(Doubt::WallAlone(-step)));
    }
}

#[test]
fn a_forward_step_of_the_wall_is_not_believed_alone() {
    for step in [MINUTE, HOUR, 10 * 365 * DAY] {
        let mut machine = Machine::new();
        machine.wall += step;
        machine.pass(SECOND);
        assert_eq!(machine.latest(), SECOND, "step {step}");
    }
}

#[test]
fn a_forward_step_that_aws_confirms_is_believed_at_once() {
    let mut machine = Machine::new();
    machine.wall += HOUR;
    machine.aws(START + HOUR);
    assert_eq!(machine.latest(), HOUR);
    assert_eq!(machine.judge().doubt, None);
}

#[test]
fn suspend_counts_because_the_boot_clock_counts_it() {
    let mut machine = Machine::new();
    machine.boot += 8 * HOUR; // the wall clock was not restored from the hardware clock
    assert_eq!(machine.latest(), 8 * HOUR);
}

#[test]
fn a_paused_machine_learns_the_time_from_aws() {
    let mut machine = Machine::new();
    machine.aws(START + 3 * HOUR); // both clocks stood still
    let judged = machine.judge();
    assert_eq!(judged.now.latest.0 - START, 3 * HOUR);
    assert_eq!(judged.doubt, Some(Doubt::WallAlone(-3 * HOUR)));
}

#[test]
fn a_reboot_with_a_clock_set_back_does_not_bring_the_past_back() {
    let mut machine = Machine::new();
    machine.pass(HOUR);
    assert_eq!(machine.latest(), HOUR);
    machine.boot_id = "two";
    machine.boot = 0;
    machine.wall = START - DAY;
    machine.clocks = Clocks::new(machine.clocks.anchor.clone(), machine.clocks.high_water);
    assert_eq!(machine.latest(), HOUR);
    machine.aws(START + 2 * HOUR);
    assert_eq!(machine.latest(), 2 * HOUR);
}

#[test]
fn a_restart_in_the_same_boot_keeps_the_anchor() {
    let mut machine = Machine::new();
    machine.clocks = Clocks::new(machine.clocks.anchor.clone(), machine.clocks.high_water);
    machine.pass(90 * SECOND);
    assert_eq!(machine.latest(), 90 * SECOND);
    assert_eq!(machine.judge().doubt, None);
}

#[test]
fn settled_is_judged_by_the_earliest_clock_that_agrees() {
    let mut machine = Machine::new();
    machine.pass(10 * MINUTE);
    machine.wall += 20 * SECOND;
    let judged = machine.judge();
    assert_eq!(judged.now.latest.0 - START, 10 * MINUTE + 20 * SECOND);
    assert!(judged.now.least.0 - START <= 10 * MINUTE);
}

#[test]
fn a_late_answer_with_an_old_date_does_not_set_time_back() {
    let mut machine = Machine::new();
    machine.pass(9 * SECOND);
    let before = machine.latest();
    machine.aws(START + SECOND);
    assert_eq!(machine.latest(), before);
}

#[test]
fn the_high_water_mark_never_falls_and_least_never_passes_latest() {
    let mut machine = Machine::new();
    let mut highest = machine.judge().now.latest;
    for step in [0, 5, -20, 40, -3_600, 7_200, -5, 29, -29] {
        machine.pass(SECOND);
        machine.wall += step * SECOND;
        let now = machine.judge().now;
        assert!(now.latest >= highest && now.least <= now.latest);
        highest = now.latest;
    }
}
