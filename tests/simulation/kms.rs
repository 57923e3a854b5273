//! The KMS port over the sandbox's core, with a network in between that loses, delays and repeats.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use grantd::ids::{GrantId, KeyArn};
use grantd::kms::{
    Alias, Answer, Call, Created, Identity, KeyFacts, Kms, Lane, Page, Scope, Token,
};
use grantd::ledger::{Handle, Intent, LedgerError, Urgency, Warrant};
use grantd::rules::life::{Outcome, Via};
use grantd::rules::time::{MINUTE, SECOND, Time};
use kms_sandbox::{Caller, Op, Story};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::clock::{START, SimClock, SimRng, pause};
use crate::script::clock;
use crate::shapes::{create_body, listed, lost, read, text, unsent};

/// The weather of the network, changed by the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing is lost.
    Calm,
    /// A tenth of everything goes wrong somehow.
    Storm,
    /// Nothing passes.
    Outage,
}

/// A create that is still on its way after its sender gave up: within the signature window it may
/// yet arrive.
pub(crate) struct Stray {
    pub(crate) at: i64,
    pub(crate) body: Value,
    /// Another copy has arrived, and was answered.
    copy: bool,
}

/// The network and what lies behind it. It outlives every crash of the daemon.
pub(crate) struct Net {
    pub(crate) story: RefCell<Story>,
    pub(crate) clock: Rc<SimClock>,
    pub(crate) rng: Rc<SimRng>,
    pub(crate) weather: Cell<Weather>,
    pub(crate) strays: RefCell<Vec<Stray>>,
    strayed: Notify,
    /// Operations that IAM denies on a key just now.
    pub(crate) denied: RefCell<BTreeSet<(Op, String)>>,
    /// Operations for which STS gives no credentials, for want of an answer: they are never sent.
    pub(crate) unsent: RefCell<BTreeSet<Op>>,
    /// Operations of which the next request is lost.
    pub(crate) lose_next: RefCell<BTreeSet<Op>>,
    /// Operations that take effect and whose answers are lost.
    pub(crate) mute: RefCell<BTreeSet<Op>>,
    /// Every listing breaks off after its first page.
    pub(crate) one_page: Cell<bool>,
    /// KMS takes no marker.
    pub(crate) bad_markers: Cell<bool>,
    /// Who the credentials say they are, where not who they were.
    pub(crate) stranger: RefCell<Option<String>>,
    /// Whether answers come without a `Date`.
    pub(crate) undated: Cell<bool>,
    /// The next creates are delivered twice, the copy so many ms later.
    pub(crate) twice: Cell<Option<i64>>,
    /// The daemon dies at the n-th call from now: before it takes effect, or after.
    pub(crate) crash_at: Cell<Option<(u32, bool)>>,
    /// The daemon dies.
    pub(crate) crash: Notify,
    /// Grants that a copy of an answered create made: nobody was told of them.
    pub(crate) doubled: RefCell<BTreeSet<String>>,
    /// The Names of what the host that stands by made: the proofs of its own way out.
    pub(crate) others: RefCell<BTreeSet<String>>,
    /// Every token that KMS gave: none may be written down.
    pub(crate) tokens: RefCell<Vec<String>>,
    /// One line per call, for the trace.
    pub(crate) trace: Rc<RefCell<Vec<String>>>,
}

/// The daemon's view of it; made anew at each start.
pub(crate) struct SimKms {
    pub(crate) net: Rc<Net>,
    pub(crate) ledger: Handle,
    /// Its host is the one that dies at calls.
    pub(crate) first: bool,
}

/// Rarely: requests that wait longest arrive this late (IAM: 5 minutes from the signature).
const STRAY_MAX: i64 = 5 * MINUTE;
/// The daemon's time-out of one attempt.
const TIME_OUT: i64 = 10 * SECOND;

impl Net {
    pub(crate) fn new(story: Story, clock: Rc<SimClock>, rng: Rc<SimRng>) -> Rc<Self> {
        Self::tracing(story, clock, rng, Rc::default())
    }

