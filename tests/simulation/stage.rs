//! A small stage for directed scenes: one daemon at a time, a calm network, and a script.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use grantd::config;
use grantd::engine::{Caller, Command, Engine, Ports, Refusals};
use grantd::fault::Fault;
use grantd::ids::{GrantId, Ref};
use grantd::ledger::{Handle, Ledger, Urgency};
use grantd::rules::life::Origin;
use grantd::rules::time::Time;
use grantd::wire::{
    AcceptAlias, AdoptGrant, AdoptionHold, CreateLease, ExtendLease, Freeze, HeldLease, HistoryRow,
    Lease, LeaseExtended, LeaseMade, LiftFreeze, ListHistory, ListLeases, MovedAlias, NewFreeze,
    Page, Resume, RevokeLeases, Scope, Status,
};
use kms_sandbox::{Entry, Op, Propagation, Story, StoryOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::clock::{SimClock, SimRng};
use crate::file::{CONFIG, Nobody};
use crate::guests;
use crate::kms::{Net, SimKms};
use crate::sleep::Sleep;
use crate::world::scratch;

pub(crate) struct Stage {
    pub(crate) net: Rc<Net>,
    pub(crate) dir: TempDir,
    pub(crate) key: String,
    pub(crate) sleep: Sleep,
    config: String,
}

/// A daemon on the stage.
pub(crate) struct Daemon {
    engine: mpsc::Sender<Command>,
    pub(crate) ledger: Handle,
}

impl Stage {
    /// A world whose KMS shows changes after `lag` ms; `settle` in seconds.
    pub(crate) fn new(lag: u32) -> Self {
        let (clock, rng) = (SimClock::new(), SimRng::new(1));
        let propagation = Propagation { min_ms: 0, max_ms: lag };
        let options = StoryOptions { propagation, ..StoryOptions::default() };
        let story = Story::new(options, clock.now());
        let key = story.key_arn.clone();
        let net = Net::new(story, clock, rng);
        let sleep = Sleep::default();
        Self { net, dir: scratch(), key, sleep, config: CONFIG.to_owned() }
    }

    /// Change a line of the configuration.
    pub(crate) fn config(mut self, from: &str, to: &str) -> Self {
        assert!(self.config.contains(from));
        self.config = self.config.replace(from, to);
        self
    }

    /// A policy that adopts what others make for role A, with `more` in it.
    pub(crate) fn adopting(mut self, more: &str) -> Self {
        self.config = guests::configured(&self.config);
        self.config(guests::ENFORCE, &format!("{}\n{more}", guests::ENFORCE))
    }

    /// Another key with an alias that the policy covers.
    pub(crate) fn second_key(&self) -> String {
        let mut story = self.net.story.borrow_mut();
        let (admin, now) = (story.admin.caller.clone(), self.net.clock.now());
        let policy = story.core.call(&admin, Op::GetKeyPolicy, &json!({ "KeyId": self.key }), now);
        let policy = policy.unwrap()["Policy"].clone();
        let made = story.core.call(&admin, Op::CreateKey, &json!({ "Policy": policy }), now);
        let arn = made.unwrap()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        let alias = json!({ "AliasName": "alias/second", "TargetKeyId": arn });
        story.core.call(&admin, Op::CreateAlias, &alias, now).unwrap();
        arn
    }

    /// Let a daemon live on `dir` while `script` runs; then it crashes.
    pub(crate) async fn live_on<T>(
        &self,
        dir: &Path,
        script: impl AsyncFnOnce(Rc<Daemon>) -> T,
    ) -> T {
        let (ledger, _) = Ledger::open(dir).unwrap();
        self.live_with(Handle::inline(ledger), script).await
    }

    /// The same on a ledger that is open already.
    pub(crate) async fn live_with<T>(
        &self,
        ledger: Handle,
        script: impl AsyncFnOnce(Rc<Daemon>) -> T,
    ) -> T {
        let config = Arc::new(config::parse("stage.toml", &self.config, &Nobody).unwrap());
        let (engine, commands) = mpsc::channel(64);
        let net = Rc::clone(&self.net);
        let kms = Rc::new(SimKms { net, ledger: ledger.clone(), first: true });
        let (clock, rng) = (Rc::clone(&self.net.clock), Rc::clone(&self.net.rng));
        let refusals = Refusals::default();
        let ports = Ports { kms, clock, rng, ledger: ledger.clone(), refusals };
        let daemon = Rc::new(Daemon { engine, ledger });
        let inside = LocalSet::new();
        let life = async {
            let engine = Engine::new(ports, Some(config), None).await.unwrap();
            engine.run(commands, |_| {}, std::future::pending()).await;
        };
        tokio::select! {
            biased;
            () = self.sleep.while_awake(inside.run_until(life)) => unreachable!("nobody stops it"),
            done = script(daemon) => done,
        }
    }

    pub(crate) async fn live<T>(&self, script: impl AsyncFnOnce(Rc<Daemon>) -> T) -> T {
        self.live_on(self.dir.path(), script).await
    }

    /// What KMS accepted of `op`, oldest first.
    pub(crate) fn accepted(&self, op: Op) -> Vec<Entry> {
        self.net.story.borrow().core.journal().accepted(op).cloned().collect()
    }

    pub(crate) fn alive(&self) -> usize {
        self.net.story.borrow().core.count_alive(self.net.clock.now())
    }
}

impl Daemon {
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Command,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.engine.send(command(reply)).await.unwrap();
        answer.await.unwrap()
    }

    /// Ask for a lease on `key`, as user 1.
    pub(crate) async fn create(&self, key: &str, ttl: &str) -> Result<Lease, Fault> {
        self.create_as(1, key, ttl).await
    }

    /// The same as another.
    pub(crate) async fn create_as(&self, uid: u32, key: &str, ttl: &str) -> Result<Lease, Fault> {
        self.make(uid, key, Some(ttl.to_owned()), None).await
    }

    /// The same, until an instant.
    pub(crate) async fn create_until(&self, key: &str, until: Time) -> Result<Lease, Fault> {
        self.make(1, key, None, Some(until)).await
    }

    async fn make(
        &self,
        uid: u32,
        key: &str,
        ttl: Option<String>,
        until: Option<Time>,
    ) -> Result<Lease, Fault> {
        self.send(uid, CreateLease { ttl, until, ..wanted(key) }).await
    }

    /// Ask for a lease that lives only while it is held.
    pub(crate) async fn create_held(&self, key: &str, ttl: &str) -> Result<Lease, Fault> {
        let ttl = Some(ttl.to_owned());
        self.send(1, CreateLease { ttl, hold: true, ..wanted(key) }).await
    }

    /// Hold it, as the user who asked for it.
    pub(crate) async fn hold(&self, lease: &Lease) -> Result<mpsc::Receiver<HeldLease>, Fault> {
        let (caller, reference) = (caller(1), lease.reference.to_string());
        self.ask(|reply| Command::Hold { caller, reference, reply }).await
    }

    async fn send(&self, uid: u32, request: CreateLease) -> Result<Lease, Fault> {
        let caller = caller(uid);
        let made: LeaseMade =
            self.ask(|reply| Command::Create { caller, request, idempotency: None, reply }).await?;
        Ok(made.lease)
    }

    /// Revoke as this user, who is in no group.
    pub(crate) async fn revoke(&self, uid: u32, lease: &Lease) -> Result<Lease, Fault> {
        let reference = lease.reference.to_string();
        let caller = caller(uid);
        self.ask(|reply| Command::Revoke { caller, reference, reason: None, reply }).await
    }

    /// Freeze everything, as root.
    pub(crate) async fn freeze(&self) -> Freeze {
        self.freeze_as(0).await.unwrap()
    }

    /// The same as another.
    pub(crate) async fn freeze_as(&self, uid: u32) -> Result<Freeze, Fault> {
        let request = NewFreeze { scope: Scope::default(), all: true, reason: "a test".to_owned() };
        let caller = caller(uid);
        self.ask(|reply| Command::Freeze { caller, request, reply }).await
    }

    /// Lift a freeze.
    pub(crate) async fn lift(&self, uid: u32, id: i64) -> Result<Freeze, Fault> {
        let (caller, request) = (caller(uid), LiftFreeze::default());
        self.ask(|reply| Command::Lift { caller, id, request, reply }).await
    }

    /// Revoke many as this user.
    pub(crate) async fn revoke_many(&self, uid: u32, refs: &[Ref]) -> Result<Vec<Lease>, Fault> {
        let request = RevokeLeases { refs: refs.to_vec(), ..RevokeLeases::default() };
        let caller = caller(uid);
        let page: Page<Lease> =
            self.ask(|reply| Command::RevokeMany { caller, request, reply }).await?;
        Ok(page.items)
    }

    /// Another deadline for a lease, so long from now.
    pub(crate) async fn extend(
        &self,
        uid: u32,
        lease: &Lease,
        ttl: &str,
    ) -> Result<LeaseExtended, Fault> {
        let request = ExtendLease { ttl: Some(ttl.to_owned()), ..ExtendLease::default() };
        self.change(uid, lease, request, None).await
    }

    /// The same, until an instant.
    pub(crate) async fn extend_until(
        &self,
        uid: u32,
        lease: &Lease,
        until: Time,
    ) -> Result<LeaseExtended, Fault> {
        let request = ExtendLease { until: Some(until), ..ExtendLease::default() };
        self.change(uid, lease, request, None).await
    }

    /// The same beyond the policy.
    pub(crate) async fn extend_beyond(
        &self,
        uid: u32,
        lease: &Lease,
        ttl: &str,
        reason: Option<&str>,
    ) -> Result<LeaseExtended, Fault> {
        let (ttl, reason) = (Some(ttl.to_owned()), reason.map(str::to_owned));
        let request = ExtendLease { ttl, reason, beyond_policy: true, ..ExtendLease::default() };
        self.change(uid, lease, request, None).await
    }

    /// The same by the owner, under an idempotency key.
    pub(crate) async fn extend_with(
        &self,
        key: &str,
        lease: &Lease,
        ttl: &str,
    ) -> Result<LeaseExtended, Fault> {
        let request = ExtendLease { ttl: Some(ttl.to_owned()), ..ExtendLease::default() };
        self.change(1, lease, request, Some(key.to_owned())).await
    }

    async fn change(
        &self,
        uid: u32,
        lease: &Lease,
        request: ExtendLease,
        idempotency: Option<String>,
    ) -> Result<LeaseExtended, Fault> {
        let (caller, reference) = (caller(uid), lease.reference.to_string());
        let command = |reply| Command::Extend { caller, reference, request, idempotency, reply };
        self.ask(command).await
    }

    /// Let go on whatever is held, as root.
    pub(crate) async fn resume(&self) -> Vec<AdoptionHold> {
        let (caller, request) = (caller(0), Resume { all: true, ..Resume::default() });
        self.ask(|reply| Command::Resume { caller, request, reply }).await.unwrap().items
    }

    /// Accept that an alias was moved, as root.
    pub(crate) async fn accept_alias(&self, alias: &str) -> Result<Vec<MovedAlias>, Fault> {
        let request =
            AcceptAlias { alias: alias.to_owned(), account: None, region: None, reason: None };
        let caller = caller(0);
        let page: Page<MovedAlias> =
            self.ask(|reply| Command::AcceptAlias { caller, request, reply }).await?;
        Ok(page.items)
    }

    /// Take up a grant of somebody else.
    pub(crate) async fn adopt(
        &self,
        uid: u32,
        key: &str,
        id: &str,
        ttl: &str,
    ) -> Result<LeaseExtended, Fault> {
        let request = AdoptGrant {
            key: key.to_owned(),
            grant_id: GrantId::parse(id).unwrap(),
            ttl: Some(ttl.to_owned()),
            until: None,
            reason: None,
        };
        let caller = caller(uid);
        self.ask(|reply| Command::Adopt { caller, request, reply }).await
    }

    /// The first lease that comes from there.
    pub(crate) async fn of(&self, origin: Origin) -> Lease {
        let list = ListLeases { all: true, ..ListLeases::default() };
        let page = self.ledger.run(Urgency::Read, move |books| books.leases(&list, None, Time(0)));
        let mut leases = page.await.unwrap().items.into_iter();
        leases.find(|lease| lease.origin == origin).unwrap()
    }

    pub(crate) async fn status(&self) -> Status {
        self.ask(|reply| Command::Status { reply }).await.unwrap()
    }

    pub(crate) async fn lease(&self, lease: &Lease) -> Lease {
        let prefix = lease.reference.to_string();
        self.ledger.run(Urgency::Read, move |books| books.lease(&prefix)).await.unwrap()
    }

    /// The history's rows of this kind.
    pub(crate) async fn history(&self, kind: &str) -> Vec<HistoryRow> {
        let mut list = ListHistory::default();
        let mut found = Vec::new();
        loop {
            let asked = list.clone();
            let page = self.ledger.run(Urgency::Read, move |books| books.history(&asked));
            let page = page.await.unwrap();
            found.extend(page.items.into_iter().filter(|row| row.kind == kind));
            list.after = page.next;
            if list.after.is_none() {
                return found;
            }
        }
    }
}

/// A user in no group but his own.
pub(crate) fn caller(uid: u32) -> Caller {
    Caller { uid, gid: uid, groups: Vec::new(), name: format!("u{uid}") }
}

/// What every scene asks for.
fn wanted(key: &str) -> CreateLease {
    CreateLease {
        key: key.to_owned(),
        grantee: "role/RoleB".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        ttl: None,
        until: None,
        reason: None,
        constraints: grantd::terms::Constraints::None,
        region: None,
        token: false,
        hold: false,
    }
}

/// Run a scene under tokio's paused clock.
pub(crate) fn play<F: Future<Output = ()>>(scene: impl FnOnce() -> F) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { LocalSet::new().run_until(scene()).await });
}

/// How long after `deadline` an entry of the journal came, in ms.
pub(crate) fn late(entry: &Entry, deadline: Time) -> i64 {
    entry.at_ms - deadline.0
}
