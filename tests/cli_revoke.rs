//! `grantd revoke` by selector and the table that it shows, with a daemon of canned answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/fake.rs"]
mod fake;
#[path = "support/redact.rs"]
mod redact;

use std::sync::atomic::{AtomicUsize, Ordering};

use command::{grantd, transcript};
use fake::{Fake, closed, lease, overdue};
use grantd::fault::{Fault, Kind};
use grantd::wire::Problem;
use serde_json::{Value, json};

const ONE: &str = "g-7k2m9x4p1q8z";
const TWO: &str = "g-q9w8e7r6t5y4";
const NEW: &str = "g-newnewnewnew";

fn run(line: &str, fake: &Fake) -> String {
    transcript(grantd().args(line.split_whitespace()).arg("--socket").arg(&fake.socket))
}

fn same(name: &str, shown: impl AsRef<str>) {
    redact::settings().bind(|| insta::assert_snapshot!(name, shown.as_ref()));
}

fn asked(fake: &Fake) -> Vec<String> {
    fake.requests().into_iter().map(|(target, body)| format!("{target} {body}")).collect()
}

/// Two leases that live, one whose end is on its way, and a proof; at the second look a new one
/// lives in their place. KMS accepts the second end at the second look, or never.
fn world(accepts: bool) -> Fake {
    let (lists, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ended = |reference: &str| {
        let mut lease = closed(reference);
        lease["state"] = json!("ended");
        lease["closed-at"] = Value::Null;
        lease
    };
    let ending = |reference: &str| {
        let mut lease = lease(reference);
        lease["state"] = json!("ending");
        lease
    };
    Fake::start(move |target| match target.split('?').next().unwrap() {
        // Which key the alias is.
        _ if target.contains("key=alias") => (200, json!({ "items": [lease(ONE)] })),
        "GET /v1/leases" if lists.fetch_add(1, Ordering::Relaxed) == 0 => {
            let mut probe = lease("g-pr0be0pr0be0");
            probe["origin"] = json!("probe");
            let items = [lease(ONE), overdue("g-000000000000"), probe, lease(TWO)];
            (200, json!({ "items": items }))
        }
        "GET /v1/leases" => (200, json!({ "items": [lease(NEW)] })),
        "POST /v1/revoke" => {
            let n = looks.fetch_add(1, Ordering::Relaxed);
            let two = if n >= 2 && accepts { ended(TWO) } else { ending(TWO) };
            // First whether, then the wish, then how it goes with the one that is open.
            let items = match n {
                0 => json!([lease(ONE), lease(TWO)]),
                1 => json!([ended(ONE), two]),
                _ => json!([two]),
            };
            (200, json!({ "items": items }))
        }
        other => panic!("{other}"),
    })
}

#[test]
fn exactly_what_was_shown_is_ended_and_what_came_since_is_told() {
    let fake = world(true);
    same("select-yes", run("revoke --key alias/app --yes --reason incident", &fake));
    same("select-yes-requests", asked(&fake).join("\n"));
    same("select-json", run("revoke --grantee RoleB --mine --yes --json", &world(true)));
}

/// One asked for by alias, two by the key's ARN; the key of the third is another.
#[test]
fn an_alias_ends_all_that_is_on_its_key() {
    let mut by_arn = lease(TWO);
    by_arn["key"] = by_arn["key-arn"].clone();
    let fake = Fake::start(move |target| match target {
        "GET /v1/leases?key=alias%2Fapp" => (200, json!({ "items": [lease(ONE)] })),
        text if text.starts_with("GET /v1/leases?key=arn") => {
            (200, json!({ "items": [lease(ONE), by_arn] }))
        }
        "GET /v1/leases?key=alias%2Fnone" => (200, json!({ "items": [] })),
        "POST /v1/revoke" => (200, json!({ "items": [closed(ONE), closed(TWO)] })),
        other => panic!("{other}"),
    });
    let shown = run("revoke --key alias/app --yes", &fake);
    assert!(shown.contains(&format!("{TWO}  closed")), "{shown}");
    let sent = asked(&fake).join("\n");
    assert!(
        sent.contains(&format!("POST /v1/revoke {{\"refs\":[\"{ONE}\",\"{TWO}\"]}}")),
        "{sent}"
    );
    let shown = run("revoke --key alias/none --yes", &fake);
    assert!(shown.contains("error: no open lease was asked for by alias/none"), "{shown}");
    assert!(shown.ends_with("--- exit 66\n"), "{shown}");
}

/// More than one commit holds, and a daemon that goes away after the first.
#[test]
fn what_was_ended_before_a_fault_is_told() {
    let refs: Vec<String> = (0..150).map(|n| format!("g-{n:012}")).collect();
    let (all, ended) = (refs.clone(), refs.clone());
    let posts = AtomicUsize::new(0);
    let fake = Fake::start(move |target| match target.split('?').next().unwrap() {
        "GET /v1/leases" => {
            let items: Vec<Value> = all.iter().map(|reference| lease(reference)).collect();
            (200, json!({ "items": items }))
        }
        _ => match posts.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => (200, json!({ "items": [] })),
            2 => {
                let items: Vec<Value> = ended[..100].iter().map(|one| closed(one)).collect();
                (200, json!({ "items": items }))
            }
            _ => {
                let text = "lease g-000000000100 is not yours. Nothing was ended";
                let fault = Fault::new(Kind::NotYours, text);
                (403, serde_json::to_value(Problem::from(&fault)).unwrap())
            }
        },
    });
    let shown = run("revoke --all --yes", &fake);
    assert_eq!(shown.matches("  closed: nothing of it is left at KMS").count(), 100);
    let told = "error: the daemon was asked to end 100 of 150 leases; the others may live on: \
                lease g-000000000100 is not yours\n";
    assert!(shown.contains(told), "{shown}");
    assert!(!shown.contains("Nothing was ended"), "{shown}");
    assert!(shown.ends_with("--- exit 77\n"), "{shown}");
}

