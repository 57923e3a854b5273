//! What travels over the socket, as JSON under `/v1`. Instants are RFC 3339 UTC; spans are in the
//! unit of their name.

mod adopt;
mod drift;
mod extend;
mod freeze;
mod history;
mod hold;
mod lane;
mod prove;
mod reload;
mod revoke;

use serde::{Deserialize, Serialize};

pub use adopt::{AdoptGrant, AdoptionHold, Resume, Search, Searching};
pub use drift::{AcceptAlias, KeyOff, MovedAlias};
pub use extend::{ExtendLease, Gap, LeaseExtended};
pub use freeze::{Freeze, LiftFreeze, NewFreeze, Scope};
pub use history::{Broken, HistoryRow, ListHistory, Verified};
pub use hold::HeldLease;
pub use lane::LaneStatus;
pub use prove::{Prove, Proven};
pub use reload::{Changed, ConfigProblem, Reload, Reloaded};
pub use revoke::{REVOKE_MAX, RevokeLease, RevokeLeases};

use crate::ids::{AccountId, GrantId, KeyArn, Principal, Ref, Region};
use crate::rules::life::{Class, How, Origin, Why};
use crate::rules::time::Time;
use crate::terms::{Constraints, Operation};

/// `POST /v1/leases`. The header `Idempotency-Key` makes a repeat return the first lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CreateLease {
    /// `alias/NAME`, alias ARN, key ARN or key id.
    pub key: String,
    /// An ARN, or `role/NAME` or `user/NAME` in the key's account.
    pub grantee: String,
    /// KMS's operation names.
    pub operations: Vec<String>,
    /// How long, such as `2h` or `90m` (humantime, without months and years). Without it and
    /// `until`: the policy's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why, in the asker's words; kept in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The encryption context that every use must show.
    #[serde(default, serialize_with = "Constraints::to_wire")]
    #[serde(deserialize_with = "Constraints::from_wire")]
    pub constraints: Constraints,
    /// Which Region, where the key does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Whether the reply is to carry the grant token.
    #[serde(default)]
    pub token: bool,
    /// Whether the lease lives only while somebody holds it ([`HeldLease`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
}

/// The reply to a create: 201, or 200 when it was made before. While the outcome is unknown the
/// reply is 202 with a [`Problem`] that names the lease.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaseMade {
    /// The lease.
    pub lease: Lease,
    /// The grant token, where it was asked for and KMS has answered. Given once, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// True when an idempotency key found the lease that it made before.
    #[serde(default)]
    pub repeated: bool,
    /// By how many ms its end would be sent late, because more is due by then than its lane sends
    /// in time; absent below a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<i64>,
}

impl std::fmt::Debug for LeaseMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "…"); // no log line shows a token
        f.debug_struct("LeaseMade")
            .field("lease", &self.lease)
            .field("token", &token)
            .field("repeated", &self.repeated)
            .field("late_ms", &self.late_ms)
            .finish()
    }
}

/// Who asked, as the kernel told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asker {
    /// The user id of the socket's peer.
    pub uid: u32,
    /// Its name when the lease was made.
    pub name: String,
}

/// A lease: this principal may do these operations with this key until this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lease {
    /// `g-` and 12 characters.
    #[serde(rename = "ref")]
    pub reference: Ref,
    /// `creating`, `active`, `ending`, `ended` or `closed`: of its grants, the one that has
    /// farthest to go.
    pub state: String,
    /// The key.
    pub key_arn: KeyArn,
    /// As the asker wrote it, such as an alias.
    pub key: String,
    /// Who has access.
    pub grantee: Principal,
    /// To do what.
    pub operations: Vec<Operation>,
    /// Under which encryption context.
    #[serde(serialize_with = "Constraints::to_wire", deserialize_with = "Constraints::from_wire")]
    pub constraints: Constraints,
    /// The policy that allowed it; none for what was only found.
    pub policy: Option<String>,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// Who asked; none for what was only found.
    pub asker: Option<Asker>,
    /// Where it comes from.
    pub origin: Origin,
    /// The account whose credentials made it.
    pub account: AccountId,
    /// The Region of its lane.
    pub region: Region,
    /// The lane's `endpoint-url`, where it has one. On this host it is not AWS.
    pub endpoint: Option<String>,
    /// When it was made.
    pub started_at: Time,
    /// When it ends: the latest deadline of its grants that live or may live.
    pub deadline: Time,
    /// The latest deadline that it may be given: its policy's maximum from when it was made.
    pub latest: Time,
    /// How long before the deadline the end is sent, in ms.
    pub lead_ms: i64,
    /// Whether it lives only while somebody holds it.
    #[serde(default)]
    pub held: bool,
    /// When all its grants were closed.
    pub closed_at: Option<Time>,
    /// Its grants, by serial.
    pub grants: Vec<Grant>,
}

/// One KMS grant of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Grant {
    /// 1, and one more for each extension.
    pub serial: u32,
    /// Above 0: a second grant under the same Name, being ended.
    pub twin: u32,
    /// KMS's id, once known.
    pub grant_id: Option<GrantId>,
    /// Its Name.
    pub name: Option<String>,
    /// `creating`, `active`, `ending`, `ended` or `closed`.
    pub state: String,
    /// Why it ends.
    pub why: Option<Why>,
    /// How it closed.
    pub how: Option<How>,
    /// Its own deadline.
    pub deadline: Time,
    /// When the next act is due; none when closed.
    pub next_action_at: Option<Time>,
    /// End attempts so far.
    pub attempts: u32,
    /// When the end was sent.
    pub issued_at: Option<Time>,
    /// When KMS said yes.
    pub accepted_at: Option<Time>,
    /// Since when KMS lists it no more before its deadline: somebody else has ended it.
    #[serde(default)]
    pub missing_at: Option<Time>,
    /// When a listing that lacks it was begun.
    pub gone_at: Option<Time>,
    /// What it waits for, if anything is wrong.
    pub fault: Option<Class>,
    /// Since when.
    pub fault_since: Option<Time>,
}

