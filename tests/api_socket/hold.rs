//! Holding a lease: an answer that goes on, beside all the others.

use std::time::{Duration, Instant};

use grantd::api::Limits;
use grantd::engine::Command;
use grantd::fault::{Fault, Kind};
use grantd::wire::HeldLease;
use tokio::sync::{mpsc, oneshot};

use super::support::{BOUND, World, line, same};

type Holding = tokio::task::JoinHandle<Result<(), Fault>>;

/// Hold `g-held` by the client; the lines that it heard, and the engine's end of it.
async fn holder(
    world: &World,
) -> (Holding, mpsc::UnboundedReceiver<HeldLease>, mpsc::Sender<HeldLease>) {
    let (client, (heard, lines)) = (world.client(), mpsc::unbounded_channel());
    let holding = async move { client.hold("g-held", |line| heard.send(line).unwrap()).await };
    let holding = tokio::task::spawn(holding);
    let (tell, told) = mpsc::channel(1);
    asked(world).await.send(Ok(told)).unwrap();
    (holding, lines, tell)
}

type Answer = oneshot::Sender<Result<mpsc::Receiver<HeldLease>, Fault>>;

/// Where the engine answers.
async fn asked(world: &World) -> Answer {
    let asked = async {
        loop {
            match world.held.try_recv() {
                Ok(Command::Hold { reply, .. }) => return reply,
                Ok(other) => panic!("{other:?}"),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(BOUND, asked).await.unwrap()
}

#[test]
fn the_lines_end_with_the_lease() {
    let world = World::new();
    let bare = "POST /v1/leases/g-7k/hold HTTP/1.1\r\nHost: localhost\r\n\r\n";
    same("held", world.exchange(bare));
    assert_eq!(world.asked(), ["hold g-7k for me"]);
}

#[tokio::test]
async fn each_line_comes_when_it_is_told_and_a_close_is_noticed() {
    let world = World::new();
    let (holding, mut lines, tell) = holder(&world).await;
    for state in ["creating", "active"] {
        tell.send(line(state)).await.unwrap();
        assert_eq!(tokio::time::timeout(BOUND, lines.recv()).await.unwrap(), Some(line(state)));
    }
    holding.abort();
    tokio::time::timeout(BOUND, tell.closed()).await.expect("the engine is not told");
}

#[tokio::test]
async fn a_holder_is_not_among_the_others_and_stays_as_long_as_he_likes() {
    let life = Duration::from_millis(100);
    let limits = Limits { life, linger: life, per_uid: 1, holds_per_uid: 1, ..Limits::default() };
    let world = World::with(limits);
    let (holding, mut lines, tell) = holder(&world).await;
    let (began, mut served) = (Instant::now(), false);
    while began.elapsed() < 5 * life || !served {
        assert!(began.elapsed() < BOUND, "the one who holds keeps himself out");
        // A call's own connection is open for a moment after its answer.
        served |= world.client().health().await.is_ok();
    }
    tell.send(line("active")).await.unwrap();
    assert_eq!(tokio::time::timeout(BOUND, lines.recv()).await.unwrap(), Some(line("active")));
    let fault = world.client().hold("g-held", |_| {}).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Busy);
    drop(tell);
    assert_eq!(tokio::time::timeout(BOUND, holding).await.unwrap().unwrap(), Ok(()));
    // His place is free again, and the one of the refused call, once their connections are closed.
    let began = Instant::now();
    while let Err(fault) = world.client().hold("g-7k", |_| {}).await {
        assert_eq!(fault.kind, Kind::Busy);
        assert!(began.elapsed() < BOUND, "no place came free: {fault}");
    }
}

#[tokio::test]
async fn a_refusal_arrives_as_it_left() {
    let world = World::new();
    let client = world.client();
    let fault = Fault::new(Kind::NotYours, "lease g-held is not yours to hold");
    let refuse = async { asked(&world).await.send(Err(fault.clone())).unwrap() };
    let (held, ()) = tokio::join!(client.hold("g-held", |_| {}), refuse);
    assert_eq!(held, Err(fault));
}
