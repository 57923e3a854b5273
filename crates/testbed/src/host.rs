//! A machine for grantd in a temporary directory.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::relay::Relay;
use crate::until;

/// How much of the log a failed test shows.
const LOG_SHOWN: usize = 16 * 1024;

/// A machine: configuration, state directory, socket and log in a directory of its own.
#[derive(Debug)]
pub struct Host {
    dir: TempDir,
    binary: PathBuf,
    env: Vec<(String, String)>,
    direct: bool,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
}

/// What the daemon answered on its socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; `Null` if there was none.
    pub body: Value,
}

impl Host {
    /// A machine that runs `binary`: `env!("CARGO_BIN_EXE_grantd")`. Its credentials belong to
    /// nobody.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let dir = tempfile::Builder::new().prefix("grantd-").tempdir();
        let host = Self {
            dir: dir.expect("a temporary directory"),
            binary: binary.into(),
            env: Vec::new(),
            direct: false,
        };
        std::fs::create_dir(host.state_dir()).expect("a new directory");
        host.credentials("AKIDNOBODY", "nothing")
    }

    /// The same with these static credentials.
    #[must_use]
    pub fn credentials(mut self, id: &str, secret: &str) -> Self {
        self.set("AWS_ACCESS_KEY_ID", id);
        self.set("AWS_SECRET_ACCESS_KEY", secret);
        self
    }

    /// The same without a [`Relay`] before its daemons: for measurements, and for what the socket's
    /// own permissions do. What is said there is held against no document.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Sets a variable for the daemons and commands that are started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the ledger is.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Where clients reach the daemon.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir().join("sock")
    }

    /// Where the daemon itself listens.
    #[must_use]
    pub fn daemon_socket(&self) -> PathBuf {
        if self.direct { self.socket() } else { self.dir().join("daemon.sock") }
    }

    /// What is to stand before a daemon of this machine.
    pub(crate) fn relay(&self) -> Option<Relay> {
        (!self.direct).then(|| Relay::start(&self.socket(), &self.daemon_socket()))
    }

    /// The configuration's path.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir().join("grantd.toml")
    }

    /// Writes the configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.config(), text).expect("the configuration is writable");
    }

    /// What all daemons of this machine have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir().join("log")
    }

    /// The program in this machine's environment: nothing of the test's own reaches it.
    #[must_use]
    pub fn command(&self) -> Command {
        self.in_environment(&self.binary)
    }

    /// The same under another program, such as strace: `under` is that program and its arguments.
    #[must_use]
    pub fn command_under(&self, under: &[&str]) -> Command {
        let mut command = self.in_environment(under[0]);
        command.args(&under[1..]).arg(&self.binary);
        command
    }

    fn in_environment(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir())
            .env("TZ", "UTC")
            .env("RUST_BACKTRACE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command
    }

    /// Starts the daemon, and does not wait for it.
    #[must_use]
    pub fn start(&self) -> Daemon {
        Daemon::start(self, self.command())
    }

    /// The same by [`Host::command_under`].
    #[must_use]
    pub fn start_under(&self, under: &[&str]) -> Daemon {
        Daemon::start(self, self.command_under(under))
    }

    /// Starts the daemon and waits until it answers on its socket.
    #[must_use]
    pub fn ready(&self) -> Daemon {
        let mut daemon = self.start();
        until("the daemon answers on its socket", || {
            let gone = daemon.exited();
            assert!(gone.is_none(), "it ended with {gone:?}:\n{}", self.log());
            self.try_get("/v1/status")
        });
        daemon
    }

    /// Runs a command of the program to its end, with `--socket` of this machine.
    #[must_use]
    pub fn grantd(&self, args: &[&str]) -> Ran {
        let mut command = self.command();
        command.env("GRANTD_SOCKET", self.socket()).args(args);
        Ran::of(&command.output().expect("the binary runs"))
    }

    /// `GET`, with a reply.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, None).expect("the daemon answers")
    }

    /// `GET`; `None` when nobody listens or the connection breaks.
    #[must_use]
    pub fn try_get(&self, path: &str) -> Option<Reply> {
        self.request("GET", path, None).ok()
    }

    /// `POST`, with a reply.
    #[track_caller]
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, Some(body)).expect("the daemon answers")
    }

    /// `POST`, when it does not matter whether a reply comes.
    ///
    /// # Errors
    /// Nobody listens, or the connection breaks.
    pub fn try_post(&self, path: &str, body: &Value) -> std::io::Result<Reply> {
        self.request("POST", path, Some(body))
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(request.as_bytes())
    }

    /// These bytes on a connection of their own, and the reply. They must ask for its end.
    ///
    /// # Errors
    /// Nobody listens, or the connection breaks.
    pub fn raw(&self, request: &[u8]) -> std::io::Result<Reply> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Reply::parse(&answer).ok_or_else(|| std::io::Error::other(format!("not HTTP: {answer:?}")))
    }
}

impl Drop for Host {
    #[expect(clippy::print_stderr, reason = "libtest shows it where a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let start = log.len().saturating_sub(LOG_SHOWN);
            let tail = log.get(start..).unwrap_or(&log);
            eprintln!("---- the daemon's log ----\n{tail}\n---- end of the log ----");
        }
    }
}

impl Ran {
    /// What this process did.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same, if it exited with 0.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

impl Reply {
    /// An answer as bytes; `None` if it is none.
    #[must_use]
    pub fn parse(answer: &str) -> Option<Self> {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Some(Self { status, body })
    }
}
