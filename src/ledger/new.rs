//! What goes into the ledger: the arguments of its writing methods.

use std::sync::Arc;

use crate::ids::{AccountId, GrantId, KeyArn, Principal, Ref, Region};
use crate::kms::{Lane, Ways};
use crate::rules::extend::Standing;
use crate::rules::freeze::Subject;
use crate::rules::life::{EndOrder, Facts, Origin};
use crate::rules::policy::Override;
use crate::rules::time::{Now, Time};
use crate::terms::{Constraints, GrantRequest, LiveMax, Operation};
use crate::wire::Asker;

/// The longest detail that a history row keeps, in bytes: KMS's own messages are shorter, a proxy's
/// error page is not.
const DETAIL_MAX: usize = 2_000;

/// All that identifies a lane (another role or endpoint is another lane), and today's ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneFacts {
    /// The account whose credentials are used.
    pub account: AccountId,
    /// The Region of the keys.
    pub region: Region,
    /// The role to assume; `None` for the ambient credentials.
    pub role_arn: Option<Principal>,
    /// STS's external id for that role.
    pub external_id: Option<String>,
    /// Another endpoint than AWS's.
    pub endpoint: Option<String>,
    /// Who retires the grants made here.
    pub retiring_principal: Principal,
    /// How its credentials are had from now on.
    pub ways: Ways,
}

/// A lease to begin, decided and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLease {
    /// Its ref, as it stands in the request's Name.
    pub reference: Ref,
    /// Where it is made and ended.
    pub lane: Arc<Lane>,
    /// `Asked` or `Probe`.
    pub origin: Origin,
    /// The key as the asker wrote it.
    pub key: String,
    /// The aliases that the key had when it was looked up: a freeze may name one.
    pub aliases: Vec<String>,
    /// The CreateGrant, to the letter.
    pub request: GrantRequest,
    /// The policy that allowed it.
    pub policy: Option<String>,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// Who asked; `None` for grantd itself.
    pub asker: Option<Asker>,
    /// The asker's key for a safe repeat, and the SHA-256 of what was asked under it.
    pub idempotency: Option<(String, [u8; 32])>,
    /// Whether it lives only while somebody holds it.
    pub held: bool,
    /// When the lease was asked for.
    pub started_at: Time,
    /// UTC, whole seconds; as it stands in the request's Name.
    pub deadline: Time,
    /// Start + max-ttl, fixed at birth.
    pub latest: Time,
    /// How long before the deadline the end is sent, in ms.
    pub lead_ms: i64,
    /// How many leases of its policy may live at once, with this one; `None` where none counts.
    pub max_live: Option<LiveMax>,
    /// How long after the last CreateGrant send a stray copy may appear, in ms.
    pub settle: i64,
    /// The ways out.
    pub order: EndOrder,
}

impl NewLease {
    /// As a freeze looks at it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            key_arn: &self.request.key_arn,
            key: &self.key,
            aliases: &self.aliases,
            grantee: &self.request.grantee,
            policy: self.policy.as_deref(),
            account: &self.lane.account,
            caller: self.asker.as_ref().map(|asker| asker.uid),
        }
    }
}

/// A successor to begin, decided and complete: the next grant of a lease, with another deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The lease.
    pub reference: Ref,
    /// Where it is made and ended.
    pub lane: Arc<Lane>,
    /// Where the lease stood when this was decided; it must still stand so.
    pub judged: Standing,
    /// The key as the lease's asker wrote it.
    pub key: String,
    /// The aliases that the key has, where they were looked up.
    pub aliases: Vec<String>,
    /// The CreateGrant, to the letter.
    pub request: GrantRequest,
    /// What never changes about the lease's grants; its deadline is not looked at.
    pub facts: Facts,
    /// UTC, whole seconds; as it stands in the request's Name.
    pub deadline: Time,
    /// The latest deadline that the lease may have from now on.
    pub latest: Time,
    /// The policy that allows it; none for a shorter one, which takes no policy.
    pub policy: Option<String>,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// Who asks.
    pub asker: Asker,
    /// What of it only an administrator may do.
    pub overrides: Vec<Override>,
    /// The asker's key for a safe repeat, and the SHA-256 of what was asked under it.
    pub idempotency: Option<(String, [u8; 32])>,
}

impl Successor {
    /// Whether it makes the lease longer. Else it ends sooner, and no end is ever kept back.
    pub(crate) fn is_longer(&self) -> bool {
        self.deadline > self.judged.deadline
    }

    /// As a freeze looks at it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            key_arn: &self.request.key_arn,
            key: &self.key,
            aliases: &self.aliases,
            grantee: &self.request.grantee,
            policy: self.policy.as_deref(),
            account: &self.lane.account,
            caller: Some(self.asker.uid),
        }
    }
}

/// A grant that is ours by its Name (the caller has proven it, DESIGN 8) and was seen in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGrant {
    /// The ref in its Name.
    pub reference: Ref,
    /// The serial in its Name.
    pub serial: u32,
    /// The deadline in its Name.
    pub deadline: Time,
    /// The whole Name.
    pub name: String,
    /// Where it was seen, and will be ended.
    pub lane: Arc<Lane>,
    /// Its key.
    pub key_arn: KeyArn,
    /// KMS's id.
    pub grant_id: GrantId,
    /// Who has access.
    pub grantee: Principal,
    /// To do what.
    pub operations: Vec<Operation>,
    /// Under which encryption context.
    pub constraints: Constraints,
    /// Whether that is all: nothing that this version does not know, and no source, bounds it too.
    pub understood: bool,
    /// When KMS made it (or when it was seen, where the endpoint does not say).
    pub created: Time,
    /// When the listing was begun.
    pub began: Now,
    /// The policy that it fits.
    pub policy: Option<String>,
    /// Whether no other host makes grants under the group's Names.
    pub alone: bool,
    /// How long after its creation a stray copy may appear, in ms.
    pub settle: i64,
    /// The ways out.
    pub order: EndOrder,
}

/// Who did something, and what was said about it: goes into the history row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// `uid 1000 (alice)`, `grantd` or `kms`.
    pub actor: String,
    /// KMS's words, or a person's reason. Never a token or a credential.
    pub detail: Option<String>,
    /// `x-amzn-RequestId`, to find the call in CloudTrail.
    pub request_id: Option<String>,
}

impl Note {
    /// grantd did it by itself.
    #[must_use]
    pub fn grantd() -> Self {
        Self { actor: "grantd".to_owned(), ..Self::default() }
    }

    /// KMS said it.
    #[must_use]
    pub fn kms(detail: Option<String>, request_id: Option<String>) -> Self {
        Self { actor: "kms".to_owned(), detail: detail.map(cut), request_id }
    }

    /// A person did it, for this reason.
    #[must_use]
    pub fn person(uid: u32, name: &str, reason: Option<String>) -> Self {
        Self { actor: actor(uid, name), detail: reason.map(cut), request_id: None }
    }
}

/// How a person stands in the history.
pub(super) fn actor(uid: u32, name: &str) -> String {
    format!("uid {uid} ({name})")
}

fn cut(mut text: String) -> String {
    if text.len() > DETAIL_MAX {
        let end = (0..=DETAIL_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
