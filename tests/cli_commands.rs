//! Every command against a daemon that gives canned answers: whole outputs, exit codes, and what
//! was asked.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/fake.rs"]
mod fake;
#[path = "support/redact.rs"]
mod redact;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use command::{grantd, transcript};
use fake::{Fake, closed, lease, overdue};
use grantd::fault::{Fault, Kind};
use grantd::wire::Problem;
use serde_json::{Value, json};

const ONE: &str = "g-7k2m9x4p1q8z";
const TWO: &str = "g-q9w8e7r6t5y4";
const THREE: &str = "g-0123456789ab";

/// The words of a command line without quotes that matter.
fn run(line: &str, socket: &Path) -> String {
    transcript(grantd().args(line.split_whitespace()).arg("--socket").arg(socket))
}

fn same(name: &str, shown: impl AsRef<str>) {
    redact::settings().bind(|| insta::assert_snapshot!(name, shown.as_ref()));
}

fn problem(kind: Kind, text: &str) -> (u16, Value) {
    let problem = Problem::from(&Fault::new(kind, text));
    (kind.http(), serde_json::to_value(problem).unwrap())
}

/// A world with a lease of each sort, on two pages.
fn world(target: &str) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "GET /v1/leases" if query.contains("after=") => {
            (200, json!({ "items": [lease(ONE), closed(THREE)] }))
        }
        "GET /v1/leases" if query.contains("mine=") => (200, json!({ "items": [] })),
        "GET /v1/leases" => (200, json!({ "items": [overdue(TWO)], "next": "c1" })),
        "GET /v1/leases/g-7k" => (200, lease(ONE)),
        "GET /v1/leases/g-q9" => (200, overdue(TWO)),
        "GET /v1/leases/g-01" => (200, closed(THREE)),
        "POST /v1/leases/g-01/revoke" => (200, closed(THREE)),
        "POST /v1/leases/g-q9/revoke" => (200, overdue(TWO)),
        "POST /v1/leases" => (201, json!({ "lease": lease(ONE), "repeated": false })),
        "GET /v1/history" if query.contains("after=") => (200, json!({ "items": [row(3)] })),
        "GET /v1/history" => (200, json!({ "items": [row(1), row(2)], "next": "2" })),
        "GET /v1/history/verify" => {
            (200, json!({ "rows": 3, "seq": 3, "head": "ab".repeat(32), "broken": null }))
        }
        "GET /v1/status" => (200, status(2)),
        _ => problem(Kind::RefUnknown, "no lease begins with that"),
    }
}

fn row(seq: i64) -> Value {
    let (reference, kind, actor, body) = match seq {
        1 => (Value::Null, "started", "grantd", Value::Null),
        2 => (
            json!(ONE),
            "asked",
            "uid 1000 (alice)",
            json!({ "reason": "ticket 4711", "ttl-ms": 7_200_000 }),
        ),
        _ => (json!(ONE), "granted", "kms", json!({ "grant-id": "abc123" })),
    };
    let mut row = json!({
        "seq": seq, "at": format!("2025-11-23T16:00:00.{seq:03}Z"), "ref": reference, "kind": kind,
        "actor": actor, "body": body, "hash": "cd".repeat(32),
    });
    if reference.is_null() {
        row.as_object_mut().unwrap().remove("ref");
    }
    row
}

fn status(health: u8) -> Value {
    let lane = json!({
        "account": "111122223333", "region": "ap-northeast-1", "endpoint": "http://127.0.0.1:4599",
        "retiring-principal": "arn:aws:iam::111122223333:role/grantd",
        "answered-at": "2025-11-23T18:00:00.050Z", "answer": "AccessDeniedException: not authorized to perform kms:RetireGrant",
        "ends-per-second": 20, "frozen": null, "unrefreshed": null, "searching": false, "incomplete": false,
    });
    let wait = json!({
        "account": "111122223333", "region": "ap-northeast-1",
        "key-arn": fake::KEY,
        "class": "denied", "since": "2025-11-23T18:00:00Z", "tries": 3,
        "until": "2125-11-23T18:01:00Z",
        "detail": "not authorized to perform kms:RetireGrant",
    });
    let hold = json!({ "policy": "readers", "key-arn": null, "since": "2025-11-23T18:00:00Z",
        "grants": 12 });
    let overdue =
        json!({ "ref": TWO, "deadline": "2025-11-23T18:00:00Z", "attempts": 3, "cause": "denied" });
    let bad = health > 0;
    let only = |list: Value| if bad { list } else { json!([]) };
    json!({
        "version": "0.1.0", "health": health,
        "alarms": only(json!(["1 grant is overdue: give grantd's role kms:RetireGrant"])),
        "end-only": null, "config-problem": null, "freezes": [],
        "started-at": "2025-11-23T12:00:00Z", "now": "2025-11-23T18:30:00Z",
        "counts": { "active": 12, "ending": 1 }, "next-deadline": "2025-11-23T19:00:00Z",
        "overdue": only(json!([overdue])), "overdue-count": i32::from(bad),
        "waits": only(json!([wait])),
        "lanes": [lane], "history-head": "ab".repeat(32), "unproven": i32::from(bad),
        "strangers": 0, "rogues": 0, "impostors": 0, "strays": 0, "found": 0,
        "holds": only(json!([hold])), "adoptable": 12 * i32::from(bad), "moved-aliases": [], "keys-off": [], "missing": 0, "refused-today": 0, "grantees-gone": 0,
    })
}

