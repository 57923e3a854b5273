//! A stop: nothing new, what is in flight ends, and the wait for it is bounded.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use grantd::api::Limits;
use grantd::client::Client;
use grantd::engine::Command;
use grantd::fault::Kind;
use grantd::wire::LeaseMade;

use super::support::{BOUND, QUEUE, World, create, lease, read_out};

/// A create under way, and the engine's end of it.
fn create_in_flight(world: &World) -> (UnixStream, Command) {
    let mut stream = world.dial();
    let body = serde_json::to_string(&create("alias/held")).unwrap();
    let head = "POST /v1/leases HTTP/1.1\r\nHost: grantd\r\nContent-Type: application/json\r\n";
    let length = body.len();
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let command = world.held.recv_timeout(BOUND).unwrap();
    (stream, command)
}

/// Wait until the server takes nobody any more.
async fn refused(world: &World) {
    let (began, client) = (Instant::now(), Client::connect(&world.own_socket));
    loop {
        match client.health().await {
            Err(fault) if fault.text.starts_with("no daemon: nobody listens on") => return,
            _ => assert!(began.elapsed() < BOUND, "still open to new clients"),
        }
    }
}

#[tokio::test]
async fn a_call_in_flight_gets_its_answer() {
    let mut world = World::new();
    let (mut stream, command) = create_in_flight(&world);
    world.begin_stop();
    refused(&world).await;
    let Command::Create { reply, .. } = command else { panic!("{command:?}") };
    let made = LeaseMade { lease: lease("active"), token: None, repeated: false, late_ms: None };
    reply.send(Ok(made)).unwrap();
    let answer = read_out(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(world.ended(), Ok(()));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cut_off() {
    let mut world = World::with(Limits { grace: Duration::from_millis(100), ..Limits::default() });
    let (mut stream, command) = create_in_flight(&world);
    world.begin_stop();
    assert_eq!(world.ended(), Ok(()));
    assert_eq!(read_out(&mut stream), "");
    let Command::Create { reply, .. } = command else { panic!("{command:?}") };
    assert!(reply.is_closed(), "the engine can tell that nobody waits any more");
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_stop() {
    let mut world = World::new();
    let mut silent = world.dial();
    let mut kept = world.dial();
    kept.write_all(b"GET /v1/health HTTP/1.1\r\nHost: grantd\r\n\r\n").unwrap();
    world.client().health().await.unwrap(); // both are known to the server by now
    let began = Instant::now();
    world.begin_stop();
    assert_eq!(world.ended(), Ok(()));
    assert!(began.elapsed() < Duration::from_secs(4), "the stop took {:?}", began.elapsed());
    assert_eq!(read_out(&mut silent), "");
    assert!(read_out(&mut kept).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_client_that_hangs_up_is_noticed() {
    let world = World::new();
    let (stream, command) = create_in_flight(&world);
    drop(stream);
    let Command::Create { mut reply, .. } = command else { panic!("{command:?}") };
    let closed = tokio::time::timeout(BOUND, reply.closed()).await;
    assert!(closed.is_ok(), "the engine is not told that its asker went");
    let began = Instant::now();
    while !world.log().contains("request not waited for") {
        assert!(began.elapsed() < BOUND, "not in the log: {}", world.log());
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn busy_is_told_apart_from_down() {
    let (world, _commands) = World::stuck(Limits { reply: BOUND, ..Limits::default() });
    let client = world.client();
    // One more than the queue takes: one of them is told at once, the others wait.
    let calls: Vec<_> = (0..=QUEUE).map(|_| Box::pin(client.status())).collect();
    let (first, _, waiting) = futures_util::future::select_all(calls).await;
    assert_eq!(first.unwrap_err().kind, Kind::Busy);
    assert_eq!(waiting.len(), QUEUE);
}