    /// The same with a trace that outlives it.
    pub(crate) fn tracing(
        story: Story,
        clock: Rc<SimClock>,
        rng: Rc<SimRng>,
        trace: Rc<RefCell<Vec<String>>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            story: RefCell::new(story),
            clock,
            rng,
            weather: Cell::new(Weather::Calm),
            strays: RefCell::default(),
            strayed: Notify::new(),
            denied: RefCell::default(),
            unsent: RefCell::default(),
            lose_next: RefCell::default(),
            mute: RefCell::default(),
            one_page: Cell::default(),
            bad_markers: Cell::default(),
            stranger: RefCell::default(),
            undated: Cell::default(),
            twice: Cell::default(),
            crash_at: Cell::default(),
            crash: Notify::new(),
            doubled: RefCell::default(),
            others: RefCell::default(),
            tokens: RefCell::default(),
            trace,
        })
    }

    fn stray(&self, at: i64, body: Value, copy: bool) {
        self.strays.borrow_mut().push(Stray { at, body, copy });
        self.strayed.notify_one();
    }

    /// Deliver each of them when its time has come, for ever.
    pub(crate) async fn courier(&self) {
        loop {
            let next = self.strays.borrow().iter().map(|stray| stray.at).min();
            let arrives = async {
                match next {
                    Some(at) => pause(at - self.clock.now()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.strayed.notified() => {}
                () = arrives => self.deliver(),
            }
        }
    }

    /// Deliver what has been on its way until now, in order.
    pub(crate) fn deliver(&self) {
        let now = self.clock.now();
        loop {
            let mut strays = self.strays.borrow_mut();
            let due = strays.iter().enumerate().filter(|(_, stray)| stray.at <= now);
            let Some(first) = due.min_by_key(|(_, stray)| stray.at).map(|(i, _)| i) else { return };
            let stray = strays.remove(first);
            drop(strays);
            let mut story = self.story.borrow_mut();
            let caller = story.grantd.caller.clone();
            let made = story.core.call(&caller, Op::CreateGrant, &stray.body, now);
            drop(story);
            if let (true, Ok(made)) = (stray.copy, &made) {
                self.doubled.borrow_mut().insert(text(&made["GrantId"]));
            }
            self.note("stray", Op::CreateGrant, &format!("{:?}", made.map(|_| "made")));
        }
    }

    fn note(&self, what: &str, op: Op, result: &str) {
        self.tell(format!("{what} {op:?} {result}"));
    }

    /// A line of the trace.
    pub(crate) fn tell(&self, line: impl std::fmt::Display) {
        let at = clock(self.clock.now() - START);
        self.trace.borrow_mut().push(format!("{at}   {line}"));
    }

    /// The daemon dies here, if it is to: nothing after this point happens.
    async fn may_die(&self, takes_effect: bool) {
        if let Some((left, after)) = self.crash_at.get() {
            if after != takes_effect {
                return;
            }
            self.crash_at.set((left > 1).then_some((left - 1, after)));
            if left <= 1 {
                self.crash.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }

    async fn call(&self, op: Op, body: Value, first: bool) -> Answer<Value> {
        let storm = self.weather.get() == Weather::Storm;
        pause(self.rng.between(1, if storm { 400 } else { 20 })).await;
        if self.weather.get() == Weather::Outage {
            // Half the outages refuse connections, half swallow packets.
            pause(if self.rng.chance(500) { 5 } else { TIME_OUT }).await;
            return lost();
        }
        if self.lose_next.borrow_mut().remove(&op) {
            return lost();
        }
        if self.unsent.borrow().contains(&op) {
            self.note("unsent", op, "");
            return unsent();
        }
        let key = body["KeyId"].as_str().unwrap_or_default().to_owned();
        if self.denied.borrow().contains(&(op, key)) {
            self.note("denied", op, "");
            return self.refused("AccessDeniedException", 400);
        }
        if storm && self.rng.chance(60) {
            if op == Op::CreateGrant && self.rng.chance(500) {
                let at = self.clock.now() + self.rng.between(1, STRAY_MAX);
                self.stray(at, body, false);
            }
            self.note("request lost", op, "");
            pause(TIME_OUT).await;
            return lost();
        }
        if storm && self.rng.chance(30) {
            return self.refused("ThrottlingException", 400);
        }
        if storm && self.rng.chance(10) {
            return self.refused("KMSInternalException", 500);
        }
        if first {
            self.may_die(false).await;
        }
        self.deliver();
        let now = self.clock.now();
        if op == Op::CreateGrant
            && let Some(late) = self.twice.take()
        {
            self.stray(now + late, body.clone(), true);
        }
        let result = {
            let mut story = self.story.borrow_mut();
            let as_whom = if op == Op::RevokeGrant { &story.revoker } else { &story.grantd };
            let caller: Caller = as_whom.caller.clone();
            story.core.call(&caller, op, &body, now)
        };
        let word = result.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".to_owned());
        self.note("answer", op, &word);
        if first {
            self.may_die(true).await;
        }
        if self.mute.borrow().contains(&op) {
            pause(TIME_OUT).await;
            return lost();
        }
        if storm && self.rng.chance(60) {
            pause(if self.rng.chance(500) { 3 } else { TIME_OUT }).await;
            return lost();
        }
        pause(self.rng.between(1, 20)).await;
        match result {
            Ok(value) => self.answer(Outcome::Done(value), None),
            Err(error) => self.refused(&error.code, error.status),
        }
    }

    fn refused(&self, code: &str, status: u16) -> Answer<Value> {
        use grantd::kms::classify::{Trouble, outcome};
        self.answer(outcome(Trouble::Error { status, code: Some(code) }), Some(code))
    }

    fn answer(&self, outcome: Outcome<Value>, detail: Option<&str>) -> Answer<Value> {
        let date = (!self.undated.get()).then(|| Time(self.clock.now()).floor_second());
        Answer { outcome, date, detail: detail.map(str::to_owned), request_id: None }
    }
}

impl SimKms {
    async fn call(&self, op: Op, body: Value) -> Answer<Value> {
        self.net.call(op, body, self.first).await
    }
}

impl Kms for SimKms {
    fn create<'a>(&'a self, intent: &'a Intent) -> Call<'a, Created> {
        Box::pin(async move {
            // The promise itself: what leaves now is on the disk.
            let (grant, name) = (intent.grant(), intent.request().name.clone());
            match self.ledger.run(Urgency::Read, move |books| books.row(grant)).await {
                Ok(row) => {
                    assert_eq!(row.request().unwrap().name, name, "sent before it was written");
                }
                // Closed after another's error.
                Err(error) => assert!(matches!(error, LedgerError::Unavailable(_)), "{error}"),
            }
            if !self.first {
                self.net.others.borrow_mut().insert(intent.request().name.clone());
            }
            let answer = self.call(Op::CreateGrant, create_body(intent.request())).await;
            read(answer, |value| {
                let token = text(&value["GrantToken"]);
                self.net.tokens.borrow_mut().push(token.clone());
                let id = GrantId::parse(text(&value["GrantId"])).unwrap();
                Created { id, token: Token::new(token) }
            })
        })
    }

    fn end<'a>(&'a self, warrant: &'a Warrant, via: Via, token: Option<&'a Token>) -> Call<'a, ()> {
        Box::pin(async move {
            let by_id = json!({ "KeyId": warrant.key_arn(), "GrantId": warrant.id() });
            let (op, body) = match (via, token) {
                (Via::Retire, Some(token)) => {
                    (Op::RetireGrant, json!({ "GrantToken": token.reveal() }))
                }
                (Via::Retire, None) => (Op::RetireGrant, by_id),
                (Via::Revoke, _) => (Op::RevokeGrant, by_id),
            };
            read(self.call(op, body).await, drop)
        })
    }

    fn page<'a>(&'a self, _: &'a Lane, scope: Scope<'a>, marker: Option<String>) -> Call<'a, Page> {
        Box::pin(async move {
            let (op, mut body) = match scope {
                Scope::One(key, id) => (Op::ListGrants, json!({ "KeyId": key, "GrantId": id })),
                Scope::Key(key) => (Op::ListGrants, json!({ "KeyId": key, "Limit": 100 })),
                Scope::Retirable => {
                    let own = self.net.story.borrow().grantd.arn.clone();
                    (Op::ListRetirableGrants, json!({ "RetiringPrincipal": own, "Limit": 100 }))
                }
            };
            if let Some(marker) = marker {
                if self.net.one_page.get() {
                    return read(lost(), |_| unreachable!("nothing came"));
                }
                if self.net.bad_markers.get() {
                    let refused = self.net.refused("InvalidMarkerException", 400);
                    return read(refused, |_| unreachable!("a refusal"));
                }
                body["Marker"] = json!(marker);
            }
            read(self.call(op, body).await, |value| Page {
                grants: value["Grants"].as_array().unwrap().iter().map(listed).collect(),
                marker: value["NextMarker"].as_str().map(str::to_owned),
            })
        })
    }

    fn aliases<'a>(&'a self, _: &'a Lane, key: Option<&'a KeyArn>) -> Call<'a, Vec<Alias>> {
        Box::pin(async move {
            let body = key.map_or_else(|| json!({}), |key| json!({ "KeyId": key }));
            read(self.call(Op::ListAliases, body).await, |value| {
                let aliases = value["Aliases"].as_array().unwrap().iter();
                let alias = |entry: &Value| Alias {
                    name: text(&entry["AliasName"]),
                    key_id: entry["TargetKeyId"].as_str().map(str::to_owned),
                };
                aliases.map(alias).collect()
            })
        })
    }

    fn describe<'a>(&'a self, _: &'a Lane, key: &'a str) -> Call<'a, KeyFacts> {
        Box::pin(async move {
            read(self.call(Op::DescribeKey, json!({ "KeyId": key })).await, |value| {
                let key = &value["KeyMetadata"];
                KeyFacts {
                    arn: KeyArn::parse(text(&key["Arn"])).unwrap(),
                    spec: text(&key["KeySpec"]),
                    usage: text(&key["KeyUsage"]),
                    state: text(&key["KeyState"]),
                    manager: text(&key["KeyManager"]),
                }
            })
        })
    }

    fn identity<'a>(&'a self, _: &'a Lane) -> Call<'a, Identity> {
        Box::pin(async move {
            read(self.call(Op::GetCallerIdentity, json!({})).await, |value| Identity {
                account: text(&value["Account"]),
                arn: match *self.net.stranger.borrow() {
                    Some(_) => "arn:aws:iam::111122223333:user/stranger".to_owned(),
                    None => text(&value["Arn"]),
                },
                unique_id: {
                    let known = text(&value["UserId"]).split(':').next().unwrap().to_owned();
                    self.net.stranger.borrow().clone().unwrap_or(known)
                },
            })
        })
    }
}
