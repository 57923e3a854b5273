//! What is refused stands in the history: the first at once, those that follow as a count, and none
//! of them twice, whatever happens to the daemon.

use serde_json::{Value, json};
use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::history_verifies;

/// One more than the first.
const FLOOD: u64 = 40;

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let text = sandbox.config(&Config::default());
    host.configure(&text.replace("[daemon]\n", "[daemon]\nlog = { level = \"debug\" }\n"));
    (sandbox, host)
}

/// Asks for what no policy gives, and as a web page would.
fn flood(sandbox: &Sandbox, host: &Host) {
    for n in 0..=FLOOD {
        let body = json!({ "key": sandbox.story.alias, "grantee": format!("role/Role{}", n % 3),
            "operations": ["Decrypt"] });
        assert_eq!(host.post("/v1/leases", &body).body["type"], "no-policy");
        let page = "GET /v1/leases HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n\
                    Connection: close\r\n\r\n";
        assert_eq!(host.raw(page.as_bytes()).unwrap().body["type"], "cross-site");
    }
}

/// The rows about refusals, as the daemon shows them or, where none runs, as they are in the file.
fn rows(host: &Host, kind: &str) -> Vec<Value> {
    let ledger = host.state_dir().join("ledger.db").display().to_string();
    let ran = match host.try_get("/v1/health") {
        Some(_) => host.grantd(&["history", "--json"]),
        None => host.grantd(&["history", "--json", "--ledger", &ledger]),
    };
    let rows = ran.ok().stdout;
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["kind"] == kind).collect()
}

fn of<'a>(rows: &'a [Value], fault: &str) -> &'a Value {
    let mut rows = rows.iter().filter(|row| row["body"]["fault"] == fault);
    let (first, more) = (rows.next(), rows.next());
    assert!(more.is_none(), "{first:?} {more:?}");
    first.unwrap()
}

#[test]
fn a_flood_is_two_rows_that_say_who_why_and_what() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    flood(&sandbox, &host);
    assert_eq!(host.log().matches("refused: ").count(), 2, "nor does it fill the log");
    until("the first are told", || (rows(&host, "refused").len() == 2).then_some(()));
    assert!(rows(&host, "refused-again").is_empty());
    assert_eq!(daemon.stop(), Some(0));
    let (first, again) = (rows(&host, "refused"), rows(&host, "refused-again"));
    assert_eq!((first.len(), again.len()), (2, 2));
    let uid = rustix::process::getuid().as_raw();
    for fault in ["no-policy", "cross-site"] {
        let (first, again) = (of(&first, fault), of(&again, fault));
        assert!(first["actor"].as_str().unwrap().starts_with(&format!("uid {uid} (")), "{first}");
        assert_eq!(first["actor"], again["actor"]);
        assert_eq!(again["body"]["times"], FLOOD, "{again}");
        assert!(again["body"]["since"].as_str().unwrap() <= again["at"].as_str().unwrap());
    }
    let first = &of(&first, "no-policy")["body"]["asked"];
    assert_eq!((&first["command"], &first["grantee"]), (&json!("create"), &json!("role/Role0")));
    let all = of(&again, "no-policy")["body"]["asked"].as_array().unwrap();
    assert_eq!(all.len(), 3, "each only once: {all:?}");
    assert_eq!(of(&again, "cross-site")["body"]["asked"], json!([{ "request": "GET /v1/leases" }]));
    assert!(of(&again, "cross-site")["body"]["why"].as_str().unwrap().contains("origin"));
    assert_eq!(sandbox.grants().len(), 0, "nothing reached KMS, the proof neither");
}

#[test]
fn a_crash_in_the_middle_of_a_count_loses_none_that_was_saved_and_tells_none_twice() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    flood(&sandbox, &host);
    until("the counts are saved", || host.log().contains("saved=2").then_some(()));
    daemon.kill();
    // What was counted within the last second may be gone; what was written first is not.
    assert_eq!((rows(&host, "refused").len(), rows(&host, "refused-again").len()), (2, 0));
    let daemon = host.ready();
    let again = rows(&host, "refused-again");
    for fault in ["no-policy", "cross-site"] {
        let times = of(&again, fault)["body"]["times"].as_u64().unwrap();
        assert!((1..=FLOOD).contains(&times), "{times}");
    }
    daemon.kill();
    let daemon = host.ready();
    assert_eq!(rows(&host, "refused-again").len(), 2, "they are told once");
    history_verifies(&host);
    assert_eq!(daemon.stop(), Some(0));
}
