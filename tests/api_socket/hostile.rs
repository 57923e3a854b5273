//! Clients that mean no good: each goes, in time, and none holds up a good one.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use grantd::api::Limits;
use grantd::client::Client;
use grantd::fault::Kind;

use super::support::{BOUND, World, read_out, same};

/// More clients at once than the defaults allow one user: the tests have one user only.
fn roomy() -> Limits {
    Limits { connections: 256, per_uid: 256, ..Limits::default() }
}

/// Less than the bad ones are given: a good call does not wait for them to go.
const GOOD_CALL_MAX: Duration = Duration::from_secs(4);

/// How many calls a good client gets through before `done`, each within the bound.
async fn good_calls_until(client: Client, done: impl Fn() -> bool) -> usize {
    let mut calls = 0;
    while !done() {
        let began = Instant::now();
        client.health().await.unwrap();
        assert!(began.elapsed() < GOOD_CALL_MAX, "a good call took {:?}", began.elapsed());
        calls += 1;
    }
    calls
}

#[tokio::test]
async fn two_hundred_half_sent_requests_are_closed_and_delay_nobody() {
    let world = World::with(roomy());
    // Past the relay: its threads would be what is measured, and nothing is exchanged here.
    let mut streams: Vec<UnixStream> = (0..200).map(|_| world.dial_past_relay()).collect();
    let began = Instant::now();
    for stream in &mut streams {
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: gra").unwrap();
    }
    let closing = std::thread::spawn(move || {
        for stream in &mut streams {
            read_out(stream);
        }
    });
    let calls = good_calls_until(world.client(), || closing.is_finished()).await;
    closing.join().unwrap();
    let took = began.elapsed();
    assert!(took < BOUND, "half-sent requests were open for {took:?}");
    assert!(
        took > Duration::from_secs(4),
        "closed after {took:?}: sooner than a slow client needs"
    );
    assert!(calls >= 20, "a good client got {calls} calls through meanwhile");
}

#[test]
fn an_idle_connection_is_closed() {
    let world = World::with(Limits { header: Duration::from_millis(100), ..Limits::default() });
    let mut silent = world.dial();
    assert_eq!(read_out(&mut silent), "");
    let mut kept = world.dial();
    kept.write_all(b"GET /v1/health HTTP/1.1\r\nHost: grantd\r\n\r\n").unwrap();
    assert!(read_out(&mut kept).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn one_user_cannot_have_all_the_connections() {
    let world = World::new();
    let limits = Limits::default();
    let mut held: Vec<UnixStream> = (0..limits.per_uid).map(|_| world.dial()).collect();
    same("one-too-many", world.get("/v1/health"));
    let fault = world.client().health().await.unwrap_err();
    assert_eq!(fault.kind, Kind::Busy, "{fault}");
    // One goes: there is room again as soon as the server notices.
    drop(held.pop());
    let began = Instant::now();
    while let Err(fault) = world.client().health().await {
        assert_eq!(fault.kind, Kind::Busy);
        assert!(began.elapsed() < BOUND, "no room came free");
    }
}

#[test]
fn all_users_together_have_a_limit() {
    let world = World::with(Limits { connections: 3, ..Limits::default() });
    let _held: Vec<UnixStream> = (0..3).map(|_| world.dial()).collect();
    same("full", world.get("/v1/health"));
}

#[test]
fn a_body_too_large_is_refused_unread() {
    let world = World::new();
    let head = "POST /v1/leases HTTP/1.1\r\nHost: grantd\r\nContent-Type: application/json\r\n";
    let declared = format!("{head}Content-Length: 65537\r\n\r\n");
    same("too-large", world.exchange(declared));
    // Undeclared: in chunks, until it is too much. The server may hang up while we still write.
    let mut stream = world.dial();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let sent = (0..64).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(sent >= 16, "hung up after {sent} chunks");
    assert!(read_out(&mut stream).starts_with("HTTP/1.1 413 Payload Too Large\r\n"));
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[test]
fn headers_are_few_and_short() {
    let world = World::new();
    let with = |headers: String| {
        let head = "GET /v1/health HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n";
        let mut stream = world.dial();
        // Too much may be answered, and the connection closed, before all of it is written.
        drop(stream.write_all(format!("{head}{headers}\r\n").as_bytes()));
        read_out(&mut stream).lines().next().unwrap_or("closed").to_owned()
    };
    let many = |n: usize| with("X: y\r\n".repeat(n));
    assert_eq!(many(62), "HTTP/1.1 200 OK");
    assert_eq!(many(63), "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(
        with(format!("X: {}\r\n", "y".repeat(20_000))),
        "HTTP/1.1 431 Request Header Fields Too Large"
    );
}

#[test]
fn a_body_that_never_comes_is_not_awaited() {
    let world = World::with(Limits { body: Duration::from_millis(100), ..Limits::default() });
    let mut stream = world.dial();
    let head = "POST /v1/leases HTTP/1.1\r\nHost: grantd\r\nContent-Type: application/json\r\n";
    stream.write_all(format!("{head}Content-Length: 10\r\n\r\n{{\"k").as_bytes()).unwrap();
    let reply = read_out(&mut stream);
    assert!(reply.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{reply}");
    assert!(reply.contains("\r\nconnection: close\r\n"), "{reply}");
}

#[test]
fn garbage_ends_the_connection_after_what_was_good() {
    let world = World::new();
    let pipelined =
        "GET /v1/health HTTP/1.1\r\nHost: grantd\r\n\r\n\0\x16\x03\x01 nonsense\r\n\r\n";
    let reply = world.exchange(pipelined);
    let statuses: Vec<&str> = reply.lines().filter(|l| l.starts_with("HTTP/1.1 ")).collect();
    assert_eq!(statuses, ["HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request"]);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert!(!world.exchange(preface).contains("200 OK"));
}

#[test]
fn a_client_that_never_reads_goes_in_the_end() {
    let limits = Limits {
        life: Duration::from_millis(200),
        linger: Duration::from_millis(200),
        ..Limits::default()
    };
    let world = World::with(limits);
    let mut stream = world.dial();
    stream.set_write_timeout(Some(BOUND)).unwrap();
    let request = "GET /v1/leases HTTP/1.1\r\nHost: grantd\r\n\r\n".repeat(100);
    // Requests without end, and no answer read: the write fails once the server has closed.
    let began = Instant::now();
    let error = loop {
        if let Err(error) = stream.write_all(request.as_bytes()) {
            break error;
        }
        assert!(began.elapsed() < BOUND, "still open after {BOUND:?}");
    };
    let closed = [std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::ConnectionReset];
    assert!(closed.contains(&error.kind()), "{error}");
}
