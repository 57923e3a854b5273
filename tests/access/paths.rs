//! The ways around: somebody else's connection, headers that claim, a namespace, a closed door.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::client::answered;
use crate::world::{ADMIN, Actor, OWNER, ROOT, STRANGER, World, http, with};

fn refused(answer: &testbed::Reply, kind: &str) {
    assert_eq!((answer.status, &answer.body["type"]), (403, &json!(kind)), "{answer:?}");
}

/// Who asked for the only lease, and who was refused, as the history has it.
fn actors(world: &World, kind: &str) -> Vec<String> {
    let rows = world.host.get("/v1/history").body["items"].clone();
    let rows = rows.as_array().unwrap().iter().filter(|row| row["kind"] == kind);
    let actors = rows.map(|row| row["actor"].as_str().unwrap().to_owned());
    actors.filter(|actor| actor != "grantd").collect() // its proof of the way out
}

/// Waits until the history tells of these refusals, and no more: it is written beside the answer.
fn refusals(world: &World, wanted: &[&str]) {
    testbed::until(&format!("refusals by {wanted:?}"), || {
        let mut told = actors(world, "refused");
        assert!(told.len() <= wanted.len(), "{told:?}");
        told.sort_unstable(); // what is written at once has no order
        (told == wanted).then_some(())
    });
}

