//! Whole replies, as curl would show them with `-i`.

use std::time::Duration;

use grantd::api::Limits;

use super::support::{World, create, same};

const CREATE: &str = r#"{"key":"alias/app","grantee":"role/RoleB","operations":["Decrypt"]}"#;

#[test]
fn a_lease_is_made() {
    let world = World::new();
    same("made", world.post("/v1/leases", "", CREATE));
    let again = world.post("/v1/leases", "Idempotency-Key: again\r\n", CREATE);
    assert!(again.starts_with("HTTP/1.1 200 OK\n"), "{again}");
    assert!(again.contains(r#""repeated":true"#), "{again}");
    let token = CREATE.replace('}', r#","token":true}"#);
    let token = world.post("/v1/leases", "", &token);
    assert!(token.contains(r#""token":"AQpAM2RhZ""#), "{token}");
    same("made-asked", world.asked().join("\n"));
}

#[test]
fn a_create_that_does_not_succeed_is_a_problem() {
    let world = World::new();
    let with = |key| serde_json::to_string(&create(key)).unwrap();
    same("denied", world.post("/v1/leases", "", &with("alias/denied")));
    same("outcome-unknown", world.post("/v1/leases", "", &with("alias/unknown")));
    same("stopped-over-it", world.post("/v1/leases", "", &with("alias/silent")));
}

#[test]
fn reads_come_from_the_ledger() {
    let world = World::new();
    same("lease", world.get("/v1/leases/g-7k"));
    same("lease-unknown", world.get("/v1/leases/g-0"));
    same("leases", world.get("/v1/leases?grantee=RoleB&mine=true"));
    same("history", world.get("/v1/history?ref=g-7k&since=2026-11-23T00:00:00Z"));
    same("verify", world.get("/v1/history/verify"));
    same("reads-asked", world.asked().join("\n"));
}

#[test]
fn the_daemon_describes_itself() {
    let world = World::new();
    same("status", world.get("/v1/status"));
    same("health", world.get("/v1/health"));
}

#[test]
fn a_freeze_is_made_shown_and_lifted() {
    let world = World::new();
    let body = r#"{"scope":{"key":"alias/app"},"reason":"incident 12"}"#;
    same("frozen", world.post("/v1/freezes", "", body));
    same("freezes", world.get("/v1/freezes"));
    let bare = "POST /v1/freezes/3/lift HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(world.exchange(bare).starts_with("HTTP/1.1 200 OK\n"));
    same("freeze-asked", world.asked().join("\n"));
    for path in ["/v1/freezes/0/lift", "/v1/freezes/x/lift"] {
        let bad = world.post(path, "", "{}");
        assert!(bad.starts_with("HTTP/1.1 400 Bad Request\n"), "{bad}");
    }
    let bad = world.post("/v1/freezes", "", r#"{"scope":{"kye":"alias/app"},"reason":"x"}"#);
    assert!(bad.contains("unknown field `kye`"), "{bad}");
}

#[test]
fn many_are_revoked_by_their_whole_refs() {
    let world = World::new();
    let body = r#"{"refs":["g-7k2m9x4p1q8z"],"reason":"incident","dry-run":true}"#;
    same("revoked-many", world.post("/v1/revoke", "", body));
    same("revoked-many-asked", world.asked().join("\n"));
    let short = world.post("/v1/revoke", "", r#"{"refs":["g-7k"]}"#);
    assert!(short.starts_with("HTTP/1.1 400 Bad Request\n"), "{short}");
    assert!(short.contains("is not a lease ref"), "{short}");
    assert!(world.asked().is_empty());
}

#[test]
fn a_reload_tells_what_changes() {
    let world = World::new();
    same("reloaded", world.post("/v1/reload", "", r#"{"dry-run":true}"#));
    let bare = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(world.exchange(bare).starts_with("HTTP/1.1 200 OK\n"));
    let bad = world.post("/v1/reload", "", r#"{"file":"/tmp/mine.toml"}"#);
    assert!(bad.contains("unknown field `file`"), "{bad}");
    same("reload-asked", world.asked().join("\n"));
    world.fail_next(grantd::fault::Kind::Config);
    same("reload-wrong", world.post("/v1/reload", "", "{}"));
}

#[test]
fn the_metrics_are_text() {
    same("metrics", World::new().get("/v1/metrics"));
}

#[test]
fn a_revoke_needs_no_body() {
    let world = World::new();
    let bare =
        "POST /v1/leases/g-7k/revoke HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    same("revoked", world.exchange(bare));
    let reason = world.post("/v1/leases/g-7k/revoke", "", r#"{"reason":"done"}"#);
    assert!(reason.starts_with("HTTP/1.1 200 OK\n"), "{reason}");
    same("not-yours", world.post("/v1/leases/g-0/revoke", "", "{}"));
    let asked = world.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].ends_with(": None") && asked[1].ends_with(": Some(\"done\")"), "{asked:?}");
}

#[test]
fn a_lease_is_extended() {
    let world = World::new();
    let to = "/v1/leases/g-7k/extend";
    same("extended", world.post(to, "", r#"{"ttl":"2h","token":true}"#));
    let key = "Idempotency-Key: k1\r\n";
    let body = r#"{"until":"2026-11-23T19:00:00+01:00","reason":"more","beyond-policy":true}"#;
    assert!(world.post(to, key, body).starts_with("HTTP/1.1 200 OK\n"));
    same("max-extensions", world.post("/v1/leases/g-0/extend", "", r#"{"ttl":"2h"}"#));
    same("extend-unknown-field", world.post(to, "", r#"{"tll":"2h"}"#));
    assert!(world.get(to).starts_with("HTTP/1.1 405 "));
    same("extend-asked", world.asked().join("\n"));
}

#[test]
fn what_is_not_there_is_said_so() {
    let world = World::new();
    same("no-route", world.get("/v1/grants"));
    same("wrong-method", world.post("/v1/status", "", "{}"));
    same("unknown-parameter", world.get("/v1/leases?gratnee=RoleB"));
    same("no-ref", world.get("/v1/leases/..%2Fstatus"));
}

#[test]
fn a_body_that_is_not_understood_is_refused_by_its_field() {
    let world = World::new();
    let said = |body: &str| {
        let reply = world.post("/v1/leases", "", body);
        let (head, body) = reply.split_once("\n\n").unwrap();
        let status = head.lines().next().unwrap();
        let problem: grantd::wire::Problem = serde_json::from_str(body).unwrap();
        format!("{status}: {}: {}", problem.code, problem.detail)
    };
    let bodies = [
        "",
        "nonsense",
        "{}",
        "[]",
        &CREATE.replace("grantee", "gratnee"),
        &CREATE.replace("\"alias/app\"", "7"),
        &CREATE.replace("\"Decrypt\"", "\"Decrypt\",7"),
        &CREATE.replace('}', r#","until":"tomorrow"}"#),
        &CREATE.replace('}', r#","region":"Mars"}"#),
        &CREATE.replace('}', r#","key":"alias/two"}"#),
        &CREATE.replace('}', r#","constraints":{"equals":{"a":1}}}"#),
        &[CREATE, "{}"].concat(),
        &["[".repeat(500), "]".repeat(500)].concat(),
    ];
    same("bad-bodies", bodies.map(said).join("\n"));
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[test]
fn a_body_is_declared_and_a_read_has_none() {
    let world = World::new();
    let plain = "POST /v1/leases HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\
                 Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    same("not-json", world.exchange(plain));
    let bare = "POST /v1/leases HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\r\n";
    same("no-body", world.exchange(bare));
    let get = "GET /v1/status HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\
               Content-Length: 2\r\n\r\n{}";
    same("get-with-body", world.exchange(get));
    let charset = "POST /v1/leases/g-7k/revoke HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\
                   Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}";
    assert!(world.exchange(charset).starts_with("HTTP/1.1 200 OK\n"));
}

#[test]
fn an_idempotency_key_is_short_and_visible() {
    let world = World::new();
    let key = |key: &str| world.post("/v1/leases", &format!("Idempotency-Key: {key}\r\n"), CREATE);
    same("bad-idempotency-key", key(""));
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n";
    for reply in
        [key(&"k".repeat(129)), key("a b"), key("é"), world.post("/v1/leases", twice, CREATE)]
    {
        assert!(reply.starts_with("HTTP/1.1 400 Bad Request\n"), "{reply}");
    }
    assert_eq!(world.asked(), Vec::<String>::new());
    assert!(key(&"k".repeat(128)).starts_with("HTTP/1.1 201 Created\n"));
}

#[test]
fn what_a_web_page_could_send_is_refused() {
    let world = World::new();
    let send = |target: &str, headers: &str| {
        world.exchange(format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    };
    same("cross-site", send("/v1/status", "Host: evil.example\r\n"));
    let refused = [
        ("/v1/status", ""),
        ("/v1/status", "Host: grantd:80\r\n"),
        ("/v1/status", "Host: grantd\r\nHost: localhost\r\n"),
        ("http://evil.example/v1/status", "Host: grantd\r\n"),
        ("/v1/status", "Host: grantd\r\nOrigin: null\r\n"),
        ("/v1/status", "Host: grantd\r\nReferer: http://localhost/\r\n"),
        ("/v1/status", "Host: grantd\r\nSec-Fetch-Site: same-origin\r\n"),
        ("/v1/nowhere", "Host: grantd\r\nSEC-FETCH-MODE: cors\r\n"),
    ];
    for (target, headers) in refused {
        let reply = send(target, headers);
        assert!(reply.starts_with("HTTP/1.1 403 Forbidden\n"), "{target} {headers:?}: {reply}");
    }
    let taken =
        [("/v1/health", "Host: LocalHost\r\n"), ("http://grantd/v1/health", "Host: grantd\r\n")];
    for (target, headers) in taken {
        let reply = send(target, headers);
        assert!(reply.starts_with("HTTP/1.1 200 OK\n"), "{target} {headers:?}: {reply}");
    }
}

#[test]
fn an_engine_that_says_nothing_is_not_waited_for_for_ever() {
    let limits = Limits { reply: Duration::from_millis(50), ..Limits::default() };
    let (world, _commands) = World::stuck(limits);
    same("late-create", world.post("/v1/leases", "", CREATE));
    same("late-status", world.get("/v1/status"));
    // The queue is full now, and nobody waits for room in it.
    same("busy", world.post("/v1/leases", "", CREATE));
}

#[test]
fn an_engine_that_is_gone_is_said_so() {
    let (world, commands) = World::stuck(Limits::default());
    drop(commands);
    same("stopping", world.get("/v1/health"));
    assert!(world.post("/v1/leases", "", CREATE).starts_with("HTTP/1.1 503 "));
}

#[test]
fn the_log_has_a_line_for_each_request_and_nothing_of_what_it_carries() {
    let world = World::new();
    let secret = CREATE.replace('}', r#","token":true,"reason":"hush"}"#);
    world.post("/v1/leases?", "Idempotency-Key: hidden\r\n", &secret);
    world.get("/v1/leases?key=private");
    world.get(&format!("/v1/{}", "x".repeat(500)));
    world.exchange("GET /v1/status HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n");
    let log = world.log();
    same("log", log.lines().filter(|l| l.contains(": request ")).collect::<Vec<_>>().join("\n"));
    for word in ["AQpAM2RhZ", "hush", "hidden", "RoleB", "private"] {
        assert!(!log.contains(word), "{word} in the log:\n{log}");
    }
}
