//! `[daemon]`: where it listens, how it logs, how long it waits.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::account::reaches_aws;
use super::diagnostics::Problem;
use super::schema::{DAEMON, LOG};
use super::walk::{At, Table, Walk};
use super::{
    Account, Log, RECONCILE, RECONCILE_MAX, RECONCILE_MIN, SETTLE, SETTLE_MAX, SETTLE_MIN,
    TIME_OUT, TIME_OUT_MIN,
};
use crate::logging::{Format, Level};
use crate::rules::policy::show_span;

/// The longest path of a socket: `sun_path` of unix(7) holds 108 bytes, the last of them 0.
const SOCKET_MAX: usize = 107;

/// What `[daemon]` says, or the defaults.
pub(super) struct Daemon {
    pub(super) socket: Option<PathBuf>,
    pub(super) log: Log,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) reconcile: i64,
    pub(super) settle: i64,
    pub(super) time_out: i64,
}

pub(super) fn read(walk: &mut Walk<'_>, root: &Table<'_, '_>, accounts: &[Account]) -> Daemon {
    let mut daemon = Daemon {
        socket: None,
        log: Log::default(),
        metrics: None,
        reconcile: RECONCILE,
        settle: SETTLE,
        time_out: TIME_OUT,
    };
    let Some(table) = root.get("daemon").and_then(|v| Table::of(walk, v, &DAEMON)) else {
        return daemon;
    };
    daemon.socket = table.text(walk, "socket").and_then(|text| socket(walk, &text));
    if let Some(table) = table.get("log").and_then(|v| Table::of(walk, v, &LOG)) {
        daemon.log = Log {
            level: table.word(walk, "level", &Level::WORDS),
            format: table.word(walk, "format", &Format::WORDS),
        };
    }
    daemon.metrics = table.text(walk, "metrics").and_then(|text| metrics(walk, &text));
    if let Some(settle) = table.duration(walk, "settle") {
        check_settle(walk, &settle, accounts);
        daemon.settle = settle.value;
    }
    if let Some(given) = table.duration(walk, "time-out") {
        let help = "one KMS attempt gets no more; what is not answered by then is looked after";
        within(walk, "time-out", &given, (TIME_OUT_MIN, TIME_OUT), help);
        daemon.time_out = given.value;
    }
    if let Some(given) = table.duration(walk, "reconcile") {
        let help = "what another host left behind is found that late";
        within(walk, "reconcile", &given, (RECONCILE_MIN, RECONCILE_MAX), help);
        daemon.reconcile = given.value;
    }
    daemon
}

fn within(walk: &mut Walk<'_>, key: &str, given: &At<i64>, (least, most): (i64, i64), help: &str) {
    if (least..=most).contains(&given.value) {
        return;
    }
    let message = format!("`{key}` may not be {}", show_span(given.value));
    let help = format!("from {} to {}: {help}", show_span(least), show_span(most));
    walk.problem(Problem::at(given.span.clone(), message).help(help));
}

/// systemd makes the directory of the default; another one must be there.
fn socket(walk: &mut Walk<'_>, text: &At<&str>) -> Option<PathBuf> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    if !text.value.starts_with('/') || text.value.contains('\0') {
        let message = format!("{:?} is no absolute path", text.value);
        let help =
            "write `socket = \"/run/grantd/grantd.sock\"`: the daemon's directory is no fixed one";
        walk.problem(problem(message).help(help));
        return None;
    }
    if text.value.len() > SOCKET_MAX {
        let message = format!("this path has {} bytes", text.value.len());
        let help = format!("the kernel takes {SOCKET_MAX} for a socket: choose a shorter one");
        walk.problem(problem(message).help(help));
        return None;
    }
    Some(PathBuf::from(text.value))
}

/// What is counted is for this host: whoever is to read it from elsewhere has an agent here.
fn metrics(walk: &mut Walk<'_>, text: &At<&str>) -> Option<SocketAddr> {
    let help = "write `metrics = \"127.0.0.1:9464\"`, or leave it out: they are on the socket too";
    let parsed: Result<SocketAddr, _> = text.value.parse();
    let message = match parsed {
        Ok(address) if !address.ip().is_loopback() => {
            format!("{} is no address of loopback: others could read the metrics", address.ip())
        }
        Ok(address) if address.port() == 0 => "port 0 is any port: nobody finds it".to_owned(),
        Ok(address) => return Some(address),
        Err(_) => format!("{:?} is no IP address and port", text.value),
    };
    walk.problem(Problem::at(text.span.clone(), message).help(help));
    None
}

fn check_settle(walk: &mut Walk<'_>, settle: &At<i64>, accounts: &[Account]) {
    let aws = accounts.iter().find(|a| reaches_aws(a));
    let shown = show_span(settle.value);
    if settle.value > SETTLE_MAX {
        let message = format!("`settle` may not be {shown}");
        let help =
            format!("at most {}; the default is {}", show_span(SETTLE_MAX), show_span(SETTLE));
        walk.problem(Problem::at(settle.span.clone(), message).help(help));
    }
    if let Some(account) = aws.filter(|_| settle.value < SETTLE_MIN) {
        let message = format!("`settle` is {shown}, too short for AWS (account {})", account.id);
        let help = format!(
            "at least {}: a CreateGrant may arrive 5min after it was signed and shows up to 5min later; \
             less is only for accounts with an endpoint-url on this host",
            show_span(SETTLE_MIN)
        );
        walk.problem(Problem::at(settle.span.clone(), message).help(help));
    }
}
