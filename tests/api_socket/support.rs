//! A server in a thread of its own, as the daemon runs it, and the two whom it asks.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use grantd::api::{Backend, Limits, serve, socket};
use grantd::client::Client;
use grantd::config::Config;
use grantd::engine::{Caller, Command, Refusals};
use grantd::fault::{Fault, Kind};
use grantd::ids::Ref;
use grantd::wire::*;
use nix::unistd::{Uid, User};
use serde_json::json;
use testbed::Relay;
use tokio::sync::{mpsc, oneshot, watch};

use super::administer::administer;
use super::log::Tap;
use super::shelf::{NextFault, Shelf};
use crate::redact;

/// Failing bound of every wait.
pub(crate) const BOUND: Duration = Duration::from_secs(10);
/// As many commands as the engine of these tests lets wait.
pub(crate) const QUEUE: usize = 2;
pub(crate) const REF: &str = "g-7k2m9x4p1q8z";
/// A hash of the history.
pub(crate) const HASH: &str = "1234567812345678123456781234567812345678123456781234567812345678";

/// A running server.
pub(crate) struct World {
    /// Dropped before the directory.
    relay: Option<Relay>,
    _dir: tempfile::TempDir,
    /// Where clients reach the server: every exchange is held against the API's document.
    pub(crate) socket: PathBuf,
    /// Where the server itself listens.
    pub(crate) own_socket: PathBuf,
    /// What reached the engine and the ledger, as they saw it.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    next_fault: NextFault,
    log: Tap,
    /// Commands on `alias/held` wait here.
    pub(crate) held: Receiver<Command>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<Result<(), Fault>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::under(limits, Some(Arc::new(crate::sight::config(""))))
    }

    fn under(limits: Limits, config: Option<Arc<Config>>) -> Self {
        let (asked, next_fault) = (Arc::new(Mutex::new(Vec::new())), NextFault::default());
        let (engine, commands) = mpsc::channel(QUEUE);
        let (hold, held) = channel();
        let (engine_asked, fault) = (Arc::clone(&asked), next_fault.clone());
        std::thread::spawn(move || play_engine(commands, &engine_asked, &fault, &hold));
        Self::of((limits, config), engine, asked, next_fault, held)
    }

    /// With a configuration in force, or none that loads, and a socket that lets everybody connect.
    pub(crate) fn open_to_all(config: Option<Config>) -> Self {
        let world = Self::under(Limits::default(), config.map(Arc::new));
        for (path, mode) in [(world._dir.path(), 0o755), (&world.own_socket, 0o666)] {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        world
    }

    /// With an engine that takes nothing out of its queue.
    pub(crate) fn stuck(limits: Limits) -> (Self, mpsc::Receiver<Command>) {
        let (engine, commands) = mpsc::channel(QUEUE);
        let (asked, fault) = (Arc::default(), NextFault::default());
        (Self::of((limits, None), engine, asked, fault, channel().1), commands)
    }

    fn of(
        (limits, config): (Limits, Option<Arc<Config>>),
        engine: mpsc::Sender<Command>,
        asked: Arc<Mutex<Vec<String>>>,
        next_fault: NextFault,
        held: Receiver<Command>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (path, own) = (dir.path().join("s"), dir.path().join("own"));
        let listener = socket::bind(&own, None).unwrap();
        let relay = Some(Relay::start(&path, &own));
        let (stop, stopped) = oneshot::channel::<()>();
        let (_, config) = watch::channel(config);
        let shelf = Shelf { asked: Arc::clone(&asked), next_fault: next_fault.clone() };
        let (ledger, refusals) = (Arc::new(shelf), Refusals::default());
        let backend = Backend { engine, ledger, config, refusals };
        let log = Tap::default();
        let subscriber = log.subscriber();
        let server = std::thread::spawn(move || {
            let _logging = tracing::subscriber::set_default(subscriber);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let stop = async { drop(stopped.await) };
            runtime.unwrap().block_on(serve(listener, backend, limits, stop))
        });
        Self {
            relay,
            _dir: dir,
            socket: path,
            own_socket: own,
            asked,
            next_fault,
            log,
            held,
            stop: Some(stop),
            server: Some(server),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.socket)
    }

    /// What was asked so far, and forget it.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// All that the server logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    pub(crate) fn dial(&self) -> UnixStream {
        Self::connect(&self.socket)
    }

    pub(crate) fn dial_past_relay(&self) -> UnixStream {
        Self::connect(&self.own_socket)
    }

    fn connect(socket: &Path) -> UnixStream {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Send these bytes, and read until the server closes: the reply, with plain line ends.
    pub(crate) fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.dial();
        stream.write_all(bytes.as_ref()).unwrap();
        read_out(&mut stream).replace("\r\n", "\n")
    }

    /// A well-formed request without a body, on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> String {
        self.exchange(format!("GET {target} HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\r\n"))
    }

    /// A well-formed request with a JSON body, on a connection of its own.
    pub(crate) fn post(&self, target: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        self.exchange(format!(
            "POST {target} HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    /// Let the engine or the ledger, whoever is asked next, answer with this fault.
    pub(crate) fn fail_next(&self, kind: Kind) {
        self.next_fault.set(kind);
    }

    /// Which answers of the API's document were given so far; nobody is let in any more.
    pub(crate) fn seen(&mut self) -> BTreeSet<String> {
        self.relay.take().unwrap().seen()
    }

    /// Tell the server to stop, without waiting for it.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Wait for the server's end.
    pub(crate) fn ended(&mut self) -> Result<(), Fault> {
        self.server.take().unwrap().join().unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(server) = self.server.take() {
            let ended = server.join();
            if !std::thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

/// Everything until the other end closes; a reset after the last byte is a close too.
pub(crate) fn read_out(stream: &mut UnixStream) -> String {
    let (mut all, mut some) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&some[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("not closed within {BOUND:?}: {error}"),
        }
    }
    String::from_utf8(all).unwrap()
}

/// Compare with what was read and found good.
pub(crate) fn same(name: &str, shown: impl AsRef<str>) {
    redact::settings().bind(|| insta::assert_snapshot!(name, shown.as_ref()));
}

/// Whether the caller is the one who runs this test, by uid and name.
pub(crate) fn who(caller: &Caller) -> &'static str {
    let own = User::from_uid(Uid::effective()).unwrap();
    let name = own.map_or_else(|| Uid::effective().to_string(), |user| user.name);
    if caller.uid == Uid::effective().as_raw() && caller.name == name { "me" } else { "another" }
}

pub(crate) fn lease(state: &str) -> Lease {
    serde_json::from_value(json!({
        "ref": REF, "state": state,
        "key-arn": "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "key": "alias/app", "grantee": "arn:aws:iam::111122223333:role/RoleB",
        "operations": ["Decrypt"], "constraints": "none", "policy": "s3-readers", "reason": "INC-7",
        "asker": {"uid": 1000, "name": "alice"}, "origin": "asked", "account": "111122223333",
        "region": "ap-northeast-1", "endpoint": null, "started-at": "2026-11-23T16:00:00Z",
        "deadline": "2026-11-23T18:00:00Z", "latest": "2026-11-24T00:00:00Z", "lead-ms": 0,
        "closed-at": null, "grants": [],
    }))
    .unwrap()
}

pub(crate) fn freeze() -> Freeze {
    serde_json::from_value(json!({
        "id": 3, "scope": {"key": "alias/app"}, "reason": "incident 12",
        "by": {"uid": 0, "name": "root"}, "at": "2026-11-23T16:00:00Z",
    }))
    .unwrap()
}

/// A line to the holder of a lease.
pub(crate) fn line(state: &str) -> HeldLease {
    let lease = lease(state);
    HeldLease { state: lease.state, deadline: lease.deadline }
}

pub(crate) fn status() -> Status {
    serde_json::from_value(json!({
        "version": "0.0.0", "health": 1, "alarms": ["one"], "end-only": null,
        "started-at": "2026-11-23T15:00:00Z", "now": "2026-11-23T16:00:00Z",
        "counts": {"active": 1}, "next-deadline": "2026-11-23T18:00:00Z", "overdue": [],
        "overdue-count": 0, "waits": [], "lanes": [], "history-head": HASH, "unproven": 0, "strangers": 0,
        "rogues": 0, "impostors": 0, "strays": 0, "found": 0,
        "holds": [], "adoptable": 0, "moved-aliases": [], "keys-off": [], "missing": 0, "refused-today": 0, "grantees-gone": 0,
    }))
    .unwrap()
}

pub(crate) fn create(key: &str) -> CreateLease {
    serde_json::from_value(json!({"key": key, "grantee": "role/RoleB", "operations": ["Decrypt"]}))
        .unwrap()
}

/// The engine of these tests: the key says what becomes of a create, the ref what becomes of a
/// revoke.
fn play_engine(
    mut commands: mpsc::Receiver<Command>,
    asked: &Mutex<Vec<String>>,
    next_fault: &NextFault,
    hold: &Sender<Command>,
) {
    let note = |said: String| asked.lock().unwrap().push(said);
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Create { caller, request, idempotency, reply } => {
                note(format!("create for {}: {request:?}, key {idempotency:?}", who(&caller)));
                if request.key == "alias/held" {
                    hold.send(Command::Create { caller, request, idempotency, reply }).unwrap();
                } else if request.key != "alias/silent" {
                    drop(reply.send(next_fault.or(made(&request, idempotency.as_deref()))));
                }
            }
            Command::Extend { caller, reference, request, idempotency, reply } => {
                let who = who(&caller);
                note(format!("extend {reference} for {who}: {request:?}, key {idempotency:?}"));
                drop(reply.send(next_fault.or(extended(&reference, &request))));
            }
            Command::Revoke { caller, reference, reason, reply } => {
                note(format!("revoke {reference} for {}: {reason:?}", who(&caller)));
                let answer = match reference.as_str() {
                    "g-0" => Err(Fault::new(Kind::NotYours, "lease g-0 is alice's")),
                    _ => Ok(lease("ended")),
                };
                drop(reply.send(next_fault.or(answer)));
            }
            Command::RevokeMany { caller, request, reply } => {
                note(format!("revoke many for {}: {request:?}", who(&caller)));
                let page = Page { items: vec![lease("ending")], next: None };
                drop(reply.send(next_fault.or(Ok(page))));
            }
            other @ (Command::Freeze { .. }
            | Command::Lift { .. }
            | Command::Reload { .. }
            | Command::Prove { .. }
            | Command::Adopt { .. }
            | Command::Resume { .. }
            | Command::Search { .. }
            | Command::AcceptAlias { .. }) => {
                administer(other, &note, next_fault);
            }
            Command::Hold { caller, reference, reply } => {
                note(format!("hold {reference} for {}", who(&caller)));
                let (tell, told) = mpsc::channel(1);
                if reference == "g-held" {
                    hold.send(Command::Hold { caller, reference, reply }).unwrap();
                } else {
                    tell.try_send(line("ended")).unwrap();
                    drop(reply.send(next_fault.or(Ok(told))));
                }
            }
            Command::Metrics { reply } => {
                drop(reply.send(next_fault.or(Ok("grantd_health 0.0\n# EOF\n".to_owned()))));
            }
            Command::Status { reply } => drop(reply.send(next_fault.or(Ok(status())))),
        }
    }
}

fn made(request: &CreateLease, idempotency: Option<&str>) -> Result<LeaseMade, Fault> {
    let reference = Ref::parse(REF).unwrap();
    match request.key.as_str() {
        "alias/denied" => Err(Fault::new(Kind::NoPolicy, "no policy allows this")),
        "alias/unknown" => {
            Err(Fault::new(Kind::OutcomeUnknown, "KMS has not answered").about(reference))
        }
        _ => Ok(LeaseMade {
            lease: lease("active"),
            token: request.token.then(|| "AQpAM2RhZ".to_owned()),
            repeated: idempotency == Some("again"),
            late_ms: None,
        }),
    }
}

pub(crate) fn extended(reference: &str, request: &ExtendLease) -> Result<LeaseExtended, Fault> {
    let gap = Gap { from: lease("active").deadline, until: lease("active").latest };
    match reference {
        "g-0" => Err(Fault::new(Kind::MaxExtensions, "lease g-0 was extended 3 times")),
        _ => Ok(LeaseExtended {
            lease: lease("active"),
            token: request.token.then(|| "AQpAM2RhZ".to_owned()),
            repeated: false,
            gap: Some(gap),
        }),
    }
}