#[test]
fn reading_commands_show_what_the_daemon_says() {
    let fake = Fake::start(world);
    for line in [
        "list",
        "list --all --wide",
        "list --mine",
        "list --json",
        "show g-7k",
        "show g-q9",
        "show g-01",
        "show g-7k --json",
        "history",
        "history --json",
        "history g-7k --since 2025-11-23T16:00:00Z",
        "history verify",
        "history verify --json",
        "status",
    ] {
        let name = line
            .replace("--", "")
            .replace(' ', "-")
            .replace("-since-2025-11-23T16:00:00Z", "-since");
        same(&name, run(line, &fake.socket));
    }
    same("reading-requests", asked(&fake));
}

fn asked(fake: &Fake) -> String {
    let lines: Vec<String> =
        fake.requests().into_iter().map(|(target, body)| format!("{target} {body}")).collect();
    lines.join("\n")
}

#[test]
fn list_passes_its_filters_on() {
    let fake = Fake::start(|_| (200, json!({ "items": [] })));
    run(
        "list --key-id alias/app --grantee RoleB --policy p --state ending --overdue --mine --all",
        &fake.socket,
    );
    run("list --state closed", &fake.socket);
    same("list-filters", asked(&fake));
}

#[test]
fn list_leaves_out_grantds_own_proofs_until_one_is_late() {
    let as_probe = |mut lease: Value| {
        lease["origin"] = json!("probe");
        lease
    };
    let items = json!({ "items": [as_probe(lease(ONE)), as_probe(overdue(TWO))] });
    let fake = Fake::start(move |_| (200, items.clone()));
    let (open, all) = (run("list", &fake.socket), run("list --all", &fake.socket));
    assert!(!open.contains(ONE) && open.contains(TWO), "{open}");
    assert!(all.contains(ONE) && all.contains(TWO), "{all}");
}

#[test]
fn an_alias_that_matches_nothing_says_what_else_to_try() {
    let fake = Fake::start(|_| (200, json!({ "items": [] })));
    let shown = run("list --key alias/app", &fake.socket);
    assert!(shown.contains("no open lease was asked for by this alias; the key's ARN"), "{shown}");
}

#[test]
fn a_create_that_kms_refused_waits_for_nothing() {
    let fake = Fake::start(|_| {
        let mut lease = closed(ONE);
        lease["grants"][0]["how"] = json!("never-existed");
        lease["grants"][0]["fault"] = json!("denied");
        lease["grants"][0]["fault-since"] = json!("2025-11-23T16:00:01Z");
        (200, lease)
    });
    let shown = run("show g-7k", &fake.socket);
    assert!(shown.contains("closed (never made 2025-11-23 18:11:00Z)"), "{shown}");
    assert!(shown.contains("fault       denied at 2025-11-23 16:00:01Z"), "{shown}");
    assert!(!shown.contains("waits"), "{shown}");
}

#[test]
fn create_prints_what_was_asked_for_and_no_more() {
    let fake = Fake::start(|_| {
        (200, json!({ "lease": lease(ONE), "token": "AQpAM2RhZg", "repeated": true }))
    });
    let create =
        "create --key alias/app --grantee role/RoleB --operations Decrypt,DescribeKey --ttl 2h";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let mut all = String::new();
    for more in
        ["--print-token", "--print-token --json", "-q", &format!("--token-file {}", file.display())]
    {
        all.push_str(&run(&format!("{create} {more}"), &fake.socket));
        all.push('\n');
    }
    same("create-token", all);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "AQpAM2RhZg\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // The file is there: nothing may be asked for whose token could not be kept.
    let before = fake.requests().len();
    let again = run(&format!("{create} --token-file {}", file.display()), &fake.socket);
    assert!(
        again.contains("cannot make the token file") && again.ends_with("--- exit 74\n"),
        "{again}"
    );
    assert_eq!(fake.requests().len(), before);
}

#[test]
fn create_sends_what_was_typed() {
    let fake = Fake::start(world);
    let shown = transcript(grantd().env("GRANTD_SOCKET", &fake.socket).args([
        "create",
        "--key-id",
        "alias/app",
        "--grantee-principal",
        "arn:aws:iam::111122223333:role/RoleB",
        "--operations",
        "Decrypt",
        "DescribeKey",
        "--constraints",
        "EncryptionContextSubset={Department=IT}",
        "--until",
        "2125-11-23T19:00:00+01:00",
        "--reason",
        "ticket 4711",
        "--region",
        "ap-northeast-1",
        "--idempotency-key",
        "k1",
    ]));
    same("create", shown);
    same("create-requests", asked(&fake));
}

