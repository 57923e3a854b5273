//! The embedded KMS with the story in it, and configurations for it.

use std::fmt::Write as _;

use kms_sandbox::{Entry, GrantTruth, Handle, Op, Running, Story, StoryOptions, system_clock};

use crate::host::Host;
use crate::wait::now_ms;

/// A running sandbox.
pub struct Sandbox {
    /// The server; its handle holds and fails calls.
    pub server: Running,
    /// Who and what is in it. (Its `core` is the world before it began; the running one is the
    /// handle's.)
    pub story: Story,
    account: String,
    region: String,
}

/// A configuration for the story's account; what a test does not say is as follows.
#[derive(Debug, Clone)]
pub struct Config {
    /// `settle`: short, since the sandbox here propagates at once.
    pub settle: &'static str,
    /// CreateGrant requests per second.
    pub create_rate: u32,
    /// RetireGrant requests per second.
    pub end_rate: u32,
    /// Whether the way out is proven first.
    pub probe: bool,
    /// More keys of the account, such as `role-arn`; with that one the retiring principal goes
    /// without saying.
    pub account: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { settle: "1s", create_rate: 10, end_rate: 24, probe: true, account: String::new() }
    }
}

impl Sandbox {
    /// A sandbox on a port of its own.
    #[must_use]
    pub fn start() -> Self {
        Self::with(StoryOptions::default())
    }

    /// The same with another account or Region.
    #[must_use]
    pub fn with(options: StoryOptions) -> Self {
        let (account, region) = (options.account.clone(), options.region.clone());
        let story = Story::new(options, now_ms());
        let handle = Handle::new(story.core.clone(), system_clock());
        let server = Running::start(handle).expect("a port of loopback");
        Self { server, story, account, region }
    }

    /// Its handle.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.server.handle()
    }

    /// A machine whose daemon makes and ends grants here as the role grantd, with `config` written.
    #[must_use]
    pub fn host(&self, binary: &str, config: &Config) -> Host {
        let grantd = &self.story.grantd;
        let host = Host::new(binary).credentials(&grantd.access_key_id, &grantd.secret_access_key);
        host.configure(&self.config(config));
        host
    }

    /// `config` as text.
    #[must_use]
    pub fn config(&self, config: &Config) -> String {
        let Config { settle, create_rate, end_rate, probe, account: more } = config;
        let mut text = format!("group = \"test\"\n\n[daemon]\nsettle = \"{settle}\"\n\n");
        let account = format!(
            "[[account]]\nid = \"{}\"\nretiring-principal = \"{}\"\n\
             regions = [\"{}\"]\nendpoint-url = \"{}\"\nprobe = {probe}\n\
             rates = {{ create = {create_rate}, end = {end_rate}, list = 50 }}\n{more}\n\n",
            self.account,
            self.story.grantd.arn,
            self.region,
            self.server.url(),
        );
        let policy = format!(
            "[[policy]]\nname = \"readers\"\nkeys = [\"{}\"]\ngrantees = [\"role/RoleB\"]\n\
             operations = [\"Decrypt\", \"DescribeKey\"]\ncallers = [\"user:{}\"]\n\
             default-ttl = \"1min\"\nmax-ttl = \"1h\"\n\
             max-live = 10000\nmax-live-per-asker = 10000\n",
            self.story.alias,
            rustix::process::getuid().as_raw(),
        );
        write!(text, "{account}{policy}").expect("a string takes everything");
        text
    }

    /// The journal's accepted calls of one operation, oldest first, without grantd's probes (grants
    /// to its own role).
    #[must_use]
    pub fn accepted(&self, op: Op) -> Vec<Entry> {
        let probes: Vec<String> = self
            .grants()
            .into_iter()
            .filter(|grant| grant.grantee == self.story.grantd.arn)
            .map(|grant| grant.grant_id)
            .collect();
        self.handle().with(|core| {
            let all = core.journal().iter();
            let wanted = all.filter(|entry| entry.op == op && entry.accepted());
            let real =
                wanted.filter(|e| !e.grant_id.as_ref().is_some_and(|id| probes.contains(id)));
            real.cloned().collect()
        })
    }

    /// Every grant to RoleB that lives.
    #[must_use]
    pub fn living(&self) -> Vec<GrantTruth> {
        let all = self.handle().with(|core| core.grants_alive(now_ms()));
        all.into_iter().filter(|grant| grant.grantee == self.story.role_b.arn).collect()
    }

    /// Every grant that ever was.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantTruth> {
        self.handle().with(|core| core.grants())
    }

    /// Every grant to RoleB that ever was.
    #[must_use]
    pub fn leased(&self) -> Vec<GrantTruth> {
        let wanted = |grant: &GrantTruth| grant.grantee == self.story.role_b.arn;
        self.grants().into_iter().filter(wanted).collect()
    }
}
