//! Grants of others, in directed scenes: what a brake, a denial, a crash and a first look make of
//! them.

use std::rc::Rc;

use grantd::config::RECONCILE;
use grantd::fault::Kind;
use grantd::rules::life::{Class, Origin};
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::{GrantTruth, Op};
use serde_json::{Value, json};

use crate::clock::pause;
use crate::extend::admin_stage;
use crate::retries::many;
use crate::stage::{Daemon, Stage, play};

/// Somebody else's grants, made now under this Name (none where it is empty).
fn plant(stage: &Stage, name: &str, n: usize) -> Vec<String> {
    plant_with(stage, name, &json!({}), n)
}

/// The same, with `more` that KMS shows of each.
fn plant_with(stage: &Stage, name: &str, more: &Value, n: usize) -> Vec<String> {
    let mut entry = json!({
        "KeyId": stage.key, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
        "Operations": ["Decrypt"],
    });
    if !name.is_empty() {
        entry["Name"] = json!(name);
    }
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let now = stage.net.clock.now();
    stage.net.story.borrow_mut().core.plant(&entry, n, now).unwrap()
}

fn truth(stage: &Stage, id: &str) -> GrantTruth {
    stage.net.story.borrow().core.grant(id).unwrap()
}

fn ended(stage: &Stage, ids: &[String]) -> usize {
    ids.iter().filter(|id| truth(stage, id).ended_at_ms.is_some()).count()
}

/// After the first minutes, in which a start searches often.
async fn let_them_end(daemon: &Rc<Daemon>) {
    pause(SECOND).await;
    assert_eq!(daemon.resume().await.len(), 1);
    pause(RECONCILE + MINUTE).await;
}

#[test]
fn ten_end_in_a_day_and_no_more_until_somebody_says_so() {
    play(|| async {
        let stage = Stage::new(0).adopting("");
        let ids = plant(&stage, "ttl:1s/n", 15);
        let own = stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                assert_eq!(ended(&stage, &ids), 10);
                let own = daemon.create(&stage.key, "20min").await.unwrap();
                pause(2 * HOUR).await;
                own
            })
            .await;
        stage
            .live(async |daemon| {
                pause(26 * HOUR).await;
                assert_eq!(ended(&stage, &ids), 10, "neither a restart nor a day lets them");
                let status = daemon.status().await;
                assert_eq!((status.health, status.overdue_count), (2, 5), "{:?}", status.alarms);
                assert_eq!(status.holds[0].key_arn.as_ref().unwrap().as_str(), stage.key);
                assert_eq!(daemon.history("brake").await.len(), 1, "told once");
                daemon.resume().await;
                pause(MINUTE).await;
                assert_eq!(ended(&stage, &ids), 15);
                assert_eq!(daemon.status().await.health, 0);
            })
            .await;
        let ours = own.grants[0].grant_id.clone().unwrap();
        let late = truth(&stage, ours.as_str()).ended_at_ms.unwrap() - own.deadline.0;
        assert!((0..SECOND).contains(&late), "ours on time, not {late} ms after it");
    });
}

/// Each would be adopted but for one thing that no grantd knows.
#[test]
fn what_is_not_understood_is_left_alone() {
    play(|| async {
        let stage = Stage::new(0).adopting("adopt-unnamed = true\ngrace = \"0s\"");
        let odd = [
            json!({ "Constraints": { "SourceAccount": "999999999999" } }),
            json!({ "Constraints": { "encryptionContextEquals": { "a": "b" } } }),
            json!({ "GrantType": "Standard" }),
            json!({ "Operations": ["Decrypt", "FutureOperation"] }),
        ];
        let ids: Vec<String> = odd
            .iter()
            .flat_map(|more| ["ttl:1s", ""].map(|name| plant_with(&stage, name, more, 1).remove(0)))
            .collect();
        let plain = plant(&stage, "ttl:1s", 1);
        stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                pause(12 * HOUR).await;
                for id in &ids {
                    daemon.adopt(0, &stage.key, id, "10min").await.unwrap_err();
                }
                pause(12 * HOUR).await;
                assert_eq!((ended(&stage, &ids), ended(&stage, &plain)), (0, 1));
            })
            .await;
    });
}

