//! Listings against a plain filter over everything, page by page.

use std::collections::BTreeSet;

use super::fixture::{World, grantee, id, key, kms, lease, now, reference};
use crate::fault::Kind;
use crate::ledger::{Ledger, LedgerError, Row, Waiting};
use crate::rules::access::Sight;
use crate::rules::life::{Class, Event, Outcome, State, Why};
use crate::rules::time::{HOUR, MINUTE, SECOND};
use crate::wire::{Lease, ListHistory, ListLeases};

/// 330 leases: keys, grantees, policies, askers, deadlines and states in every mixture.
fn populated() -> World {
    let World { dir, mut ledger, lane } = World::new();
    // One transaction: 1,700 syncs would tell nothing more.
    let all = ledger.atomic(|ledger| {
        for n in 0..330u64 {
            let i = usize::try_from(n).unwrap();
            let mut new = lease(&lane, n);
            new.request.key_arn = key(i % 3);
            new.key = if i % 2 == 0 { format!("alias/k{}", i % 3) } else { key(i % 3).to_string() };
            new.request.grantee = grantee(i % 5);
            new.policy = (i % 7 != 0).then(|| format!("p{}", i % 7));
            new.asker.as_mut().unwrap().uid = 1000 + u32::try_from(i % 4).unwrap();
            new.deadline = new.deadline.plus(MINUTE * i64::try_from(i % 11).unwrap());
            let row = ledger.begin(&new, now(0)).unwrap();
            let mut events = vec![Event::Created(Outcome::Done(id(&format!("g{n}"))))];
            events.push(Event::End(Why::Asked));
            events.extend([Event::Sending, Event::Answered(Outcome::Done(()))]);
            let gone = Event::Looked { began: now(HOUR), ids: vec![] };
            events.push(gone);
            // Begun, active, ending, ended, closed in turn.
            for event in events.iter().take([0, 1, 2, 4, 5][i % 5]) {
                let _stepped = ledger.step(row.id(), event, now(HOUR - MINUTE), &kms()).unwrap();
            }
        }
        Ok(())
    });
    all.unwrap();
    World { dir, ledger, lane }
}

fn pages(ledger: &Ledger, list: &ListLeases, uid: Option<u32>) -> Vec<Lease> {
    let (mut list, mut all) = (list.clone(), Vec::new());
    loop {
        let page = ledger.leases(&list, uid, now(HOUR + 5 * MINUTE).latest).unwrap();
        assert!(page.items.len() <= 100);
        all.extend(page.items);
        list.after = page.next;
        if list.after.is_none() {
            return all;
        }
    }
}

/// The beginning of a ref means the one lease that begins so, of those that are seen; no word tells
/// of another.
#[test]
fn a_ref_means_one_of_those_that_are_seen() {
    let world = populated();
    let all = pages(&world.ledger, &ListLeases { all: true, ..Default::default() }, None);
    let own = |uid, shared: &[&str]| Sight::Own {
        uid,
        policies: shared.iter().map(|name| (*name).to_owned()).collect(),
    };
    for sight in
        [Sight::All, own(1000, &[]), own(1003, &["p3", "p5"]), own(9, &["p1"]), own(9, &[])]
    {
        for wanted in all.iter().step_by(7) {
            for length in 2..=wanted.reference.as_str().len() {
                let prefix = &wanted.reference.as_str()[..length];
                let shown = |lease: &&Lease| {
                    let asker = lease.asker.as_ref().map(|asker| asker.uid);
                    let begins = lease.reference.as_str().starts_with(prefix);
                    begins && sight.takes_in(lease.policy.as_deref(), asker)
                };
                let expected: Vec<&Lease> = all.iter().filter(shown).collect();
                match (world.ledger.seen_ref(prefix, &sight), expected.as_slice()) {
                    (Ok(found), [one]) => assert_eq!(found, one.reference),
                    (Err(LedgerError::Fault(fault)), []) => {
                        assert_eq!(fault.kind, Kind::RefUnknown);
                        let quoted = fault.text.matches("g-").count();
                        assert_eq!(quoted, 1, "the one that was typed: {fault}");
                    }
                    (Err(LedgerError::Fault(fault)), [_, _, ..]) => {
                        assert_eq!(fault.kind, Kind::RefAmbiguous);
                        let named = fault.text.split(' ').filter(|word| word.len() == 14);
                        for named in named.filter(|word| word.starts_with("g-")) {
                            assert!(expected.iter().any(|lease| lease.reference.as_str() == named));
                        }
                    }
                    (found, expected) => panic!("{sight:?} {prefix}: {found:?}, {expected:?}"),
                }
            }
        }
    }
}