/// The daemon goes away while KMS is still to answer: what is known is told.
#[test]
fn what_is_known_is_told_although_the_daemon_is_gone() {
    let posts = AtomicUsize::new(0);
    let fake = Fake::start(move |target| match target.split('?').next().unwrap() {
        "GET /v1/leases" => (200, json!({ "items": [lease(ONE), lease(TWO)] })),
        _ => match posts.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => (200, json!({ "items": [closed(ONE), overdue(TWO)] })),
            _ => (0, Value::Null),
        },
    });
    let shown = run("revoke --all --yes", &fake);
    assert!(shown.contains(&format!("{ONE}  closed")), "{shown}");
    assert!(shown.contains("closed the connection"), "{shown}");
}

#[test]
fn nothing_is_ended_without_a_yes() {
    for (line, name) in [
        ("revoke --policy s3-readers", "select-unasked"),
        ("revoke --all --dry-run", "select-dry-run"),
        ("revoke --all --dry-run --json", "select-dry-run-json"),
    ] {
        let fake = world(true);
        same(name, run(line, &fake));
        let posts: Vec<String> =
            asked(&fake).into_iter().filter(|line| line.starts_with("POST")).collect();
        assert_eq!(posts.len(), 1, "{posts:?}");
        assert!(posts[0].contains("\"dry-run\":true"), "{posts:?}");
    }
}

#[test]
fn what_is_not_yours_is_named_before_anything_is_ended() {
    let fake = Fake::start(|target| match target.split('?').next().unwrap() {
        "GET /v1/leases" => (200, json!({ "items": [lease(ONE), lease(TWO)] })),
        _ => {
            let fault = Fault::new(Kind::NotYours, format!("lease {TWO} is not yours"));
            (403, serde_json::to_value(Problem::from(&fault)).unwrap())
        }
    });
    let shown = run("revoke --key alias/app --yes", &fake);
    assert!(shown.contains(&format!("error: lease {TWO} is not yours")), "{shown}");
    assert!(shown.ends_with("--- exit 77\n"), "{shown}");
    assert_eq!(fake.requests().len(), 3);
}

#[test]
fn an_end_that_kms_does_not_accept_is_left_to_the_daemon() {
    let shown = run("revoke --key alias/app --yes", &world(false));
    assert!(
        shown.contains(&format!("error: lease {TWO}: KMS has not accepted the end")),
        "{shown}"
    );
    assert!(shown.ends_with("--- exit 75\n"), "{shown}");
}

#[test]
fn nothing_that_matches_is_no_error() {
    let fake = Fake::start(|_| (200, json!({ "items": [] })));
    assert!(run("revoke --mine", &fake).ends_with("no open lease matches: nothing to end\n"));
}

