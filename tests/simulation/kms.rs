//! The KMS port over the sandbox's core, with a network in between that loses, delays and repeats.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use grantd::ids::{GrantId, KeyArn};
use grantd::kms::{
    Alias, Answer, Call, Created, Identity, KeyFacts, Kms, Lane, Listed, Page, Scope, Token,
};
use grantd::ledger::{Handle, Intent, Urgency, Warrant};
use grantd::rules::life::{Outcome, Via};
use grantd::rules::time::{MINUTE, SECOND, Time};
use grantd::terms::{Constraints, GrantRequest};
use kms_sandbox::{Caller, Op, Story};
use serde_json::{Value, json};

use crate::clock::{SimClock, SimRng, pause};

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
}

/// The network and what lies behind it. It outlives every crash of the daemon.
pub(crate) struct Net {
    pub(crate) story: RefCell<Story>,
    pub(crate) clock: Rc<SimClock>,
    pub(crate) rng: Rc<SimRng>,
    pub(crate) weather: Cell<Weather>,
    pub(crate) strays: RefCell<Vec<Stray>>,
    /// Operations that IAM denies on a key just now.
    pub(crate) denied: RefCell<BTreeSet<(Op, String)>>,
    /// Operations for which STS gives no credentials, for want of an answer: they are never sent.
    pub(crate) unsent: RefCell<BTreeSet<Op>>,
    /// Operations of which the next request is lost.
    pub(crate) lose_next: RefCell<BTreeSet<Op>>,
    /// Operations that take effect and whose answers are lost.
    pub(crate) mute: RefCell<BTreeSet<Op>>,
    /// Who the credentials say they are, where not who they were.
    pub(crate) stranger: RefCell<Option<String>>,
    /// One word per call, for the trace.
    pub(crate) trace: RefCell<Vec<String>>,
}

/// The daemon's view of it; made anew at each start.
pub(crate) struct SimKms {
    pub(crate) net: Rc<Net>,
    pub(crate) ledger: Handle,
}

/// Rarely: requests that wait longest arrive this late (IAM: 5 minutes from the signature).
const STRAY_MAX: i64 = 5 * MINUTE;
/// The daemon's time-out of one attempt.
const TIME_OUT: i64 = 10 * SECOND;

impl Net {
    pub(crate) fn new(story: Story, clock: Rc<SimClock>, rng: Rc<SimRng>) -> Rc<Self> {
        Rc::new(Self {
            story: RefCell::new(story),
            clock,
            rng,
            weather: Cell::new(Weather::Calm),
            strays: RefCell::default(),
            denied: RefCell::default(),
            unsent: RefCell::default(),
            lose_next: RefCell::default(),
            mute: RefCell::default(),
            stranger: RefCell::default(),
            trace: RefCell::default(),
        })
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
            self.note("stray", Op::CreateGrant, &format!("{:?}", made.map(|_| "made")));
        }
    }

    fn note(&self, what: &str, op: Op, result: &str) {
        let now = self.clock.now();
        self.trace.borrow_mut().push(format!("{now} {what} {op:?} {result}"));
    }

    async fn call(&self, op: Op, body: Value) -> Answer<Value> {
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
                self.strays.borrow_mut().push(Stray { at, body });
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
        self.deliver();
        let now = self.clock.now();
        let result = {
            let mut story = self.story.borrow_mut();
            let caller: Caller = story.grantd.caller.clone();
            story.core.call(&caller, op, &body, now)
        };
        let word = result.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".to_owned());
        self.note("answer", op, &word);
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
        let date = Some(Time(self.clock.now()).floor_second());
        Answer { outcome, date, detail: detail.map(str::to_owned), request_id: None }
    }
}

fn lost() -> Answer<Value> {
    Answer { outcome: Outcome::Unknown, date: None, detail: None, request_id: None }
}

