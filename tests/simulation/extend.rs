//! Other deadlines: longer and shorter leases, with what goes wrong in between.

use grantd::fault::{Fault, Kind};
use grantd::rules::life::Origin;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use grantd::wire::Lease;
use kms_sandbox::Op;

use crate::clock::pause;
use crate::kms::Weather;
use crate::stage::{Daemon, Stage, late, play};

const ACCESS: &str = "group = \"sim\"\n[access]\nadmin = [\"user:7\"]";

pub(crate) fn admin_stage(lag: u32) -> Stage {
    Stage::new(lag).config("group = \"sim\"", ACCESS)
}

/// Serial, state and minutes from the lease's start of each grant.
fn grants(lease: &Lease) -> Vec<(u32, String, i64)> {
    let minutes = |at: Time| at.since(lease.started_at.floor_second()) / MINUTE;
    lease.grants.iter().map(|g| (g.serial, g.state.clone(), minutes(g.deadline))).collect()
}

fn kind<T>(result: Result<T, Fault>) -> Option<Kind> {
    result.err().map(|fault| fault.kind)
}

#[test]
fn access_goes_on_over_the_old_deadline_and_ends_at_the_new_one() {
    play(|| async {
        let stage = Stage::new(2_000);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                let made = daemon.extend(1, &lease, "30min").await.unwrap();
                assert_eq!((made.gap, made.repeated), (None, false));
                assert_eq!(
                    grants(&made.lease),
                    [(1, "active".to_owned(), 10), (2, "active".to_owned(), 30)]
                );
                for _ in 0..29 * 60 {
                    pause(SECOND).await;
                    assert!(stage.alive() >= 1, "a lease with a successor had no grant");
                }
                let now = daemon.lease(&lease).await;
                assert_eq!((now.deadline, now.state.as_str()), (made.lease.deadline, "active"));
                pause(2 * MINUTE).await;
                assert_eq!(stage.alive(), 0);
                let ends = stage.accepted(Op::RetireGrant);
                let last = ends.last().unwrap();
                assert!((0..1_000).contains(&late(last, made.lease.deadline)), "{last:?}");
                let middle = &ends[ends.len() - 2];
                assert!((0..1_000).contains(&late(middle, lease.deadline)), "{middle:?}");
            })
            .await;
    });
}

#[test]
fn a_shorter_lease_has_its_new_grant_before_the_old_one_ends() {
    play(|| async {
        let stage = Stage::new(2_000);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "1h").await.unwrap();
                pause(12 * MINUTE).await;
                let made = daemon.extend(1, &lease, "5min").await.unwrap();
                // Told only once the old grant's end is accepted.
                assert_eq!(grants(&made.lease)[0].1, "ended");
                assert_eq!(made.lease.deadline, made.lease.grants[1].deadline);
                let gap = made.gap.unwrap();
                assert_eq!(gap.until.since(gap.from), 5 * MINUTE);
                let created = stage.accepted(Op::CreateGrant).last().unwrap().at_ms;
                let ended = stage.accepted(Op::RetireGrant).last().unwrap().at_ms;
                assert!(created <= ended, "{created} {ended}");
                pause(5 * MINUTE + SECOND).await;
                let ends = stage.accepted(Op::RetireGrant);
                assert!(late(ends.last().unwrap(), made.lease.deadline) < 1_000);
                assert_eq!(daemon.history("end-asked").await.len(), 1);
            })
            .await;
    });
}

#[test]
fn an_extension_close_to_the_old_deadline_tells_of_the_gap() {
    play(|| async {
        let stage = Stage::new(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                pause(6 * MINUTE).await;
                let made = daemon.extend(1, &lease, "20min").await.unwrap();
                let gap = made.gap.unwrap();
                assert_eq!(gap.from, lease.deadline);
                assert!((50 * SECOND..=61 * SECOND).contains(&gap.until.since(gap.from)));
            })
            .await;
    });
}

#[test]
fn an_owner_extends_three_times_and_an_administrator_goes_on() {
    play(|| async {
        let stage = admin_stage(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                for minutes in ["20min", "30min", "40min"] {
                    daemon.extend(1, &lease, minutes).await.unwrap();
                }
                let again = daemon.extend(1, &lease, "50min").await;
                assert_eq!(kind(again), Some(Kind::MaxExtensions));
                // Shorter is always possible, and counts for nothing.
                daemon.extend(1, &lease, "35min").await.unwrap();
                for (uid, kind_of) in [(2, Kind::NotYours), (0, Kind::NotYours)] {
                    assert_eq!(kind(daemon.extend(uid, &lease, "50min").await), Some(kind_of));
                }
                daemon.extend(7, &lease, "50min").await.unwrap();
                let rows = daemon.history("extension-requested").await;
                let words = ["caller", "max-extensions"];
                assert_eq!(rows[3].body["admin-override"], serde_json::json!(words));
                assert_eq!(rows[2].body.get("admin-override"), None);
                assert!(rows[3].actor.starts_with("uid 7 "), "{:?}", rows[3]);
                // Root may end what is not his, and so shorten it.
                daemon.extend(0, &lease, "10min").await.unwrap();
            })
            .await;
    });
}