#[test]
fn a_listing_is_the_filter_by_deadline_over_all_pages() {
    let world = populated();
    let all = pages(&world.ledger, &ListLeases { all: true, ..Default::default() }, None);
    assert_eq!(all.len(), 330);
    let refs: BTreeSet<_> = all.iter().map(|lease| lease.reference.clone()).collect();
    assert_eq!(refs.len(), 330);
    assert!(all.is_sorted_by_key(|lease| lease.deadline));

    let text = |text: &str| Some(text.to_owned());
    let base = ListLeases::default;
    let lists = [
        base(),
        ListLeases { key: text("alias/k0"), ..base() },
        ListLeases { key: text("k1"), all: true, ..base() },
        ListLeases { key: Some(key(2).to_string()), policy: text("p3"), ..base() },
        ListLeases { grantee: text("Role2"), all: true, ..base() },
        ListLeases { grantee: text("role/Role2"), all: true, ..base() },
        ListLeases { grantee: Some(grantee(3).to_string()), mine: true, ..base() },
        ListLeases { policy: text("p1"), ..base() },
        ListLeases { state: text("ended"), all: true, ..base() },
        ListLeases { state: text("closed"), ..base() },
        ListLeases { mine: true, all: true, ..base() },
        ListLeases { overdue: true, ..base() },
        ListLeases { overdue: true, key: text("k0"), ..base() },
        ListLeases { key: text("no-such-key"), all: true, ..base() },
    ];
    for list in lists {
        let keep = |lease: &&Lease| {
            let key = list.key.as_ref().is_none_or(|key| {
                [lease.key.as_str(), lease.key_arn.as_str(), lease.key_arn.key_id()]
                    .contains(&key.as_str())
            });
            let grantee = list.grantee.as_ref().is_none_or(|grantee| {
                let spelt = format!("role/{}", lease.grantee.short());
                [lease.grantee.as_str(), lease.grantee.short(), &spelt].contains(&grantee.as_str())
            });
            let owed = ["creating", "active", "ending"].contains(&lease.state.as_str());
            let late = lease.deadline < now(HOUR + 5 * MINUTE).latest;
            let state = match &list.state {
                Some(state) => *state == lease.state,
                None => list.all || lease.state != "closed",
            };
            let mine = lease.asker.as_ref().is_some_and(|asker| asker.uid == 1001);
            key && grantee
                && state
                && (list.policy.is_none() || lease.policy == list.policy)
                && (!list.overdue || (owed && late))
                && (!list.mine || mine)
        };
        let expected: Vec<_> = all.iter().filter(keep).cloned().collect();
        assert_eq!(pages(&world.ledger, &list, Some(1001)), expected, "{list:?}");
        let empty = list.key.as_deref() == Some("no-such-key");
        assert_eq!(expected.is_empty(), empty, "{list:?} tells nothing");
    }
}

#[test]
fn mine_of_nobody_is_nothing() {
    let world = populated();
    let list = ListLeases { mine: true, all: true, ..Default::default() };
    assert_eq!(pages(&world.ledger, &list, None), []);
}

#[test]
fn a_ref_is_found_by_any_unique_prefix() {
    let mut world = World::new();
    for n in [0b00001, 0b100001] {
        world.ledger.begin(&world.lease(n), now(0)).unwrap();
    }
    let (one, two) = (reference(0b00001), reference(0b100001));
    assert_eq!((one.as_str(), two.as_str()), ("g-100000000000", "g-110000000000"));
    for prefix in ["g-11", "11", two.as_str()] {
        assert_eq!(world.ledger.lease(prefix).unwrap().reference, two);
    }
    for (prefix, kind) in [
        ("g-1", Kind::RefAmbiguous),
        ("", Kind::RefAmbiguous),
        ("g-2", Kind::RefUnknown),
        ("%", Kind::RefUnknown),
        ("g-1100000000001", Kind::RefUnknown),
    ] {
        let error = world.ledger.lease(prefix).unwrap_err();
        assert!(matches!(&error, LedgerError::Fault(f) if f.kind == kind), "{prefix}: {error:?}");
    }
}

#[test]
fn a_bad_state_or_cursor_is_the_asker_s_fault() {
    let world = World::new();
    for list in [
        ListLeases { state: Some("dead".to_owned()), ..Default::default() },
        ListLeases { after: Some("x".to_owned()), ..Default::default() },
    ] {
        let error = world.ledger.leases(&list, None, now(0).latest).unwrap_err();
        assert!(matches!(error, LedgerError::Fault(f) if f.kind == Kind::BadArgument));
    }
}