/// Who has learnt `--yes` and `--dry-run` from the selectors types them behind a ref, too.
#[test]
fn a_ref_takes_yes_and_dry_run() {
    let fake = || {
        Fake::start(|target| match target {
            "POST /v1/leases/g-7k/revoke" => (200, closed(ONE)),
            "GET /v1/leases/g-7k" => (200, lease(ONE)),
            "GET /v1/leases/g-q9" => (200, closed(TWO)),
            "POST /v1/revoke" => (200, json!({ "items": [lease(ONE)] })),
            other => panic!("{other}"),
        })
    };
    for line in ["revoke g-7k --yes", "revoke -y g-7k", "revoke g-7k --yes --reason incident"] {
        let shown = run(line, &fake());
        assert!(shown.contains(&format!("{ONE}  closed: nothing of it is left")), "{shown}");
        assert!(shown.ends_with("--- exit 0\n") || !shown.contains("--- exit"), "{shown}");
    }
    for line in ["revoke g-7k g-q9 --dry-run", "revoke g-7k g-q9 --yes --dry-run"] {
        let fake = fake();
        let shown = run(line, &fake);
        assert!(shown.contains("1 lease would be ended; --dry-run ends nothing"), "{shown}");
        let sent = asked(&fake);
        let sent: Vec<_> = sent.iter().filter(|line| line.starts_with("POST")).collect();
        assert!(sent.iter().all(|line| line.contains("\"dry-run\":true")), "{sent:?}");
    }
    let shown = run("freeze --all --yes --reason incident", &icy());
    assert!(shown.contains("freeze 3"), "{shown}");
}

/// What can name nobody is not taken for what ends nothing.
#[test]
fn a_grantee_may_be_a_pattern_and_must_name_somebody() {
    let fake = world(true);
    let shown = run("revoke --grantee role/Role* --dry-run", &fake);
    assert!(shown.contains("2 leases would be ended"), "{shown}");
    assert!(!asked(&fake)[0].contains("grantee"), "the pattern is not sent");
    assert!(run("revoke --grantee user/* --yes", &world(true)).contains("nothing to end"));
    for (line, hint) in [
        ("revoke --grantee rolE/RoleB --yes", "hint: did you mean role/RoleB?"),
        ("list --grantee rolE/RoleB", "hint: did you mean role/RoleB?"),
        ("list --grantee group/ops", "hint: write role/NAME"),
    ] {
        let fake = world(true);
        let shown = run(line, &fake);
        assert!(shown.contains(hint) && shown.ends_with("--- exit 64\n"), "{shown}");
        assert!(fake.requests().is_empty());
    }
}

/// A daemon that freezes, and has one freeze.
fn icy() -> Fake {
    let freeze = json!({
        "id": 3, "scope": { "grantee": "role/RoleB", "caller": 1000 }, "reason": "incident 12",
        "by": { "uid": 0, "name": "root" }, "at": "2025-11-23T18:00:00Z",
    });
    Fake::start(move |target| match target.split('?').next().unwrap() {
        "GET /v1/freezes" => (200, json!({ "items": [freeze] })),
        "GET /v1/leases" => (200, json!({ "items": [] })),
        "POST /v1/freezes/3/lift" => (200, freeze.clone()),
        "POST /v1/freezes" => (201, freeze.clone()),
        _ => {
            let fault = Fault::new(Kind::FreezeUnknown, "no freeze 9 stands");
            (404, serde_json::to_value(Problem::from(&fault)).unwrap())
        }
    })
}

#[test]
fn an_incident_is_one_command() {
    let fake = icy();
    let mut all = String::new();
    for line in [
        "freeze --grantee role/RoleB --caller 1000 --reason incident",
        "freeze --all --revoke --yes --reason incident",
        "freeze --key alias/app --revoke --reason incident",
        "freeze --account 12 --reason incident",
        "freeze --list",
        "unfreeze 9 3",
        "unfreeze --all --json",
        "freeze --all",
        "freeze --reason incident",
        "unfreeze",
    ] {
        all.push_str(&run(line, &fake));
        all.push('\n');
    }
    same("freeze", all);
    same("freeze-requests", asked(&fake).join("\n"));
}

#[test]
fn a_selector_or_refs_and_never_both() {
    let fake = world(true);
    for line in ["revoke", "revoke g-7k --mine", "revoke --all --mine", "revoke --yes"] {
        let shown = run(line, &fake);
        assert!(shown.ends_with("--- exit 64\n"), "{shown}");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn the_region_is_shown_where_there_are_several() {
    let fake = Fake::start(|_| {
        let mut far = lease(TWO);
        far["key-arn"] = json!("arn:aws:kms:eu-west-1:111122223333:key/1234abcd");
        (200, json!({ "items": [lease(ONE), far] }))
    });
    let shown = run("list", &fake);
    assert!(shown.contains("REGION") && shown.contains("eu-west-1"), "{shown}");
    let fake = Fake::start(|_| (200, json!({ "items": [lease(ONE), lease(TWO)] })));
    assert!(!run("list", &fake).contains("REGION"));
}
