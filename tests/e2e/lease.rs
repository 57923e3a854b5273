//! What the tests ask for, and what must be true of it in the end.

use std::time::Duration;

use kms_sandbox::{Entry, GrantTruth, Op};
use serde_json::{Value, json};
use testbed::{Host, PATIENCE, Reply, Sandbox, now_ms, until_within};

/// A lease as the daemon has it.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) reference: String,
    pub(crate) deadline_ms: i64,
}

/// `POST /v1/leases` for RoleB with this time to live.
pub(crate) fn request(sandbox: &Sandbox, ttl: &str) -> Value {
    json!({
        "key": sandbox.story.alias, "grantee": "role/RoleB", "operations": ["Decrypt"], "ttl": ttl,
    })
}

/// Unix milliseconds of an RFC 3339 text.
pub(crate) fn instant(text: &Value) -> i64 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no instant"));
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

impl Lease {
    /// Makes a lease and waits for it.
    pub(crate) fn make(host: &Host, sandbox: &Sandbox, ttl: &str) -> Self {
        let made = host.post("/v1/leases", &request(sandbox, ttl));
        Self::of(&made, 201)
    }

    /// The lease of a reply to a create.
    #[track_caller]
    pub(crate) fn of(made: &Reply, status: u16) -> Self {
        assert_eq!(made.status, status, "{made:?}");
        Self::read(&made.body["lease"])
    }

    fn read(lease: &Value) -> Self {
        Self {
            reference: lease["ref"].as_str().unwrap().to_owned(),
            deadline_ms: instant(&lease["deadline"]),
        }
    }

    /// The leases that the daemon knows, closed ones too, without its probes; by deadline.
    pub(crate) fn all(host: &Host) -> Vec<(Self, Value)> {
        let page = host.get("/v1/leases?all=true");
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap();
        let asked = items.iter().filter(|lease| lease["origin"] != "probe");
        asked.map(|lease| (Self::read(lease), lease.clone())).collect()
    }

    /// The one lease of this host.
    #[track_caller]
    pub(crate) fn only(host: &Host) -> Self {
        let all = Self::all(host);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].0.clone()
    }

    /// As the daemon has it now.
    pub(crate) fn now(&self, host: &Host) -> Value {
        let shown = host.get(&format!("/v1/leases/{}", self.reference));
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.body
    }

    /// Waits until the lease is closed: nothing of it lives, and nothing of it can still appear.
    #[track_caller]
    pub(crate) fn closes(&self, host: &Host) -> Value {
        let left = u64::try_from(self.deadline_ms - testbed::now_ms()).unwrap_or(0);
        let bound = Duration::from_millis(left) + 4 * PATIENCE;
        until_within(bound, "the lease is closed", || {
            let lease = self.now(host);
            (lease["state"] == "closed").then_some(lease)
        })
    }

    /// Waits until the grant was ended, and checks that it was one grant, ended on time: not before
    /// its deadline, and within the failing bound after it.
    #[track_caller]
    pub(crate) fn ends_on_time(&self, sandbox: &Sandbox) -> GrantTruth {
        self.ends_within(sandbox, PATIENCE)
    }

    /// The same with another bound.
    #[track_caller]
    pub(crate) fn ends_within(&self, sandbox: &Sandbox, bound: Duration) -> GrantTruth {
        let left = u64::try_from(self.deadline_ms - testbed::now_ms()).unwrap_or(0);
        until_within(Duration::from_millis(left) + bound, "the grant is ended", || {
            (!sandbox.leased().is_empty() && sandbox.living().is_empty()).then_some(())
        });
        let grants = sandbox.leased();
        assert_eq!(grants.len(), 1, "nothing is doubled: {grants:?}");
        let late = grants[0].ended_at_ms.unwrap() - self.deadline_ms;
        let bound = i64::try_from(bound.as_millis()).unwrap();
        assert!((0..bound).contains(&late), "ended {late} ms after the deadline");
        grants[0].clone()
    }

    /// Waits until a grant of this lease was ended, whatever else lives; not before its deadline.
    #[track_caller]
    pub(crate) fn ends_among_others(&self, sandbox: &Sandbox) {
        let left = u64::try_from(self.deadline_ms - testbed::now_ms()).unwrap_or(0);
        let bound = Duration::from_millis(left) + PATIENCE;
        let grant = until_within(bound, "it is ended", || {
            let all = sandbox.leased().into_iter();
            let mut its = all.filter(|grant| {
                grant.name.as_deref().is_some_and(|name| name.contains(&self.reference))
            });
            its.find(|grant| grant.ended_at_ms.is_some())
        });
        assert!(grant.ended_at_ms.unwrap() >= self.deadline_ms, "not early: {grant:?}");
    }
}

/// A grant on the story's key, made nine minutes ago for role B; gives its id.
pub(crate) fn plant(sandbox: &Sandbox, name: &str, more: &Value) -> String {
    let story = &sandbox.story;
    let created = (now_ms() - 9 * 60_000) / 1_000;
    let mut entry = json!({
        "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn, "Operations": ["Decrypt"],
        "CreationDate": created,
    });
    if !name.is_empty() {
        entry["Name"] = json!(name);
    }
    for (key, value) in more.as_object().unwrap() {
        entry[key] = value.clone();
    }
    let ids = sandbox.handle().with(|core| core.plant(&entry, 1, now_ms())).unwrap();
    ids.into_iter().next().unwrap()
}

/// The accepted ends of leases, oldest first.
pub(crate) fn ends(sandbox: &Sandbox) -> Vec<Entry> {
    sandbox.accepted(Op::RetireGrant)
}

/// The chain of the history is whole.
#[track_caller]
pub(crate) fn history_verifies(host: &Host) {
    let verified = host.get("/v1/history/verify");
    assert_eq!(verified.status, 200, "{verified:?}");
    assert!(verified.body["broken"].is_null(), "{verified:?}");
    assert!(verified.body["rows"].as_i64().unwrap() > 0, "{verified:?}");
}