#[test]
fn the_history_comes_in_order_by_pages_by_lease_and_since() {
    let world = populated();
    let count = world.ledger.head().unwrap().seq;
    let walk = |mut list: ListHistory| {
        let mut seqs = Vec::new();
        loop {
            let page = world.ledger.history(&list).unwrap();
            seqs.extend(page.items.iter().map(|row| row.seq));
            list.after = page.next;
            if list.after.is_none() {
                return seqs;
            }
        }
    };
    assert_eq!(walk(ListHistory::default()), (1..=count).collect::<Vec<_>>());
    let since = ListHistory { since: Some(now(SECOND).latest), ..Default::default() };
    let later = walk(since);
    // All births were at 0; every lease has one.
    assert_eq!(i64::try_from(later.len()).unwrap(), count - 330);
    let of_one = ListHistory {
        reference: Some(reference(4).to_string()),
        since: Some(now(SECOND).latest),
        ..Default::default()
    };
    assert_eq!(walk(of_one).len(), 5, "granted, end-asked, end-issued, end-accepted, closed");
}

#[test]
fn the_engine_reads_ahead_ends_first_and_each_key_once() {
    let mut world = populated();
    let until = now(3 * HOUR).latest;
    let rows = world.ledger.ahead(until, 5_000).unwrap();
    assert_eq!(rows.len(), 330 / 5 * 4, "all but the closed ones");
    let next: Vec<_> = rows.iter().map(|row| row.life().next.unwrap()).collect();
    assert!(next.is_sorted_by_key(|next| (next.act, next.at)), "{next:?}");
    assert_eq!(world.ledger.ahead(until, 10).unwrap(), rows[..10]);
    assert_eq!(world.ledger.ahead(now(-1).latest, 10).unwrap(), []);

    let lane = world.lane.id;
    let soon = now(HOUR).latest;
    let ledger = &mut world.ledger;
    ledger.set_stall(lane, &Waiting::Key(key(1)), Class::Denied, soon, soon.plus(1), "no").unwrap();
    let beside = ledger.ahead_beside_stalls(until, 5_000, soon).unwrap();
    assert_eq!(beside.len(), 330 / 5 * 4 - 88);
    assert!(beside.iter().all(|row| row.key_arn() != &key(1)));
    // What a person ends early comes after what is due.
    let asked = |row: &Row| matches!(row.life().state, State::Ending { why: Why::Asked, .. });
    let next = |row: &Row| row.life().next.unwrap();
    let mut rows = rows;
    rows.sort_by_key(|row| (next(row).act, asked(row), next(row).at, row.id()));
    assert_eq!(ledger.ahead_beside_stalls(until, 5_000, soon.plus(1)).unwrap(), rows);
    ledger.set_stall(lane, &Waiting::Lane, Class::Throttled, soon, soon.plus(1), "no").unwrap();
    assert_eq!(ledger.ahead_beside_stalls(until, 5_000, soon).unwrap(), []);

    assert_eq!(world.ledger.live_keys(lane, None).unwrap(), [key(0), key(1), key(2)]);
    assert_eq!(world.ledger.live_keys(lane, Some(&key(1))).unwrap(), [key(2)]);
    let (rows, next) = world.ledger.open_rows_of_key(lane, &key(1), 0).unwrap();
    assert_eq!((rows.len(), next), (88, None));
    assert!(rows.iter().all(|row| row.key_arn() == &key(1)));

    let counts = world.ledger.counts().unwrap();
    let each = ["active", "closed", "creating", "ended", "ending"];
    assert_eq!(counts, each.map(|state| (state.to_owned(), 66)).into());
    assert_eq!(world.ledger.next_deadline().unwrap(), Some(now(HOUR).latest));
    let (overdue, count) = world.ledger.overdue(now(HOUR + 1).latest, 5).unwrap();
    assert_eq!((overdue.len(), count), (5, 18));
}

#[test]
fn the_rows_are_checked_in_slices() {
    let world = populated();
    let (mut after, mut rows) = (0, 0);
    loop {
        let slice = world.ledger.check_slice(after, 100).unwrap();
        assert_eq!(slice.wrong, []);
        (after, rows) = (slice.after, rows + slice.rows);
        if slice.done {
            break;
        }
    }
    assert_eq!(rows, 330);
    let conn = world.ledger.conn().unwrap();
    conn.execute_batch("UPDATE kms_grant SET request = '{' WHERE id = 7").unwrap();
    let slice = world.ledger.check_slice(0, 100).unwrap();
    assert_eq!((slice.rows, slice.wrong[0].0), (99, 7));
    // It does not keep the others from being acted on.
    let ahead = world.ledger.ahead(now(3 * HOUR).latest, 5_000).unwrap();
    assert_eq!(ahead.len(), 330 / 5 * 4 - 1);
}