fn unsent() -> Answer<Value> {
    use grantd::kms::classify::{Trouble, outcome};
    let detail = Some("STS does not answer".to_owned());
    Answer { outcome: outcome(Trouble::Unfetched), date: None, detail, request_id: None }
}

fn read<T>(answer: Answer<Value>, take: impl FnOnce(Value) -> T) -> Answer<T> {
    let outcome = match answer.outcome {
        Outcome::Done(value) => Outcome::Done(take(value)),
        Outcome::Refused(class) => Outcome::Refused(class),
        Outcome::Unknown => Outcome::Unknown,
    };
    Answer { outcome, date: answer.date, detail: answer.detail, request_id: None }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn create_body(request: &GrantRequest) -> Value {
    let operations: Vec<&str> = request.operations.iter().map(|op| op.as_str()).collect();
    let mut body = json!({
        "KeyId": request.key_arn, "GranteePrincipal": request.grantee, "Operations": operations,
        "RetiringPrincipal": request.retiring_principal, "Name": request.name,
    });
    match &request.constraints {
        Constraints::None => {}
        Constraints::Subset(pairs) => {
            body["Constraints"] = json!({ "EncryptionContextSubset": pairs });
        }
        Constraints::Equals(pairs) => {
            body["Constraints"] = json!({ "EncryptionContextEquals": pairs });
        }
    }
    body
}

fn listed(entry: &Value) -> Listed {
    let pairs = |name: &str| serde_json::from_value(entry["Constraints"][name].clone()).ok();
    let subset = pairs("EncryptionContextSubset").map(Constraints::Subset);
    let equals = pairs("EncryptionContextEquals").map(Constraints::Equals);
    let operations = entry["Operations"].as_array().into_iter().flatten();
    #[expect(clippy::cast_possible_truncation, reason = "epoch seconds with three decimals")]
    let created = entry["CreationDate"].as_f64().map(|at| Time((at * 1000.0).round() as i64));
    Listed {
        key_arn: text(&entry["KeyId"]),
        id: GrantId::parse(text(&entry["GrantId"])).unwrap(),
        name: text(&entry["Name"]),
        created,
        grantee: text(&entry["GranteePrincipal"]),
        retiring_principal: text(&entry["RetiringPrincipal"]),
        issuing_account: text(&entry["IssuingAccount"]),
        operations: operations.map(text).collect(),
        constraints: subset.or(equals).unwrap_or_default(),
        source_arn: None,
    }
}

impl Kms for SimKms {
    fn create<'a>(&'a self, intent: &'a Intent) -> Call<'a, Created> {
        Box::pin(async move {
            // The promise itself: what leaves now is on the disk.
            let (grant, name) = (intent.grant(), intent.request().name.clone());
            let row = self.ledger.run(Urgency::Read, move |books| books.row(grant)).await.unwrap();
            assert_eq!(row.request().unwrap().name, name, "sent before it was written");
            let answer = self.net.call(Op::CreateGrant, create_body(intent.request())).await;
            read(answer, |value| Created {
                id: GrantId::parse(text(&value["GrantId"])).unwrap(),
                token: Token::new(text(&value["GrantToken"])),
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
            read(self.net.call(op, body).await, drop)
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
                body["Marker"] = json!(marker);
            }
            read(self.net.call(op, body).await, |value| Page {
                grants: value["Grants"].as_array().unwrap().iter().map(listed).collect(),
                marker: value["NextMarker"].as_str().map(str::to_owned),
            })
        })
    }

    fn aliases<'a>(&'a self, _: &'a Lane, key: Option<&'a KeyArn>) -> Call<'a, Vec<Alias>> {
        Box::pin(async move {
            let body = key.map_or_else(|| json!({}), |key| json!({ "KeyId": key }));
            read(self.net.call(Op::ListAliases, body).await, |value| {
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
            read(self.net.call(Op::DescribeKey, json!({ "KeyId": key })).await, |value| {
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
            read(self.net.call(Op::GetCallerIdentity, json!({})).await, |value| Identity {
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
