use super::*;
use crate::rules::time::SECOND;

const NOW: Time = Time(1_795_449_600_000);

fn at(minutes: i64) -> Time {
    NOW.plus(minutes * MINUTE)
}

/// A chain from (serial, deadline in minutes, place); ends are sent at the deadline.
fn chain(links: &[(u32, i64, Place)]) -> Vec<Link> {
    let link = |(serial, deadline, place): &(u32, i64, Place)| {
        let deadline = at(*deadline);
        Link { serial: *serial, deadline, due_at: deadline, place: *place }
    };
    links.iter().map(link).collect()
}

fn stands(links: &[(u32, i64, Place)]) -> Result<(u32, i64, u32), Unready> {
    let standing = standing(&chain(links), NOW)?;
    let minutes = standing.deadline.since(NOW) / MINUTE;
    Ok((standing.next, minutes, standing.extensions))
}

use Place::{Live, Missing, Never, Over, Unknown};

#[test]
fn the_last_grant_that_exists_is_the_current_one() {
    assert_eq!(stands(&[(1, 60, Live)]), Ok((2, 60, 0)));
    assert_eq!(stands(&[(1, 60, Live), (2, 120, Live)]), Ok((3, 120, 1)));
    assert_eq!(stands(&[(1, -5, Over), (2, 120, Live)]), Ok((3, 120, 1)));
    // What KMS never made keeps its serial, and counts for nothing else.
    assert_eq!(stands(&[(1, 60, Live), (2, 120, Never)]), Ok((3, 60, 0)));
    assert_eq!(stands(&[(2, 120, Live), (1, 60, Live)]), Ok((3, 120, 1)));
}

#[test]
fn only_what_is_later_than_its_predecessor_is_an_extension() {
    assert_eq!(stands(&[(1, 60, Over), (2, 30, Live)]), Ok((3, 30, 0)));
    let up_down_up = [(1, 60, Over), (2, 90, Over), (3, 30, Live), (4, 45, Live)];
    assert_eq!(stands(&up_down_up), Ok((5, 45, 2)));
    let refused = [(1, 60, Live), (2, 240, Never), (3, 90, Live)];
    assert_eq!(stands(&refused), Ok((4, 90, 1)));
}

#[test]
fn a_lease_that_is_not_live_has_no_successor() {
    assert_eq!(stands(&[]), Err(Unready::Over));
    assert_eq!(stands(&[(1, 60, Never)]), Err(Unready::Over));
    assert_eq!(stands(&[(1, 60, Over)]), Err(Unready::Over));
    assert_eq!(stands(&[(1, 60, Unknown)]), Err(Unready::Unknown));
    assert_eq!(stands(&[(1, 60, Live), (2, 90, Unknown)]), Err(Unready::Unknown));
    assert_eq!(stands(&[(1, 60, Missing)]), Err(Unready::Missing));
    // Due: its end may be on its way.
    assert_eq!(stands(&[(1, 0, Live)]), Err(Unready::Over));
    assert_eq!(stands(&[(1, 60, Live), (2, 30, Over)]), Err(Unready::Over));
    assert_eq!(stands(&[(SERIAL_MAX, 60, Live)]), Err(Unready::Many));
    assert_eq!(stands(&[(SERIAL_MAX - 1, 60, Live)]), Ok((SERIAL_MAX, 60, 0)));
}

#[test]
fn a_later_serial_with_an_earlier_deadline_replaces() {
    let replaces = |by: (u32, i64, Place), old: (u32, i64, Place)| {
        let links = chain(&[by, old]);
        links[0].replaces(&links[1], NOW)
    };
    let old = (1, 60, Live);
    for place in [Live, Missing, Over] {
        assert!(replaces((2, 30, place), old), "{place:?}");
        assert!(!replaces((2, 60, place), old), "the same deadline: {place:?}");
        assert!(!replaces((2, 90, place), old), "an extension: {place:?}");
        assert!(!replaces((1, 30, place), (2, 60, Live)), "an earlier serial: {place:?}");
    }
    assert!(!replaces((2, 30, Never), old));
    // Of unknown outcome: not before it is due, so that there is never no grant at all.
    assert!(!replaces((2, 30, Unknown), old));
    assert!(replaces((2, 0, Unknown), old));
    assert!(replaces((2, -1, Unknown), old));
}

#[test]
fn a_gap_is_told_where_the_old_end_may_show_first() {
    let settle = 11 * MINUTE;
    assert_eq!(gap(at(6), NOW, settle), None);
    assert_eq!(gap(at(5), NOW, settle), None);
    assert_eq!(gap(at(4), NOW, settle), Some((at(4), at(5))));
    // The old grant ended before the new one was accepted.
    assert_eq!(gap(at(-1), NOW, settle), Some((at(-1), at(5))));
    // An endpoint on this host that settles in seconds.
    assert_eq!(gap(at(1), NOW, 2 * SECOND), None);
    assert_eq!(gap(NOW, NOW, 2 * SECOND), Some((NOW, NOW.plus(2 * SECOND))));
}