#[test]
fn the_maximum_counts_from_the_first_creation() {
    play(|| async {
        let stage = admin_stage(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "50min").await.unwrap();
                assert_eq!(lease.latest.since(lease.started_at), HOUR);
                pause(40 * MINUTE).await;
                let above = daemon.extend(1, &lease, "30min").await;
                assert_eq!(kind(above), Some(Kind::TtlAboveMax));
                daemon.extend(1, &lease, "15min").await.unwrap();
                let above = daemon.extend(7, &lease, "30min").await;
                assert_eq!(kind(above), Some(Kind::TtlAboveMax));
                let beyond = daemon.extend_beyond(7, &lease, "30min", Some("incident")).await;
                let beyond = beyond.unwrap();
                assert_eq!(beyond.lease.latest, beyond.lease.deadline);
                let owner = daemon.extend_beyond(1, &lease, "31min", Some("please")).await;
                assert_eq!(kind(owner), Some(Kind::NoPolicy));
                let longer = daemon.extend_beyond(7, &lease, "61min", Some("incident")).await;
                assert_eq!(kind(longer), Some(Kind::TtlAboveMax));
            })
            .await;
    });
}

#[test]
fn what_is_over_or_a_proof_is_not_extended() {
    play(|| async {
        let stage = admin_stage(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                let same = daemon.extend_until(1, &lease, lease.deadline).await.unwrap();
                assert!(same.repeated && same.lease.grants.len() == 1);
                daemon.revoke(1, &lease).await.unwrap();
                assert_eq!(kind(daemon.extend(1, &lease, "20min").await), Some(Kind::LeaseOver));
                let late = daemon.create(&key, "1min").await.unwrap();
                pause(MINUTE).await;
                assert_eq!(kind(daemon.extend(1, &late, "20min").await), Some(Kind::LeaseOver));
                let probe = daemon.of(Origin::Probe).await;
                assert_eq!(kind(daemon.extend(7, &probe, "20min").await), Some(Kind::LeaseOver));
                let past = daemon.extend_until(1, &late, Time(0)).await;
                assert!(past.is_err());
            })
            .await;
    });
}

#[test]
fn a_repeat_with_the_same_key_extends_once() {
    play(|| async {
        let stage = Stage::new(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                let first = daemon.extend_with("k1", &lease, "20min").await.unwrap();
                pause(SECOND).await;
                let again = daemon.extend_with("k1", &lease, "20min").await.unwrap();
                assert_eq!((first.repeated, again.repeated), (false, true));
                assert_eq!(again.lease.grants.len(), 2);
                let other = daemon.extend_with("k1", &lease, "30min").await;
                assert_eq!(kind(other), Some(Kind::IdempotencyConflict));
            })
            .await;
    });
}

/// An outage from the intent on: 202, the next life finds the grant, and the old one ends.
#[test]
fn a_shortening_of_unknown_outcome_finds_its_way_over_a_crash() {
    play(|| async {
        let stage = Stage::new(0);
        let key = stage.key.clone();
        let lease = stage
            .live(async |daemon: std::rc::Rc<Daemon>| {
                let lease = daemon.create(&key, "1h").await.unwrap();
                pause(12 * MINUTE).await;
                // It takes effect, and its answers are lost.
                stage.net.mute.borrow_mut().insert(Op::CreateGrant);
                let unknown = daemon.extend(1, &lease, "20min").await;
                assert_eq!(kind(unknown), Some(Kind::OutcomeUnknown));
                lease
            })
            .await;
        stage.net.mute.borrow_mut().clear();
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                let now = daemon.lease(&lease).await;
                assert_eq!(now.grants[0].why, Some(grantd::rules::life::Why::Asked));
                assert!(now.deadline < lease.deadline, "{now:#?}");
                assert_eq!(stage.alive(), 1);
            })
            .await;
    });
}

/// Nobody knows what KMS made of it, and the asked-for end comes: access is over then.
#[test]
fn a_shortening_that_stays_unknown_ends_the_lease_when_asked() {
    play(|| async {
        let stage = Stage::new(0);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "1h").await.unwrap();
                pause(12 * MINUTE).await;
                stage.net.unsent.borrow_mut().insert(Op::RetireGrant);
                stage.net.weather.set(Weather::Outage);
                let unknown = daemon.extend(1, &lease, "1min").await;
                assert_eq!(kind(unknown), Some(Kind::OutcomeUnknown));
                stage.net.unsent.borrow_mut().clear();
                stage.net.weather.set(Weather::Calm);
                pause(2 * MINUTE).await;
                assert_eq!(stage.alive(), 0, "{:#?}", daemon.lease(&lease).await);
            })
            .await;
    });
}

#[test]
fn a_lost_ledger_comes_back_as_one_lease_with_the_later_deadline() {
    play(|| async {
        let stage = admin_stage(0);
        let key = stage.key.clone();
        let lease = stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                daemon.extend(1, &lease, "30min").await.unwrap().lease
            })
            .await;
        let fresh = crate::world::scratch();
        stage
            .live_on(fresh.path(), async |daemon| {
                pause(MINUTE).await;
                let found = daemon.lease(&lease).await;
                assert_eq!((found.grants.len(), found.deadline), (2, lease.deadline));
                // Nobody here asked for it: an administrator alone may go on with it.
                assert_eq!(kind(daemon.extend(1, &lease, "40min").await), Some(Kind::NotYours));
                let more = daemon.extend_beyond(7, &lease, "40min", Some("incident")).await;
                assert_eq!(more.unwrap().lease.grants.len(), 3);
                pause(42 * MINUTE).await;
                assert_eq!(stage.alive(), 0);
            })
            .await;
    });
}