/// The kernel says who connected, whoever uses the connection: to lend it is to act. It serves
/// whoever has it no further than the one who lent it, and his standing is judged anew each time.
pub(crate) fn a_passed_connection_is_its_maker_s() {
    let world = World::new();
    let daemon = world.ready();
    let create = world.create("RoleB", false);
    let stranger_s = world.ask_on_borrowed((&STRANGER, &OWNER), &create).unwrap();
    refused(&stranger_s, "no-policy");
    let root_s = world.ask_on_borrowed((&STRANGER, &ROOT), &http("GET", "/v1/history", None));
    refused(&root_s.unwrap(), "read-denied");
    assert_eq!(world.sandbox.grants().len(), 0);
    let owner_s = world.ask_on_borrowed((&OWNER, &STRANGER), &create).unwrap();
    assert_eq!(owner_s.status, 201, "{owner_s:?}");
    assert_eq!(owner_s.body["lease"]["asker"]["uid"], OWNER.uid);
    let read = world.ask_on_borrowed((&OWNER, &STRANGER), &http("GET", "/v1/leases", None));
    refused(&read.unwrap(), "read-denied");
    assert_eq!(actors(&world, "requested"), ["uid 64001 (64001)"]);
    refusals(&world, &["uid 64001 (64001)", "uid 64004 (64004)", "uid 64004 (64004)"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// A connection stays open while the configuration changes: each request is judged by the one in
/// force when it comes.
pub(crate) fn each_request_is_judged_anew() {
    let world = World::new();
    let text = std::fs::read_to_string(world.host.config()).unwrap();
    let callers = "\"user:64001\", \"group:64102\"";
    world.host.configure(&text.replace(callers, "\"user:0\""));
    let daemon = world.ready();
    let create = world.create("RoleB", false).replace("Connection: close\r\n", "");
    let mut stream = UnixStream::connect(world.host.socket()).unwrap();
    let mut ask = || {
        stream.write_all(create.as_bytes()).unwrap();
        answered(&mut stream)
    };
    assert_eq!(ask().status, 201);
    world.host.configure(&text);
    let reloaded = world.host.post("/v1/reload", &json!({}));
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    refused(&ask(), "no-policy");
    assert_eq!(world.sandbox.leased().len(), 1);
    assert_eq!(daemon.stop(), Some(0));
}

/// What a web page's request looks like is refused, also from one who may.
pub(crate) fn forged_headers_open_nothing() {
    let world = World::new();
    let daemon = world.ready();
    let body = json!({ "key": world.sandbox.story.alias, "grantee": "role/RoleB",
        "operations": ["Decrypt"] });
    let forged = [
        "Host: evil.example",
        "Host: localhost.evil.example",
        "Host: localhost\r\nHost: localhost",
        "Host: 127.0.0.1",
        "Host: localhost\r\nOrigin: http://localhost",
        "Host: localhost\r\nOrigin: null",
        "Host: localhost\r\nReferer: http://localhost/",
        "Host: localhost\r\nSec-Fetch-Site: same-origin",
        "Host: localhost\r\nSec-Fetch-Mode: no-cors",
    ];
    for headers in forged {
        for actor in [&OWNER, &ROOT] {
            let answer = world.ask(actor, &with(headers, "POST", "/v1/leases", Some(&body)));
            refused(&answer.unwrap(), "cross-site");
        }
    }
    let absolute = with("Host: localhost", "POST", "http://evil.example/v1/leases", Some(&body));
    refused(&world.ask(&OWNER, &absolute).unwrap(), "cross-site");
    for claim in ["X-Forwarded-User: root", "X-Remote-Uid: 0", "Authorization: Basic cm9vdDo="] {
        let headers = format!("Host: localhost\r\n{claim}");
        let answer = world.ask(&STRANGER, &with(&headers, "POST", "/v1/leases", Some(&body)));
        refused(&answer.unwrap(), "no-policy");
    }
    assert_eq!(world.sandbox.grants().len(), 0);
    assert_eq!(actors(&world, "requested"), [""; 0]);
    refusals(&world, &["uid 0 (root)", "uid 64001 (64001)", "uid 64004 (64004)"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// A daemon that sees its clients from within a user namespace knows none of them but its own.
pub(crate) fn who_has_no_uid_here_is_nobody() {
    let world = World::new();
    let daemon = world.host.start_under(&["unshare", "--user", "--map-root-user"]);
    testbed::until("the daemon answers", || world.host.try_get("/v1/status"));
    world.let_in(0o666);
    for actor in [&OWNER, &ADMIN, &STRANGER] {
        for request in [world.create("RoleB", false), http("GET", "/v1/health", None)] {
            refused(&world.ask(actor, &request).unwrap(), "socket-denied");
        }
    }
    assert_eq!(world.sandbox.grants().len(), 0);
    refusals(&world, &["uid 65534 (nobody)"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// The socket's mode is the kernel's business: grantd never sees whom it keeps out.
pub(crate) fn the_socket_s_mode_keeps_out_and_says_so() {
    let world = World::new();
    let daemon = world.ready();
    std::os::unix::fs::chown(world.host.socket(), None, Some(64102)).unwrap();
    world.let_in(0o660);
    let create = world.create("RoleB", false);
    assert_eq!(world.ask(&STRANGER, &create), Err("PermissionDenied".to_owned()));
    let ran = world.grantd(&STRANGER, &["list", "--mine"]);
    assert_eq!(ran.code, Some(77), "{ran:?}");
    assert!(ran.stderr.contains("you may not use the socket"), "{ran:?}");
    let member = Actor::new("a member", 64003, &[64102]);
    assert_eq!(world.ask(&member, &create).unwrap().status, 201);
    let member = Actor { own_namespace: true, ..member };
    assert_eq!(world.ask(&member, &create).unwrap().status, 201, "his groups are still his");
    assert_eq!(actors(&world, "refused"), [""; 0]);
    assert_eq!(daemon.stop(), Some(0));
}

/// Names that this host does not know match nobody, and the daemon says so.
pub(crate) fn unknown_names_match_nobody_and_warn() {
    let world = World::new();
    let text = std::fs::read_to_string(world.host.config()).unwrap();
    let text = text.replace("\"user:64001\", \"group:64102\"", "\"user:nemo\", \"group:sailors\"");
    let text = text.replace("\"group:64106\"", "\"user:ahab\"");
    world.host.configure(&text);
    let checked = world.host.grantd(&["check", &world.host.config().display().to_string()]);
    assert_eq!(checked.code, Some(0), "they are warnings: {checked:?}");
    for who in ["user \"nemo\"", "group \"sailors\"", "user \"ahab\""] {
        let line = format!("there is no {who} on this host: it matches nobody");
        assert!(checked.stderr.contains(&line), "{checked:?}");
    }
    let daemon = world.ready();
    for line in ["there is no user", "there is no group"] {
        assert!(world.host.log().contains(line), "the log has it too");
    }
    for actor in [&OWNER, &STRANGER, &ADMIN, &ROOT] {
        refused(&world.ask(actor, &world.create("RoleB", false)).unwrap(), "no-policy");
    }
    refused(&world.ask(&ADMIN, &http("GET", "/v1/status", None)).unwrap(), "read-denied");
    assert_eq!(world.sandbox.grants().len(), 0);
    let told: Value = world.host.get("/v1/status").body;
    assert_eq!(told["end-only"], Value::Null, "it works for those it knows: {told}");
    assert_eq!(daemon.stop(), Some(0));
}
