//! The client against the server, and against what is no server.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use grantd::client::Client;
use grantd::fault::{Fault, Kind};
use grantd::wire::{ListHistory, ListLeases, RevokeLease};

use super::support::{REF, World, create, lease, read_out, status};

#[tokio::test]
async fn each_call_brings_its_answer() {
    let world = World::new();
    let client = world.client();
    let mut request = create("alias/app");
    request.token = true;
    let made = client.create(&request, Some("again")).await.unwrap();
    assert_eq!((made.lease, made.repeated), (lease("active"), true));
    assert_eq!(made.token.as_deref(), Some("AQpAM2RhZ"));
    assert_eq!(client.lease("g-7k").await, Ok(lease("active")));
    let filter = ListLeases { key: Some("alias/a b".into()), all: true, ..ListLeases::default() };
    let page = client.leases(&filter).await.unwrap();
    assert_eq!((page.items, page.next.as_deref()), (vec![lease("active")], Some("c1")));
    let reason = RevokeLease { reason: Some("done".into()) };
    assert_eq!(client.revoke("g-7k", &reason).await, Ok(lease("ended")));
    let since = grantd::rules::time::Time::parse("2026-11-23T00:00:00Z").ok();
    let filter_history = ListHistory { since, ..ListHistory::default() };
    assert_eq!(client.history(&filter_history).await.unwrap().items[0].seq, 1);
    assert_eq!(client.verify().await.unwrap().rows, 1);
    assert_eq!(client.status().await, Ok(status()));
    assert_eq!(client.health().await.unwrap().version, env!("CARGO_PKG_VERSION"));
    let asked = world.asked();
    assert!(asked[0].contains("key: \"alias/app\"") && asked[0].contains("Some(\"again\")"));
    assert_eq!(asked[2], format!("{filter:?}"));
    assert_eq!(asked[4], format!("{filter_history:?}"));
}

#[tokio::test]
async fn a_fault_of_the_daemon_arrives_as_it_left() {
    let world = World::new();
    let client = world.client();
    let fault = client.create(&create("alias/unknown"), None).await.unwrap_err();
    let reference = grantd::ids::Ref::parse(REF).unwrap();
    assert_eq!(fault, Fault::new(Kind::OutcomeUnknown, "KMS has not answered").about(reference));
    let fault = client.lease("g-0").await.unwrap_err();
    assert_eq!(fault, Fault::new(Kind::RefUnknown, "no lease g-0"));
    let fault = client.lease("../status").await.unwrap_err();
    assert_eq!(fault.kind, Kind::BadArgument);
    let fault = client.create(&create("alias/app"), Some("a\nb")).await.unwrap_err();
    assert_eq!(fault.kind, Kind::BadArgument);
}

#[tokio::test]
async fn no_daemon_is_named_by_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let client = Client::connect(&path);
    let fault = client.health().await.unwrap_err();
    let text = format!("no daemon: there is no socket {}", path.display());
    assert_eq!(fault, Fault::new(Kind::DaemonDown, text));
    drop(UnixListener::bind(&path).unwrap());
    let nobody = format!("no daemon: nobody listens on {}", path.display());
    let nobody = Fault::new(Kind::DaemonDown, nobody);
    assert_eq!(client.health().await, Err(nobody.clone()));
    // Nothing was sent, so nothing can have been done.
    assert_eq!(client.create(&create("alias/app"), None).await, Err(nobody));
}

/// The fault of a call to a server that says `answer`, whatever it is asked, and closes.
async fn fault_from(answer: &'static str) -> Fault {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        read_out(&mut stream);
    });
    let fault = Client::connect(&path).health().await.unwrap_err();
    server.join().unwrap();
    let text = fault.text.replace(path.to_str().unwrap(), "[socket]");
    Fault { text, ..fault }
}

#[tokio::test]
async fn what_is_not_grantd_is_told_apart() {
    let closed = fault_from("").await;
    assert_eq!(closed.kind, Kind::DaemonDown);
    assert!(closed.text.starts_with("the daemon on [socket] closed the connection"), "{closed}");

    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi";
    let page = fault_from(page).await;
    assert_eq!(page.kind, Kind::DaemonDown);
    assert_eq!(page.text, "[socket] answers 200 OK, which is not grantd's way");

    let other = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let other = fault_from(other).await;
    assert_eq!(other.kind, Kind::Bug);
    assert!(other.text.contains("missing field `version`"), "{other}");

    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}";
    let half = fault_from(half).await;
    assert_eq!(half.kind, Kind::DaemonDown);
    assert!(half.text.starts_with("the answer on [socket] broke off"), "{half}");
}

#[tokio::test]
async fn a_silent_daemon_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    let client = Client::connect(&path).patience(Duration::from_millis(50));
    let fault = client.status().await.unwrap_err();
    assert_eq!(fault.kind, Kind::DaemonDown);
    assert_eq!(fault.text, format!("the daemon on {} does not answer (0 s)", path.display()));
    // A change may have been made all the same.
    let fault = client.revoke("g-7k", &RevokeLease::default()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::OutcomeUnknown);
    let silent = format!("the daemon on {} does not answer (0 s)", path.display());
    assert_eq!(fault.text, format!("{silent}: what was asked may have been done"));
}
