//! Grants that others made, under the policies' deadlines: held, resumed, braked, taken up by hand.

use std::time::Duration;

use kms_sandbox::{Act, Fault, GrantTruth, IamPolicy, Match, Op, When};
use serde_json::{Value, json};
use testbed::{Config, Host, PATIENCE, Sandbox, now_ms, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies, instant, plant};

const REVOKER: &str = "arn:aws:iam::111122223333:role/grantd-revoker";

/// A machine whose policy enforces, with `more` in it.
fn world(more: &str) -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let user = sandbox.story.grantd_host.arn.clone();
    sandbox.handle().with(|core| {
        core.put_role(REVOKER, IamPolicy::allow(["kms:RevokeGrant"]), &[&user], None);
    });
    let identity = &sandbox.story.grantd_host;
    let host = Host::new(GRANTD).credentials(&identity.access_key_id, &identity.secret_access_key);
    let account = format!(
        "role-arn = \"arn:aws:iam::111122223333:role/grantd\"\nrevoke-role-arn = \"{REVOKER}\""
    );
    let config = sandbox.config(&Config { account, ..Config::default() });
    host.configure(&format!("{config}adopt = \"enforce\"\n{more}\n"));
    (sandbox, host)
}

/// The Name of a grant that is to end in so many seconds.
fn in_seconds(s: i64) -> (String, i64) {
    let at = now_ms().div_euclid(1_000) + s;
    (format!("until:{}/terraform", jiff::Timestamp::from_second(at).unwrap()), at * 1_000)
}

fn truth(sandbox: &Sandbox, id: &str) -> GrantTruth {
    sandbox.grants().into_iter().find(|grant| grant.grant_id == id).unwrap()
}

fn is_ended(sandbox: &Sandbox, id: &str) -> bool {
    truth(sandbox, id).ended_at_ms.is_some()
}

fn status(host: &Host) -> Value {
    host.get("/v1/status").body
}

/// Waits until so many grants wait for the policy's hold.
fn held(host: &Host, grants: i64) {
    until("what is held is counted", || {
        let status = status(host);
        (status["holds"][0]["policy"] == "readers" && status["adoptable"] == grants).then_some(())
    });
}

