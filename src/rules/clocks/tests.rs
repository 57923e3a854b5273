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
        Reading { wall: Time(self.wall), boot: self.boot, boot_id: self.boot_id.into() }
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
fn a_paused_machine_learns_the_time_from_a_second_answer() {
    let mut machine = Machine::new();
    machine.aws(START + 3 * HOUR); // both clocks stood still
    let judged = machine.judge();
    assert_eq!(judged.now.latest.0 - START, 0);
    assert_eq!(judged.doubt, Some(Doubt::DateAlone(3 * HOUR)), "it is asked again");
    machine.pass(SECOND);
    machine.aws(START + 3 * HOUR + SECOND);
    let judged = machine.judge();
    assert_eq!(judged.now.latest.0 - START, 3 * HOUR + SECOND);
    assert_eq!(judged.doubt, Some(Doubt::WallAlone(-3 * HOUR)));
}

/// Jumps from a second to ten years, both ways.
fn jumps() -> impl Iterator<Item = i64> {
    let sizes = [SECOND, 29 * SECOND, 31 * SECOND, MINUTE, HOUR, DAY, 365 * DAY, 3_653 * DAY];
    sizes.into_iter().flat_map(|size| [size, -size])
}

/// How a clock may lie, and by how much the present may then be ahead and behind of the truth.
struct Case {
    name: &'static str,
    lie: fn(&mut Machine, i64),
}

/// Each clock lies alone. No lie makes a lease end early by more than clocks that agree may differ,
/// and none makes it live longer.
#[test]
fn no_clock_alone_moves_the_present() {
    let cases = [
        Case { name: "wall", lie: |machine, by| machine.wall += by },
        Case { name: "one date", lie: |machine, by| machine.aws(machine.wall + by) },
        Case {
            name: "dates that contradict each other",
            lie: |machine, by| {
                machine.aws(machine.wall + by);
                machine.pass(2 * SECOND);
                machine.aws(machine.wall + 2 * by);
            },
        },
    ];
    for Case { name, lie } in &cases {
        for by in jumps() {
            let mut machine = Machine::new();
            machine.pass(10 * MINUTE);
            machine.aws(START + 10 * MINUTE);
            let before = machine.latest();
            lie(&mut machine, by);
            machine.pass(SECOND);
            let passed = machine.boot - 5_000;
            let judged = machine.judge();
            let latest = judged.now.latest.0 - START;
            assert!(latest >= before, "{name} by {by}: time ran backwards");
            assert!(latest <= passed + AGREE, "{name} by {by}: {} ms early", latest - passed);
            assert!(latest >= passed - AGREE, "{name} by {by}: {} ms late", passed - latest);
            assert!(judged.now.least.0 - START <= passed, "{name} by {by}: settled too soon");
        }
    }
}

/// A true jump, of a machine that was suspended or paused, is believed as soon as AWS says so.
#[test]
fn a_jump_that_is_true_is_believed_within_two_answers() {
    for by in jumps().filter(|by| *by > AGREE) {
        // Suspend: the boot clock counts it, whatever the wall does.
        let mut machine = Machine::new();
        machine.boot += by;
        assert_eq!(machine.latest(), by, "suspended for {by}");
        // Pause: no clock of the host counts it.
        let mut machine = Machine::new();
        for _ in 0..2 {
            machine.pass(SECOND);
            machine.aws(machine.wall + by);
        }
        let passed = machine.boot - 5_000;
        assert!(machine.latest() >= passed + by - SECOND, "paused for {by}");
        // A reboot, with the hardware clock set back or ahead: AWS decides at once.
        let mut machine = Machine::new();
        machine.boot_id = "two";
        machine.boot = 0;
        machine.wall -= by;
        machine.clocks = Clocks::new(machine.clocks.anchor.clone(), machine.clocks.high_water);
        machine.aws(START + by);
        assert_eq!(machine.latest(), by, "rebooted after {by}");
    }
}

/// A date that stood alone is forgotten when the next one does not.
#[test]
fn an_answer_that_was_wrong_once_leaves_nothing_behind() {
    let mut machine = Machine::new();
    machine.aws(START + HOUR);
    machine.pass(2 * SECOND);
    machine.aws(START + 2 * SECOND);
    assert_eq!(machine.judge().doubt, None);
    machine.pass(2 * SECOND);
    machine.aws(START + HOUR);
    assert!(machine.latest() < MINUTE, "again the first of its kind");
    machine.pass(2 * MINUTE);
    assert_eq!(machine.judge().doubt, None, "nobody has repeated it");
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

/// The first answer came on the full second, so that none of the later ones, nine tenths of a
/// second early, is as good. It is not the last word for all that: when it is too old to be carried
/// on, another stands in, and a wall clock that is a little late leads at no time.
#[test]
fn a_wall_clock_that_is_late_within_tolerance_leads_at_no_time() {
    let mut machine = Machine::new();
    machine.wall -= 10 * SECOND;
    machine.pass(900);
    for minute in 1..=6 * 60 {
        machine.pass(MINUTE);
        let now = minute * MINUTE + 900;
        if minute % 5 == 0 {
            machine.aws(START + now);
        }
        let late = now - machine.latest();
        assert!((0..SECOND).contains(&late), "{late} ms behind in minute {minute}");
    }
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

/// Whoever makes AWS's `Date` and the wall clock both lie, after a restart, gains nothing by it:
/// what the ledger remembers was the present once.
#[test]
fn the_present_never_falls_behind_what_the_ledger_remembers() {
    for back in [SECOND, MINUTE, DAY] {
        let remembered = Time(START + back);
        let mut clocks = Clocks::new(None, remembered);
        let reading = Reading { wall: Time(START), boot: 5_000, boot_id: "one".into() };
        clocks.heard(Time(START), &reading);
        let judged = clocks.judge(&reading);
        assert_eq!((judged.doubt, judged.now.latest), (None, remembered), "{back} ms back");
        assert!(judged.now.least <= judged.now.latest);
    }
}
