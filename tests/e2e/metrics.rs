//! The metrics of a living daemon, on the socket and on a port of loopback.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, request};

/// A free port of loopback; another program might take it before the daemon does.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn world() -> (Sandbox, Host, SocketAddr) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let port = free_port();
    let text = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&text.replace("[daemon]\n", &format!("[daemon]\nmetrics = \"{port}\"\n")));
    (sandbox, host, port)
}

/// What comes back for these bytes.
fn exchange(mut stream: impl std::io::Read + std::io::Write, bytes: &str) -> String {
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn scrape(port: SocketAddr) -> String {
    let get = format!("GET /metrics HTTP/1.1\r\nHost: {port}\r\n\r\n");
    exchange(TcpStream::connect(port).unwrap(), &get)
}

/// The value of a sample, as it is written.
fn value(text: &str, sample: &str) -> Option<String> {
    let line =
        text.lines().find(|line| line.strip_prefix(sample).is_some_and(|l| l.starts_with(' ')));
    line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
}

#[test]
fn a_lease_is_counted_from_its_request_to_its_end() {
    let (sandbox, host, port) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "3s");
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "2h")).status, 403);
    lease.ends_on_time(&sandbox);
    let told = until("the end is counted", || {
        let text = scrape(port);
        (value(&text, "grantd_end_lateness_seconds_count")? == "1").then_some(text)
    });
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    assert!(told.contains("content-type: application/openmetrics-text"), "{told}");
    assert!(told.ends_with("# EOF\n"), "{told}");
    let place = "account=\"111122223333\",region=\"ap-northeast-1\"";
    for (sample, expected) in [
        ("grantd_requests_total{request=\"create\",decision=\"granted\"}".to_owned(), "1"),
        ("grantd_requests_total{request=\"create\",decision=\"ttl-above-max\"}".to_owned(), "1"),
        (format!("grantd_kms_calls_total{{{place},operation=\"create\",outcome=\"done\"}}"), "2"),
        ("grantd_health".to_owned(), "0.0"),
        ("grantd_overdue".to_owned(), "0.0"),
        ("grantd_end_lateness_seconds_bucket{le=\"10.0\"}".to_owned(), "1"),
    ] {
        assert_eq!(value(&told, &sample).as_deref(), Some(expected), "{sample} in {told}");
    }
    assert!(!told.contains(&lease.reference) && !told.contains("RoleB"), "{told}");
    let socket = UnixStream::connect(host.socket()).unwrap();
    let get = "GET /v1/metrics HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\r\n";
    let same = exchange(socket, get);
    assert!(value(&same, "grantd_end_lateness_seconds_count").is_some(), "{same}");
    assert_eq!(daemon.stop(), Some(0));
    assert!(TcpStream::connect(port).is_err(), "nobody listens any more");
}

#[test]
fn the_port_takes_nothing_but_a_scrape_of_this_host() {
    let (_sandbox, host, port) = world();
    let _daemon = host.ready();
    for (head, status) in [
        ("GET /metrics HTTP/1.1\r\nHost: evil.test", "403"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost.evil.test", "403"),
        ("GET /metrics HTTP/1.1\r\nX: y", "403"),
        ("GET /metrics HTTP/1.1\r\nHost: LocalHost:9464", "200"),
        ("GET /metrics HTTP/1.1\r\nHost: [::1]:9464", "200"),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", "405"),
        ("GET /v1/leases HTTP/1.1\r\nHost: localhost", "404"),
        ("POST /v1/leases HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", "404"),
    ] {
        let told = exchange(TcpStream::connect(port).unwrap(), &format!("{head}\r\n\r\n"));
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {told}");
    }
}

/// Clients that never ask are closed in the end, and keep nobody from the leases.
#[test]
fn a_port_that_is_taken_or_flooded_stops_no_lease() {
    let (sandbox, host, port) = world();
    let taken = TcpListener::bind(port).unwrap();
    let daemon = host.ready();
    assert!(host.log().contains("for the metrics"), "{}", host.log());
    Lease::make(&host, &sandbox, "2s").ends_on_time(&sandbox);
    assert_eq!(daemon.stop(), Some(0));
    drop(taken);
    let _daemon = host.ready();
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(port).unwrap()).collect();
    let made = host.post("/v1/leases", &request(&sandbox, "2s"));
    assert_eq!(made.status, 201, "{made:?}");
    for mut one in silent {
        let mut rest = Vec::new();
        // Closed by the daemon: at once where there was no room, else when its headers do not come.
        drop(one.read_to_end(&mut rest));
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}