#[test]
fn times_are_shown_on_the_readers_wall_too() {
    let fake = Fake::start(world);
    let shown = transcript(
        grantd()
            .env("TZ", "Europe/Berlin")
            .arg("--socket")
            .arg(&fake.socket)
            .args(["show", "g-7k"]),
    );
    assert!(shown.contains("ends        2125-11-23 18:00:00Z (19:00 CET, in "), "{shown}");
}

#[test]
fn an_unknown_outcome_still_gives_the_ref() {
    let fake = Fake::start(|_| {
        let reference = grantd::ids::Ref::parse(ONE).unwrap();
        let fault = Fault::new(
            Kind::OutcomeUnknown,
            format!("KMS has not answered; lease {ONE} is recorded"),
        );
        (202, serde_json::to_value(Problem::from(&fault.about(reference))).unwrap())
    });
    let create = "create --key alias/app --grantee role/RoleB --operations Decrypt";
    let mut all = String::new();
    for more in ["", "-q", "--json"] {
        all.push_str(&run(&format!("{create} {more}"), &fake.socket));
        all.push('\n');
    }
    same("create-unknown", all);
}

#[test]
fn revoke_goes_on_after_a_ref_that_fails() {
    let fake = Fake::start(world);
    same("revoke", run("revoke g-zz g-01 g-q9 --reason incident", &fake.socket));
    same("revoke-json", run("revoke g-01 --json", &fake.socket));
    same("revoke-requests", asked(&fake));
}

#[test]
fn status_exits_by_health() {
    for health in [0, 1, 2] {
        let fake = Fake::start(move |_| (200, status(health)));
        let shown = run("status", &fake.socket);
        let code = shown.split("--- exit ").nth(1).map_or(0, |code| code.trim().parse().unwrap());
        assert_eq!(code, health, "{shown}");
        if health == 0 {
            same("status-well", shown);
        }
    }
}

#[test]
fn only_an_endpoint_on_this_host_is_marked_not_aws() {
    let fake = Fake::start(|target| {
        let (code, document) = world(target);
        let text = document.to_string().replace("http://127.0.0.1:4599", "https://vpce-0a.test");
        (code, serde_json::from_str(&text).unwrap())
    });
    let create = "create --key alias/app --grantee role/RoleB --operations Decrypt --ttl 2h";
    for (line, names) in [(create, false), ("show g-7k", true), ("status", true)] {
        let shown = run(line, &fake.socket);
        assert_eq!((shown.contains("NOT AWS"), shown.contains("vpce-0a")), (false, names));
    }
}

#[test]
fn without_a_daemon_it_is_said_how_to_start_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("grantd.sock");
    let mut all = String::new();
    for line in [
        "list",
        "show g-7k",
        "revoke g-7k g-q9",
        "history",
        "history verify",
        "status",
        "status --json",
    ] {
        all.push_str(&run(line, &socket));
        all.push('\n');
    }
    same("no-daemon", all);
}

#[test]
fn a_broken_chain_exits_65() {
    let why = json!({ "seq": 2, "why": "its hash differs" });
    let broken = json!({ "rows": 1, "seq": 1, "head": "ab".repeat(32), "broken": why });
    let fake = Fake::start(move |_| (200, broken.clone()));
    same("history-broken", run("history verify", &fake.socket));
}

#[test]
fn every_fault_of_the_daemon_is_told_alike() {
    for &kind in Kind::ALL {
        // Some of them have other ways to a person than the socket.
        let fake = Fake::off_contract(move |_| problem(kind, "what is wrong, where"));
        let shown = run("show g-7k", &fake.socket);
        let wanted = format!(
            "--- stderr\nerror: what is wrong, where\nhint: {}\n--- exit {}\n",
            kind.hint(),
            kind.exit()
        );
        assert!(shown.ends_with(&wanted), "{kind:?}:\n{shown}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let fake = Fake::start(|target| {
        let items: Vec<Value> = (0..500).map(|_| row(2)).collect();
        let more = !target.contains("after=9");
        (200, if more { json!({ "items": items, "next": "9" }) } else { json!({ "items": items }) })
    });
    let mut command = grantd();
    command.args(["history", "--json", "--socket"]).arg(&fake.socket);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn check_is_the_daemons_own_loader() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grantd.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&format!("check {}", file.display()), Path::new("/nonexistent"))
    };
    let good = "group = \"prod\"\n[[account]]\nid = \"111122223333\"\n\
                regions = [\"ap-northeast-1\"]\n\
                role-arn = \"arn:aws:iam::111122223333:role/grantd\"\n[[policy]]\nname = \"p\"\n\
                keys = [\"alias/app\"]\ngrantees = [\"role/RoleB\"]\noperations = [\"Decrypt\"]\n\
                callers = [\"user:0\"]\nmax-ttl = \"8h\"\n";
    let mut all = check(good);
    all.push_str(&check(&good.replace("user:0", "group:no-such-group-here")));
    all.push_str(&check(&good.replace("Decrypt", "Decrpyt").replace("name", "nmae")));
    std::fs::remove_file(&file).unwrap();
    all.push_str(&run(&format!("check {}", file.display()), Path::new("/nonexistent")));
    same("check", all);
}
