//! The API under schemathesis: requests made from `docs/openapi.json`, right and wrong ones, and
//! chains of them along its links, against the real daemon's socket and the embedded KMS behind it.
//! What schemathesis judges, the relay before the daemon judges too. Slow: for `.ci/long`.
//!
//! `fuzz_api GRANTD [SECONDS]` (default 300).
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread::JoinHandle;

use testbed::{Config, Host, PATIENCE, Sandbox, until_within, venv};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
/// Stays below what one user may have open at once.
const WORKERS: &str = "2";
/// More than the daemon takes for any answer.
const ANSWER_SECONDS: &str = "40";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let binary = args.next().expect("usage: fuzz_api GRANTD [SECONDS]");
    let seconds = args.next().unwrap_or_else(|| "300".to_owned());
    let program = venv::FUZZERS.programs().expect("schemathesis is installed");

    let sandbox = Sandbox::start();
    let rates = Config { create_rate: 45, end_rate: 45, ..Config::default() };
    let host = sandbox.host(&binary, &rates);
    // Short leases: one asker may have only so many, and each is to be ended in the end.
    let config = sandbox.config(&rates);
    host.configure(&config.replace("\"1min\"", "\"1s\"").replace("\"1h\"", "\"3s\""));
    let daemon = host.ready();
    let ended = fuzz(&program.join("schemathesis"), relay(&host), &seconds);

    let verified = host.get("/v1/history/verify").body;
    println!("leases made: {}; history rows: {}", sandbox.leased().len(), verified["rows"]);
    assert!(!sandbox.leased().is_empty(), "no request was good enough for a lease");
    assert!(verified["broken"].is_null(), "{verified}");
    until_within(2 * PATIENCE, "every lease is ended", || {
        sandbox.living().is_empty().then_some(())
    });
    assert_eq!(daemon.stop(), Some(0), "{}", host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
    if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fuzz(program: &Path, addr: SocketAddr, seconds: &str) -> ExitStatus {
    let mut command = Command::new(program);
    command.args(["run", DOCUMENT, "--url", &format!("http://{addr}")]);
    // The socket's clients are of this host, and so is the relay.
    command.args(["--header", "Host: localhost"]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"]);
    command.args(["--max-time", seconds, "--workers", WORKERS]);
    command.args(["--request-timeout", ANSWER_SECONDS, "--continue-on-failure", "--no-color"]);
    command.args(["--generation-database", "none"]);
    command.env("HOME", venv::target()).current_dir(venv::target());
    command.status().expect("schemathesis starts")
}

/// A port of loopback before the socket: schemathesis speaks TCP only.
fn relay(host: &Host) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = listener.local_addr().expect("a bound socket");
    let socket = host.socket();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(daemon) = UnixStream::connect(&socket) else { continue };
            drop(carry(client, daemon));
        }
    });
    addr
}

fn carry(client: TcpStream, daemon: UnixStream) -> std::io::Result<[JoinHandle<()>; 2]> {
    let (up, down) = ((client.try_clone()?, daemon.try_clone()?), (daemon, client));
    let up = std::thread::spawn(move || {
        copy(up.0, &up.1);
        drop(up.1.shutdown(Shutdown::Write)); // it may be closed already
    });
    let down = std::thread::spawn(move || {
        copy(down.0, &down.1);
        drop(down.1.shutdown(Shutdown::Both));
    });
    Ok([up, down])
}

/// Until either end is closed: whoever broke off has no use for the error.
fn copy(mut from: impl Read, mut to: impl Write) {
    drop(std::io::copy(&mut from, &mut to));
}
