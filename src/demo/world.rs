//! Everything the demo starts: the sandbox on a thread of this process, and the real daemon as a
//! child of it. Both end with the demo, and so does their directory, whichever way it ends; only
//! `kill -9` of the demo leaves the directory behind, and the daemon goes even then
//! (`--with-parent`).

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kms_sandbox::{Handle, Propagation, Running, Story, StoryOptions, system_clock};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use super::person::Person;
use crate::client::Client;
use crate::clock::Clock as _;
use crate::clock::system::SystemClock;
use crate::fault::{Fault, Kind};
use crate::rules::time::{SECOND, Time};

/// How long a change takes to show in the sandbox: long enough to be seen, short enough to wait
/// for.
pub(super) const PROPAGATION: u32 = 300;
/// How long the daemon may take to start.
const READY: i64 = 10 * SECOND;
/// How long it may take to stop: it gives calls in flight 10 s.
const STOP: i64 = 12 * SECOND;
/// Between two looks.
pub(super) const LOOK: i64 = 20;
/// How much of the daemon's log is shown when something goes wrong.
const LOG_LINES: usize = 12;

/// What lies under the key.
pub(super) const SECRET: &str = "the figures of the third quarter";

/// The sandbox, the daemon and who is in the story.
pub(super) struct World {
    pub(super) clock: SystemClock,
    pub(super) story: Story,
    pub(super) sandbox: Running,
    pub(super) client: Client,
    pub(super) ciphertext: String,
    pub(super) role_a: Person,
    pub(super) role_b: Person,
    pub(super) admin: Person,
    dir: TempDir,
    daemon: Child,
}

impl World {
    /// Start all of it. The daemon is not ready yet.
    pub(super) fn start() -> Result<Self, Fault> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |error: std::io::Error| Fault::new(Kind::Io, format!("{what}: {error}"))
        };
        let clock = SystemClock::new().map_err(io("cannot read the clock"))?;
        let now = clock.read().wall;
        let options =
            StoryOptions { propagation: Propagation::fixed(PROPAGATION), ..Default::default() };
        let mut story = Story::new(options, now.0);
        let ciphertext = story.encrypt(SECRET, now.0);
        let handle = Handle::new(story.core.clone(), system_clock());
        let sandbox = Running::start(handle).map_err(io("cannot start the sandbox"))?;
        let region = region(&story);
        let person = |identity| Person::new(identity, &region, sandbox.addr());
        let (role_a, role_b) = (person(&story.role_a), person(&story.role_b));
        let admin = person(&story.admin);
        let dir = tempfile::Builder::new().prefix("grantd-demo-").tempdir();
        let dir = dir.map_err(io("cannot make a temporary directory"))?;
        let (config, state) = (dir.path().join("grantd.toml"), dir.path().join("state"));
        DirBuilder::new()
            .mode(0o700)
            .create(&state)
            .map_err(io("cannot make the state directory"))?;
        let text = configuration(&story, &region, &sandbox.url());
        std::fs::write(&config, text).map_err(io("cannot write the configuration"))?;
        let log = File::create(dir.path().join("log")).map_err(io("cannot make the log"))?;
        let socket = dir.path().join("grantd.sock");
        let program = std::env::current_exe().map_err(io("cannot find this program"))?;
        let daemon = Command::new(program)
            .arg("--socket")
            .arg(&socket)
            .args(["run", "--with-parent", "--config"])
            .arg(&config)
            .arg("--state-dir")
            .arg(&state)
            .env_clear()
            // No profile, region or endpoint of the person who runs the demo may reach the daemon.
            .env("HOME", dir.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", &story.grantd.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &story.grantd.secret_access_key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(io("cannot start the daemon"))?;
        let client = Client::connect(socket);
        Ok(Self { clock, story, sandbox, client, ciphertext, role_a, role_b, admin, dir, daemon })
    }

    /// Wait until the daemon answers.
    pub(super) async fn ready(&mut self) -> Result<(), Fault> {
        let until = self.now().plus(READY);
        loop {
            let fault = match self.client.status().await {
                Ok(_) => return Ok(()),
                Err(fault) => fault,
            };
            if let Ok(Some(ended)) = self.daemon.try_wait() {
                return Err(Fault::new(Kind::Bug, format!("the daemon ended: {ended}")));
            }
            if self.now() > until {
                return Err(Fault { text: format!("the daemon is not ready: {fault}"), ..fault });
            }
            self.clock.nap(LOOK).await;
        }
    }

    /// The present.
    pub(super) fn now(&self) -> Time {
        self.clock.read().wall
    }

    /// Where the daemon listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("grantd.sock")
    }

    /// The end of the daemon's log.
    pub(super) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        lines[from..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Stop the daemon as systemd would, then let everything go.
    pub(super) async fn stop(mut self) {
        let id = i32::try_from(self.daemon.id()).ok().and_then(Pid::from_raw);
        if id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok()) {
            let until = self.now().plus(STOP);
            while matches!(self.daemon.try_wait(), Ok(None)) && self.now() < until {
                self.clock.nap(LOOK).await;
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Both fail only if it has ended already. Killing it loses nothing: that is its promise.
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

fn region(story: &Story) -> String {
    story.key_arn.split(':').nth(3).unwrap_or_default().to_owned()
}

/// The whole configuration; a person would write the same against AWS, without `settle` and
/// `endpoint-url`.
pub(super) fn configuration(story: &Story, region: &str, url: &str) -> String {
    let (alias, role, uid) = (story.alias, &story.grantd.arn, getuid().as_raw());
    let account = story.key_arn.split(':').nth(4).unwrap_or_default();
    format!(
        r#"group = "demo"

[daemon]
settle = "{PROPAGATION}ms"

[[account]]
id = "{account}"
retiring-principal = "{role}"
regions = ["{region}"]
endpoint-url = "{url}"

[[policy]]
name = "demo-readers"
keys = ["{alias}"]
grantees = ["role/RoleB"]
operations = ["Decrypt", "DescribeKey"]
callers = ["user:{uid}"]
default-ttl = "30s"
max-ttl = "1h"
"#
    )
}