/// Thousands that may not be revoked, due all at once on the key of our own leases.
#[test]
fn what_may_not_be_revoked_delays_no_end_of_ours() {
    let grants = many("GRANTD_ADOPTED", 1_000);
    play(|| async {
        let stage = Stage::new(0).adopting("brake = { count = 50000 }");
        let ids = plant(&stage, "ttl:30min/n", grants);
        stage.net.denied.borrow_mut().insert((Op::RevokeGrant, stage.key.clone()));
        stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                let due = truth(&stage, &ids[0]).created_at_ms + 30 * MINUTE;
                let mut own = Vec::new();
                for after in [10 * SECOND, 2 * MINUTE, 10 * MINUTE] {
                    let until = Time(due + after).floor_second();
                    own.push(daemon.create_until(&stage.key, until).await.unwrap());
                }
                pause(due + 12 * MINUTE - stage.net.clock.now()).await;
                for lease in &own {
                    let seen = daemon.lease(lease).await;
                    let id = seen.grants[0].grant_id.clone().unwrap();
                    let ended = truth(&stage, id.as_str()).ended_at_ms.expect("it lives on");
                    let after = ended - lease.deadline.0;
                    assert!((0..=SECOND / 2).contains(&after), "{after} ms after its deadline");
                }
                let status = daemon.status().await;
                assert_eq!(status.waits[0].class, Class::Denied);
                assert_eq!(ended(&stage, &ids), 0);
                stage.net.denied.borrow_mut().clear();
                let rate = i64::from(status.lanes[0].ends_per_second);
                pause(i64::try_from(grants).unwrap() * SECOND / rate + 2 * MINUTE).await;
                assert_eq!(ended(&stage, &ids), grants, "mended, all of them end");
            })
            .await;
    });
}

/// Taken up by hand, and the daemon dies at each call: one of the two gives access at every moment,
/// and none of them after the deadline.
#[test]
fn a_crash_while_a_grant_is_taken_up_by_hand_leaves_it_under_its_deadline() {
    for nth in 1..=12 {
        for after in [false, true] {
            play(|| async {
                let stage =
                    Stage::new(0).adopting("").config("adopt = \"enforce\"", "adopt = \"off\"");
                let id = plant(&stage, "for-ever", 1).remove(0);
                let died = stage
                    .live(async |daemon| {
                        pause(MINUTE).await;
                        stage.net.crash_at.set(Some((nth, after)));
                        tokio::select! {
                            biased;
                            () = stage.net.crash.notified() => true,
                            adopted = daemon.adopt(0, &stage.key, &id, "10min") => {
                                adopted.unwrap();
                                false
                            }
                        }
                    })
                    .await;
                stage.net.crash_at.set(None);
                let asked = stage.net.clock.now();
                stage.live(async |_| pause(40 * MINUTE).await).await;
                let original = truth(&stage, &id);
                let grants = stage.net.story.borrow().core.grants();
                let ours =
                    |grant: &&GrantTruth| grant.grantee == original.grantee && grant.grant_id != id;
                let own: Vec<_> = grants.iter().filter(ours).collect();
                let Some(ended) = original.ended_at_ms else {
                    assert!(died && own.is_empty(), "{nth} {after}: given up half-way: {own:?}");
                    return;
                };
                let over = own.iter().filter_map(|grant| grant.ended_at_ms).chain([ended]).max();
                let over = over.unwrap() - asked;
                assert!(own.iter().all(|grant| grant.ended_at_ms.is_some()), "{nth} {after}");
                assert!((9 * MINUTE..=11 * MINUTE).contains(&over), "{nth} {after}: {over}");
                let there = own.first().map_or(i64::MAX, |grant| grant.created_at_ms);
                let gapless = there <= ended || ended >= asked + 10 * MINUTE - SECOND;
                assert!(gapless, "{nth} {after}: ended before the other was there");
            });
        }
    }
}

/// Whoever governs nothing, and whoever names no grant: each is told in the history once.
#[test]
fn what_is_not_taken_up_by_hand_is_told_once() {
    play(|| async {
        let stage = Stage::new(0).adopting("");
        let id = plant(&stage, "for-ever", 1).remove(0);
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                for (uid, id) in [(1, id.as_str()), (0, "no-such-grant")] {
                    daemon.adopt(uid, &stage.key, id, "10min").await.unwrap_err();
                }
                pause(5 * MINUTE).await;
                assert_eq!(daemon.history("refused").await.len(), 2);
                assert_eq!(daemon.history("refused-again").await, []);
            })
            .await;
    });
}

