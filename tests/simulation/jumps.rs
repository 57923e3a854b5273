//! Clocks that jump, each alone, around a deadline: lateness is at most two seconds, nothing is
//! gained by setting a clock back, and no lease ends early by one false clock.

use grantd::rules::clocks::AGREE;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::Op;

use crate::clock::pause;
use crate::stage::{Stage, late, play};

/// What a lease is late after a jump at most.
const LATE: i64 = 2 * SECOND;
const YEAR: i64 = 365 * 24 * HOUR;
/// How far the wall clock is set, both ways.
const STEPS: [i64; 11] = [
    SECOND,
    10 * SECOND,
    AGREE - 1,
    AGREE + SECOND,
    90 * SECOND,
    10 * MINUTE,
    HOUR,
    40 * HOUR,
    30 * 24 * HOUR,
    YEAR,
    10 * YEAR,
];
/// When it happens, before the deadline.
const BEFORE: [i64; 5] = [20 * MINUTE, 5 * SECOND, SECOND, 1, -MINUTE];

#[derive(Debug, Clone, Copy)]
enum Jump {
    Wall(i64),
    /// The wall clock is set and, after ten seconds, set right again.
    There(i64),
    Suspend(i64),
    /// The boot clock stops as well.
    Pause(i64),
    /// Crash and another boot, the wall clock so far off from then on.
    Reboot(i64),
    /// Answers carry no `Date` while the wall clock is off.
    Blind(i64),
}

/// A lease that a jump meets so long before its deadline: how much after it its end left.
async fn lateness(jump: Jump, before: i64) -> i64 {
    let stage = Stage::new(0);
    let (net, key) = (stage.net.clone(), stage.key.clone());
    let clock = net.clock.clone();
    let until = |at: Time| pause(at.0 - clock.now());
    let lease = stage
        .live(async |daemon| {
            let lease = daemon.create(&key, "30m").await.unwrap();
            until(lease.deadline.plus(-before)).await;
            match jump {
                Jump::Wall(step) => clock.set_wall(step),
                Jump::There(step) => {
                    clock.set_wall(step);
                    pause(10 * SECOND).await;
                    clock.set_wall(0);
                }
                Jump::Suspend(ms) | Jump::Pause(ms) => {
                    stage.sleep.fall();
                    pause(ms).await;
                    if matches!(jump, Jump::Pause(_)) {
                        clock.lose(ms);
                    }
                    stage.sleep.wake();
                    clock.set_wall(0);
                }
                Jump::Blind(step) => {
                    net.undated.set(true);
                    clock.set_wall(step);
                }
                Jump::Reboot(_) => return lease,
            }
            until(lease.deadline).await;
            pause(MINUTE).await;
            lease
        })
        .await;
    if let Jump::Reboot(step) = jump {
        clock.reboot();
        clock.step.set(step);
        stage.live(async |_| until(lease.deadline.plus(MINUTE)).await).await;
    }
    let id = lease.grants[0].grant_id.as_ref().unwrap().to_string();
    let ends = stage.accepted(Op::RetireGrant);
    let end = ends.iter().find(|entry| entry.grant_id.as_deref() == Some(id.as_str()));
    let end = end.unwrap_or_else(|| panic!("{jump:?} {before} ms before: it never ended"));
    late(end, lease.deadline)
}

fn meet(jump: Jump, early: i64) {
    for before in BEFORE {
        play(|| async move {
            let after = lateness(jump, before).await;
            // Who stands still can only be late; two seconds count from when he goes on.
            let stood = match jump {
                Jump::Suspend(ms) | Jump::Pause(ms) => (ms - before).max(0),
                Jump::Wall(_) | Jump::There(_) | Jump::Reboot(_) | Jump::Blind(_) => 0,
            };
            assert!(after <= stood + LATE, "{jump:?} {before} ms before: {after} ms late");
            assert!(after >= -early, "{jump:?} {before} ms before: {after} ms, which is early");
        });
    }
}

/// Two clocks so close agree, and the later one decides: that much may be lost, never gained.
fn believed(step: i64) -> i64 {
    if (0..=AGREE).contains(&step) { step } else { 0 }
}

#[test]
fn a_wall_clock_that_is_set_changes_no_end() {
    for step in STEPS.into_iter().flat_map(|step| [step, -step]) {
        meet(Jump::Wall(step), believed(step));
        meet(Jump::There(step), believed(step));
    }
}

#[test]
fn without_a_date_the_boot_clock_alone_holds_against_the_wall_clock() {
    for step in STEPS.into_iter().flat_map(|step| [step, -step]) {
        meet(Jump::Blind(step), believed(step));
    }
}

#[test]
fn who_stood_still_ends_what_is_overdue_within_two_seconds() {
    for lasts in [3 * SECOND, MINUTE, 45 * MINUTE, 20 * HOUR] {
        meet(Jump::Suspend(lasts), 0);
        meet(Jump::Pause(lasts), 0);
    }
}

#[test]
fn over_a_reboot_a_false_clock_is_found_out_by_the_first_date() {
    for step in STEPS.into_iter().flat_map(|step| [step, -step]) {
        meet(Jump::Reboot(step), believed(step));
    }
}
