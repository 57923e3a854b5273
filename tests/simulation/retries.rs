//! What is tried again and again: for days, by the thousand, and beside others.

use std::rc::Rc;

use grantd::rules::life::Class;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::Op;

use crate::clock::pause;
use crate::kms::Weather;
use crate::stage::{Daemon, Stage, late, play};

/// `rates.end`, of which a person's wishes have four.
const PACE: i64 = 20;

/// So many of what a scene is about: the suite's own number is small enough for a debug build;
/// `.ci/long seeds` sets the one that the promise names.
pub(crate) fn many(name: &str, few: usize) -> usize {
    std::env::var(name).map_or(few, |text| text.parse().unwrap())
}

#[test]
fn two_days_of_denial_end_within_a_minute_of_their_healing() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "30m").await.unwrap();
                stage.net.denied.borrow_mut().insert((Op::RetireGrant, stage.key.clone()));
                pause(30 * MINUTE + 48 * HOUR).await;
                let status = daemon.status().await;
                // The lease, and the three probes that tried the key meanwhile.
                assert_eq!((status.health, status.overdue_count), (2, 4));
                assert_eq!(daemon.history("alarm").await.len(), 1, "told once, not for two days");
                stage.net.denied.borrow_mut().clear();
                let healed = Time(stage.net.clock.now());
                pause(2 * MINUTE).await;
                let end = stage.accepted(Op::RetireGrant).pop().unwrap();
                assert_eq!(stage.alive(), 0);
                let after = late(&end, healed);
                assert!((0..=MINUTE).contains(&after), "{after} ms after it was healed");
                assert!(daemon.lease(&lease).await.grants[0].accepted_at.is_some());
            })
            .await;
    });
}

#[test]
fn an_hour_without_kms_is_caught_up_with_at_once_and_at_the_pace() {
    let owed = many("GRANTD_OVERDUE", 500);
    play(|| async {
        let stage = Stage::new(0).config("regions", "rates = { create = 1000 }\nregions");
        stage
            .live(async |daemon| {
                for _ in 0..owed {
                    daemon.create(&stage.key, "55m").await.unwrap();
                }
                let before = stage.accepted(Op::RetireGrant).len();
                stage.net.weather.set(Weather::Outage);
                pause(2 * HOUR).await;
                stage.net.weather.set(Weather::Calm);
                let back = Time(stage.net.clock.now());
                let owed = i64::try_from(owed).unwrap();
                pause(owed * SECOND / PACE * 2).await;
                let ends = stage.accepted(Op::RetireGrant).split_off(before);
                assert_eq!(i64::try_from(ends.len()).unwrap(), owed);
                let (first, last) = (late(&ends[0], back), late(ends.last().unwrap(), back));
                // One try every two seconds, which may be under way when KMS comes back.
                assert!(first <= 2 * SECOND + 10 * SECOND, "the first came after {first} ms");
                let (took, bound) = (last - first, (owed - 1) * SECOND / PACE * 100 / 95);
                assert!(took <= bound, "{took} ms for {owed}, where {bound} are enough");
            })
            .await;
    });
}

#[test]
fn thousands_of_rows_on_a_denied_key_delay_no_other_key() {
    let rows = many("GRANTD_DENIED", 1_000);
    play(|| async {
        let stage = Stage::new(0);
        let second = stage.second_key();
        let until = Time(stage.net.clock.now() + 20 * MINUTE).floor_second();
        stage.live(async |daemon| drop(daemon.create_until(&stage.key, until).await)).await;
        multiply(&stage, rows);
        // Old enough that a refusal says something of the key.
        pause(19 * MINUTE).await;
        stage.net.denied.borrow_mut().insert((Op::RetireGrant, stage.key.clone()));
        stage
            .live(async |daemon| {
                let mut good = Vec::new();
                for minute in [0, 1] {
                    let until = until.plus(SECOND + minute * MINUTE);
                    good.push(daemon.create_until(&second, until).await.unwrap());
                }
                pause(until.0 + 2 * MINUTE - stage.net.clock.now()).await;
                let status = daemon.status().await;
                assert_eq!(status.waits[0].class, Class::Denied);
                on_time(&stage, &daemon, &good).await;
                // The only one of them that KMS knows is the oldest.
                stage.net.denied.borrow_mut().clear();
                pause(2 * MINUTE).await;
                assert_eq!(stage.alive(), 0, "nobody noticed that the key was mended");
            })
            .await;
    });
}

/// Each within the half second that promise 2 gives.
async fn on_time(stage: &Stage, daemon: &Rc<Daemon>, leases: &[grantd::wire::Lease]) {
    for lease in leases {
        let seen = daemon.lease(lease).await;
        let id = seen.grants[0].grant_id.clone().unwrap();
        let truth = stage.net.story.borrow().core.grant(id.as_str()).unwrap();
        let after = truth.ended_at_ms.expect("it lives on") - lease.deadline.0;
        assert!((0..=SECOND / 2).contains(&after), "it ended {after} ms after its deadline");
    }
}

/// The one lease of the ledger many times: only its rows, since a key that denies everything knows
/// no better.
fn multiply(stage: &Stage, times: usize) {
    let file = rusqlite::Connection::open(stage.dir.path().join("ledger.db")).unwrap();
    // The simulated disk has no memory that processes share.
    file.execute_batch("PRAGMA locking_mode = EXCLUSIVE").unwrap();
    let columns = |table: &str| {
        let mut query = file.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let names = query.query_map([table], |row| row.get::<_, String>(0)).unwrap();
        names.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let series = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times}),
              one AS (SELECT * FROM lease WHERE origin = 'asked')"
    );
    let (leases, grants) = (columns("lease"), columns("kms_grant"));
    let copy = |table: &str, names: &[String], values: &[String], from: &str| {
        let (names, values) = (names.join(", "), values.join(", "));
        format!("{series} INSERT INTO {table}({names}) SELECT {values} FROM {from}")
    };
    let value = |name: &str, anew: &[(&str, &str)]| {
        let known = anew.iter().find(|(column, _)| *column == name);
        known.map_or_else(|| format!("own.{name}"), |(_, value)| (*value).to_owned())
    };
    // Of many askers under many policies: ten thousand is the most that one may have.
    let anew = [
        ("id", "10000 + i"),
        ("ref", "printf('g-%012d', i)"),
        ("policy", "'sim-' || i % 20"),
        ("asker_uid", "100 + i % 20"),
    ];
    let of_lease: Vec<_> = leases.iter().map(|name| value(name, &anew)).collect();
    let lease = copy("lease", &leases, &of_lease, "one AS own, n");
    let anew = [("id", "10000 + i"), ("lease", "10000 + i"), ("grant_id", "printf('%064x', i)")];
    let of_grant: Vec<_> = grants.iter().map(|name| value(name, &anew)).collect();
    let from = "kms_grant AS own, n WHERE own.lease = (SELECT id FROM one)";
    let grant = copy("kms_grant", &grants, &of_grant, from);
    file.execute_batch(&format!("BEGIN; {lease}; {grant}; COMMIT")).unwrap();
}