/// Adopting makes nothing on the key; the way out is proven before the first grant that does.
#[test]
fn an_adopted_lease_gets_no_other_deadline_on_a_key_without_a_way_out() {
    play(|| async {
        let stage = admin_stage(0).adopting("");
        let ids = plant(&stage, "ttl:30min/n", 1);
        let no_way_out = [Op::RetireGrant, Op::RevokeGrant].map(|op| (op, stage.key.clone()));
        stage.net.denied.borrow_mut().extend(no_way_out);
        stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                let lease = daemon.of(Origin::Adopted).await;
                for ttl in ["40min", "10min"] {
                    let fault = daemon.extend(7, &lease, ttl).await.unwrap_err();
                    assert_eq!(fault.kind, Kind::NoWayOut, "{fault}");
                }
                assert_eq!(daemon.lease(&lease).await.grants.len(), 1);
                stage.net.denied.borrow_mut().clear();
                let made = daemon.extend(7, &lease, "40min").await.unwrap();
                assert_eq!(made.lease.grants.len(), 2);
                pause(HOUR).await;
                assert_eq!((ended(&stage, &ids), stage.alive()), (1, 0));
            })
            .await;
    });
}

/// What has no deadline in its Name: none before its grace, and not all in one second.
#[test]
fn a_first_look_empties_no_key_at_once() {
    play(|| async {
        let more = "adopt-unnamed = true\ngrace = \"1h\"\nbrake = { count = 1000 }";
        let stage = Stage::new(0).adopting(more);
        let ids = plant(&stage, "terraform", 60);
        pause(20 * HOUR).await;
        let seen = stage.net.clock.now();
        stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                pause(HOUR - RECONCILE - 2 * MINUTE).await;
                assert_eq!(ended(&stage, &ids), 0, "its grace");
                pause(HOUR + 10 * MINUTE).await;
                assert_eq!(ended(&stage, &ids), 60);
            })
            .await;
        let mut at: Vec<i64> =
            ids.iter().map(|id| truth(&stage, id).ended_at_ms.unwrap() - seen).collect();
        at.sort_unstable();
        assert!(at[59] - at[0] > 40 * MINUTE, "over most of another hour: {at:?}");
        let close = at.windows(10).map(|ten| ten[9] - ten[0]).min();
        assert!(close > Some(MINUTE), "ten of them within {close:?} ms");
    });
}

/// Its maker ends it first: no alarm, and closed as gone.
#[test]
fn an_adopted_grant_that_its_maker_ended_is_gone() {
    play(|| async {
        let stage = Stage::new(0).adopting("");
        let ids = plant(&stage, "ttl:1h/n", 8);
        stage
            .live(async |daemon| {
                let_them_end(&daemon).await;
                {
                    let mut story = stage.net.story.borrow_mut();
                    let (caller, now) = (story.revoker.caller.clone(), stage.net.clock.now());
                    for id in &ids {
                        let body = json!({ "KeyId": stage.key, "GrantId": id });
                        story.core.call(&caller, Op::RevokeGrant, &body, now).unwrap();
                    }
                }
                pause(2 * HOUR).await;
                let status = daemon.status().await;
                assert_eq!((status.health, status.lanes[0].frozen.as_ref()), (0, None));
                let closed = daemon.history("closed").await;
                let gone = closed.iter().filter(|row| row.body["how"] == "gone").count();
                assert_eq!(gone, 8, "{closed:#?}");
            })
            .await;
    });
}

/// A marker that KMS takes no more: the whole listing anew, three times, and then what has an id is
/// looked at by itself.
#[test]
fn where_no_marker_holds_each_lease_is_looked_at_by_itself() {
    play(|| async {
        let stage = Stage::new(0);
        plant(&stage, "for-ever", 150);
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                stage.net.bad_markers.set(true);
                let mut leases = Vec::new();
                for _ in 0..5 {
                    leases.push(daemon.create(&stage.key, "20min").await.unwrap());
                }
                pause(HOUR).await;
                for lease in &leases {
                    let seen = daemon.lease(lease).await;
                    assert_eq!(seen.state, "closed", "{seen:#?}");
                    assert_eq!(seen.grants[0].how, Some(grantd::rules::life::How::Retired));
                }
            })
            .await;
    });
}