fn resume(host: &Host, words: &[&str]) {
    let ran = host.grantd(&[&["resume", "--yes", "--reason", "looked at"], words].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// The adopted lease of this grant.
fn adopted(host: &Host, id: &str) -> Option<(Lease, Value)> {
    let of = |lease: &Value| lease["grants"][0]["grant-id"] == id;
    Lease::all(host).into_iter().find(|(_, lease)| lease["origin"] == "adopted" && of(lease))
}

#[test]
fn enforce_starts_held_shows_its_list_and_ends_what_is_resumed() {
    let (sandbox, host) = world("");
    let late = plant(&sandbox, "ttl:1s/by-the-cli", &json!({}));
    let (name, deadline) = in_seconds(20);
    let later = plant(&sandbox, &name, &json!({}));
    let service = "dynamodb.ap-northeast-1.amazonaws.com";
    let others = [
        plant(&sandbox, "", &json!({})),
        plant(&sandbox, "ttl:soon", &json!({})),
        plant(&sandbox, "ttl:1s", &json!({ "GranteePrincipal": sandbox.story.role_a.arn })),
        plant(&sandbox, "ttl:1s", &json!({ "RetiringServicePrincipal": service })),
        plant(&sandbox, "ttl:1s", &json!({ "Constraints": { "SourceAccount": "1" } })),
    ];
    let daemon = host.ready();
    held(&host, 2);
    let ran = host.grantd(&["status"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("grantd resume --policy readers"), "{ran:?}");
    let log = host.log();
    let listed =
        |id: &str| log.lines().any(|line| line.contains("held: it would be") && line.contains(id));
    assert!(listed(&late) && listed(&later), "the list is in the log");
    assert!(!is_ended(&sandbox, &late) && Lease::all(&host).is_empty(), "nothing is recorded");

    // It is held over a restart, and whoever cannot be asked has to say yes.
    assert_eq!(daemon.stop(), Some(0));
    let _daemon = host.ready();
    held(&host, 2);
    assert_eq!(host.grantd(&["resume", "--policy", "readers"]).code, Some(64));
    assert_eq!(host.grantd(&["resume", "--policy", "writers", "--yes"]).code, Some(66));
    resume(&host, &["--policy", "readers"]);
    until("what was overdue is ended", || is_ended(&sandbox, &late).then_some(()));
    let (lease, document) = until("it is a lease", || adopted(&host, &later));
    assert_eq!((lease.deadline_ms, &document["policy"]), (deadline, &json!("readers")));
    let shown = host.grantd(&["show", &lease.reference]);
    assert!(shown.stdout.contains("adopted; others made it"), "{shown:?}");
    until_within(Duration::from_secs(20) + PATIENCE, "it is ended", || {
        is_ended(&sandbox, &later).then_some(())
    });
    let ended = truth(&sandbox, &later).ended_at_ms.unwrap();
    assert!((deadline..deadline + 10_000).contains(&ended), "{} ms late", ended - deadline);
    let closed = lease.closes(&host);
    assert_eq!(closed["grants"][0]["how"], "revoked", "{closed:#}");
    for id in &others {
        assert!(!is_ended(&sandbox, id), "{id}");
    }
    assert!(sandbox.accepted(Op::RetireGrant).is_empty());
    let revoked = sandbox.accepted(Op::RevokeGrant);
    assert!(revoked.iter().all(|entry| entry.caller.contains("grantd-revoker")), "{revoked:?}");
    let history = host.grantd(&["history", &lease.reference, "--full"]);
    assert!(history.stdout.contains("as its Name says"), "the history says why: {history:?}");
    let status = status(&host);
    assert_eq!((&status["holds"], &status["adoptable"]), (&json!([]), &json!(0)), "{status:#}");
    history_verifies(&host);
}

#[test]
fn the_brake_stops_the_ends_of_a_key_and_none_of_ours() {
    let (sandbox, host) = world("brake = { count = 2, percent = 0 }");
    let ids: Vec<String> =
        (0..5).map(|i| plant(&sandbox, &format!("ttl:1s/{i}"), &json!({}))).collect();
    let ended = || ids.iter().filter(|id| is_ended(&sandbox, id)).count();
    let daemon = host.ready();
    held(&host, 5);
    resume(&host, &["--all"]);
    let braked = |host: &Host| {
        until("the brake holds", || {
            let status = status(host);
            let hold = &status["holds"][0];
            (hold["key-arn"] == sandbox.story.key_arn && hold["grants"] == 3).then_some(())
        });
    };
    braked(&host);
    // Those that it let pass may still be on their way.
    until("two are ended", || (ended() == 2).then_some(()));
    // Not even a crash gives it more, and what is ours ends on the same key.
    daemon.kill();
    let daemon = host.ready();
    braked(&host);
    Lease::make(&host, &sandbox, "2s").ends_among_others(&sandbox);
    assert_eq!(ended(), 2);
    let status = status(&host);
    assert_eq!((&status["health"], &status["overdue-count"]), (&json!(2), &json!(3)), "{status:#}");
    // A person ends one of them for himself.
    let (lease, _) =
        ids.iter().filter(|id| !is_ended(&sandbox, id)).find_map(|id| adopted(&host, id)).unwrap();
    let ran = host.grantd(&["revoke", &lease.reference]);
    assert_eq!((ran.code, ended()), (Some(0), 3), "{ran:?}");
    resume(&host, &["--key", sandbox.story.alias]);
    until("the others are ended", || (ended() == 5).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
    let log = host.log();
    assert_eq!(log.matches("the brake: no more adopted grants").count(), 1, "one alarm");
}

#[test]
fn one_of_them_is_taken_up_by_hand_and_another_grant_stands_in_for_it() {
    let (sandbox, host) = world("");
    // By hand it takes no policy that adopts, but one that would give the same lease.
    let config = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&config.replace("adopt = \"enforce\"", ""));
    let context = json!({ "EncryptionContextSubset": { "team": "a" } });
    let id = plant(&sandbox, "for-ever", &json!({ "Constraints": context }));
    let service = plant(&sandbox, "", &json!({ "RetiringServicePrincipal": "s3.amazonaws.com" }));
    let odd = plant(&sandbox, "", &json!({ "Constraints": { "SourceAccount": "1" } }));
    let more = plant(&sandbox, "", &json!({ "Operations": ["Encrypt"] }));
    let _daemon = host.ready();
    let key = sandbox.story.alias;
    let adopt = |id: &str, ttl: &str| {
        host.grantd(&["adopt", id, "--key", key, "--ttl", ttl, "--reason", "T-1", "--json"])
    };
    let refused = adopt(&service, "10s");
    assert_eq!(refused.code, Some(77), "{refused:?}");
    assert!(refused.stderr.contains("left alone"), "{refused:?}");
    let refused = adopt(&odd, "10s");
    assert_eq!(refused.code, Some(77), "{refused:?}");
    assert!(refused.stderr.contains("Constraints.SourceAccount"), "{refused:?}");
    assert_eq!(adopt(&more, "10s").code, Some(77), "no policy gives that");
    assert_eq!(adopt(&id, "2h").code, Some(77), "above max-ttl");
    assert_eq!(adopt(&"0".repeat(64), "10s").code, Some(66));
    assert!(Lease::all(&host).is_empty(), "a refusal records nothing");

    let ran = adopt(&id, "8s");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lease = ran.json()["lease"].clone();
    let grants = lease["grants"].as_array().unwrap();
    assert_eq!((grants.len(), &grants[0]["grant-id"]), (2, &json!(id)), "{lease:#}");
    assert!(is_ended(&sandbox, &id), "the original is ended once the other is there");
    let ours = truth(&sandbox, grants[1]["grant-id"].as_str().unwrap());
    let original = truth(&sandbox, &id);
    assert!(ours.created_at_ms <= original.ended_at_ms.unwrap());
    assert_eq!((&ours.operations, &ours.grantee), (&original.operations, &original.grantee));
    let config = host.config().display().to_string();
    let scanned = host.grantd(&["list", "--foreign", "--config", &config, "--json"]).json();
    let listed = scanned["grants"].as_array().unwrap().iter();
    let mut listed = listed.filter(|grant| grant["grant-id"] == *ours.grant_id);
    let constraints = &listed.next().unwrap()["constraints"];
    assert!(constraints.to_string().contains("team"), "{constraints}");
    let again = adopt(&id, "8s");
    assert_eq!(again.code, Some(66), "{again:?}");
    let reference = lease["ref"].as_str().unwrap().to_owned();
    let deadline_ms = instant(&lease["deadline"]);
    Lease { reference, deadline_ms }.ends_among_others(&sandbox);
    assert!(!is_ended(&sandbox, &service) && !is_ended(&sandbox, &more));
    history_verifies(&host);
}

/// KMS refuses the grant that was to stand in: the original is under its deadline all the same.
#[test]
fn what_kms_will_not_copy_is_revoked_at_its_deadline() {
    let (sandbox, host) = world("");
    let config = std::fs::read_to_string(host.config()).unwrap();
    host.configure(
        &config.replace("adopt = \"enforce\"", "").replace("probe = true", "probe = false"),
    );
    let id = plant(&sandbox, "for-ever", &json!({}));
    let _daemon = host.ready();
    sandbox.handle().inject(Fault::new(Match::op(Op::CreateGrant), When::Before, Act::Deny));
    let ran = host.grantd(&["adopt", &id, "--key", sandbox.story.alias, "--ttl", "5s"]);
    assert_eq!(ran.code, Some(77), "{ran:?}");
    assert!(ran.stderr.contains("the grant is adopted all the same"), "{ran:?}");
    assert!(!is_ended(&sandbox, &id));
    let lease = Lease::only(&host);
    until_within(Duration::from_secs(6) + PATIENCE, "it is ended", || {
        is_ended(&sandbox, &id).then_some(())
    });
    assert!(truth(&sandbox, &id).ended_at_ms.unwrap() >= lease.deadline_ms);
}

#[test]
fn an_adopted_lease_is_extended_by_a_grant_of_ours() {
    let (sandbox, host) = world("");
    let (name, deadline) = in_seconds(12);
    let id = plant(&sandbox, &name, &json!({}));
    let _daemon = host.ready();
    held(&host, 1);
    resume(&host, &["--all"]);
    let (lease, _) = until("it is a lease", || adopted(&host, &id));
    // Root is no administrator of the file: whom to give access is nobody's as such.
    let ran = host.grantd(&["extend", &lease.reference, "--ttl", "25s", "--json"]);
    assert_eq!(ran.code, Some(77), "{ran:?}");
    let config = std::fs::read_to_string(host.config()).unwrap();
    let me = rustix::process::getuid().as_raw();
    host.configure(&format!("{config}\n[access]\nadmin = [\"user:{me}\"]\n"));
    assert_eq!(host.grantd(&["reload"]).code, Some(0));
    let ran = host.grantd(&["extend", &lease.reference, "--ttl", "25s", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let extended = instant(&ran.json()["lease"]["deadline"]);
    assert!(extended > deadline);
    until_within(Duration::from_secs(12) + PATIENCE, "the original is ended", || {
        is_ended(&sandbox, &id).then_some(())
    });
    let ended = truth(&sandbox, &id).ended_at_ms.unwrap();
    assert!((deadline..deadline + 10_000).contains(&ended), "at its own deadline");
    Lease { deadline_ms: extended, ..lease }.ends_among_others(&sandbox);
}

/// The next search is minutes away: `scan` has the daemon look now; `--dry-run` does not.
#[test]
fn scan_has_the_daemon_look_now() {
    let (sandbox, host) = world("");
    let _daemon = host.ready();
    until("the policy is held", || {
        (status(&host)["holds"][0]["policy"] == "readers").then_some(())
    });
    resume(&host, &["--all"]);
    let config = host.config().display().to_string();
    // The first seconds (`settle`) are searched often: no such search must pass for this one.
    let young = instant(&status(&host)["started-at"]) + 4_000;
    until("the first searches are over", || (now_ms() > young).then_some(()));
    let id = plant(&sandbox, "ttl:1s", &json!({}));
    let ran = host.grantd(&["list", "--foreign", "--config", &config]);
    assert!(ran.stdout.contains("policy readers would end it"), "{ran:?}");
    let ran = host.grantd(&["scan", "--config", &config]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("the daemon looks at all of it now"), "{ran:?}");
    until("it is ended", || is_ended(&sandbox, &id).then_some(()));
}