/// A page; `next` is the cursor of the following one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Opaque; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /v1/leases`: all filters are "and"; text filters match exactly or, for key and grantee, by
/// their last piece.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListLeases {
    /// Key ARN, key id, or the key as the asker wrote it.
    pub key: Option<String>,
    /// Grantee ARN, what stands in it behind the account (`role/RoleB`), or its last piece.
    pub grantee: Option<String>,
    /// Policy name.
    pub policy: Option<String>,
    /// State word.
    pub state: Option<String>,
    /// Only those past their deadline whose end KMS has not accepted.
    #[serde(default)]
    pub overdue: bool,
    /// Only those that the caller asked for himself.
    #[serde(default)]
    pub mine: bool,
    /// Closed ones too.
    #[serde(default)]
    pub all: bool,
    /// Cursor of a former page.
    pub after: Option<String>,
}

/// `GET /v1/health`: the API answers and the engine still listens. What they have to say is in
/// [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Health {
    /// grantd's version.
    pub version: String,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// grantd's version.
    pub version: String,
    /// 0 well, 1 something needs attention, 2 something is overdue or the daemon only ends leases.
    pub health: u8,
    /// What the health is about: each line a fact and its remedy.
    pub alarms: Vec<String>,
    /// Set while creates are refused, with the reason.
    pub end_only: Option<String>,
    /// The file that did not load, or was refused, since the last one that was taken; for those
    /// who may see everything.
    #[serde(default)]
    pub config_problem: Option<ConfigProblem>,
    /// What keeps leases from being made.
    #[serde(default)]
    pub freezes: Vec<Freeze>,
    /// When it was started.
    pub started_at: Time,
    /// The guarded present.
    pub now: Time,
    /// Grants by state.
    pub counts: std::collections::BTreeMap<String, i64>,
    /// The next deadline of a live lease.
    pub next_deadline: Option<Time>,
    /// Grants past their deadline whose end KMS has not accepted.
    pub overdue: Vec<Overdue>,
    /// How many there are (the list is bounded).
    pub overdue_count: i64,
    /// Who waits for what.
    pub waits: Vec<Wait>,
    /// The lanes.
    pub lanes: Vec<LaneStatus>,
    /// The head of the history chain.
    pub history_head: String,
    /// Found grants with our prefix that are not provably ours: not touched.
    pub unproven: i64,
    /// Grants that name our role as retiring principal on keys of accounts that grantd does not
    /// serve.
    #[serde(default)]
    pub strangers: i64,
    /// Grants that name our role as retiring principal on keys that grantd serves, and that nothing
    /// explains: not touched.
    #[serde(default)]
    pub rogues: i64,
    /// Grants under the ref of a lease that give something else: they end at the deadlines of their
    /// own Names.
    #[serde(default)]
    pub impostors: i64,
    /// Grants under a Name of the group that no host of it can have made: they end at the deadlines
    /// of their Names.
    #[serde(default)]
    pub strays: i64,
    /// Open grants that were only found; counted up to 1,000. They use up no `max-live`.
    #[serde(default)]
    pub found: i64,
    /// Why grants of others are not ended.
    #[serde(default)]
    pub holds: Vec<AdoptionHold>,
    /// Grants of others that policies would end, and have not adopted: they report, or are held.
    #[serde(default)]
    pub adoptable: i64,
    /// Aliases that point elsewhere than they did, and are not believed.
    #[serde(default)]
    pub moved_aliases: Vec<MovedAlias>,
    /// Keys with live leases that cannot be used.
    #[serde(default)]
    pub keys_off: Vec<KeyOff>,
    /// Grants that KMS lists no more before their deadlines: somebody else has ended them.
    #[serde(default)]
    pub missing: i64,
    /// Open leases that none of today's policies would give.
    #[serde(default)]
    pub refused_today: i64,
    /// Open leases whose grantee KMS shows as a unique id: deleted, or made again.
    #[serde(default)]
    pub grantees_gone: i64,
}

/// A grant that should have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overdue {
    /// The lease.
    #[serde(rename = "ref")]
    pub reference: Ref,
    /// Its deadline.
    pub deadline: Time,
    /// End attempts so far.
    pub attempts: u32,
    /// Why it is not ended.
    pub cause: Option<Class>,
}

/// A lane or a key that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wait {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The key; none when the whole lane waits.
    pub key_arn: Option<KeyArn>,
    /// For what.
    pub class: Class,
    /// Since when.
    pub since: Time,
    /// Tries since then.
    pub tries: u32,
    /// When the next one comes.
    pub until: Time,
    /// KMS's own words at the last try.
    pub detail: String,
}

/// An error on the socket: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// The stable code of the fault.
    #[serde(rename = "type")]
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, and where.
    pub detail: String,
    /// What to do.
    pub hint: String,
    /// The exit code of a command that meets it.
    pub exit: u8,
    /// The lease it is about.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Ref>,
}
