//! The KMS port: all that grantd asks of KMS and STS. `aws` is the production adapter and the only
//! user of the SDK; the simulation has the other.

pub mod aws;
pub mod classify;
pub mod members;

use std::fmt;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use zeroize::Zeroizing;

use crate::config::is_loopback;
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, BadId, GrantId, KeyArn, Principal, Region};
use crate::ledger::{Intent, Warrant};
use crate::rules::life::{Class, EndOrder, Outcome, Via};
use crate::rules::time::Time;
use crate::terms::{Constraints, Operation};

/// A grant token: AWS calls it non-secret, but it extends use beyond a revoke. It lives in memory,
/// never in the ledger or the log, and is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Take a token as KMS gave it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one who asked and for RetireGrant.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// KMS's answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What it means.
    pub outcome: Outcome<T>,
    /// KMS's `Date` header: AWS's clock, to the second. `None` when no answer came.
    pub date: Option<Time>,
    /// For people: the error code and message (never a token or a credential), or what went wrong
    /// on the way.
    pub detail: Option<String>,
    /// `x-amzn-RequestId`, to find the call in CloudTrail.
    pub request_id: Option<String>,
}

impl<T> Answer<T> {
    /// What it says, to a question about `key`.
    ///
    /// # Errors
    /// Why it says nothing, as the asker reads it.
    pub fn about(self, key: &str) -> Result<T, Fault> {
        self.told_to("grantd", key)
    }

    /// The same where `who` asked.
    ///
    /// # Errors
    /// As above.
    pub fn told_to(self, who: &str, key: &str) -> Result<T, Fault> {
        let detail = self.detail.as_deref().unwrap_or("no answer");
        let (kind, what) = match self.outcome {
            Outcome::Done(value) => return Ok(value),
            Outcome::Unknown => (Kind::KmsSilent, "KMS does not answer".to_owned()),
            Outcome::Refused(class) => match class {
                Class::NotFound => (Kind::KeyNotFound, "KMS does not find it".to_owned()),
                Class::Throttled => (Kind::Throttled, format!("KMS throttles {who}")),
                Class::Denied => (Kind::KmsDenied, format!("{who} may not look it up")),
                Class::Credentials => {
                    (Kind::Credentials, format!("AWS does not accept {who}'s credentials"))
                }
                Class::KeyState => (Kind::KeyState, "the key is not usable".to_owned()),
                Class::Unavailable => (Kind::KmsSilent, "nothing was sent to KMS".to_owned()),
                Class::BadToken | Class::Quota | Class::Invalid => {
                    (Kind::KmsInvalid, "KMS does not take the question".to_owned())
                }
            },
        };
        Err(Fault::new(kind, format!("cannot look up {key}: {what}: {detail}")))
    }
}

/// What CreateGrant gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The grant's id.
    pub id: GrantId,
    /// Its token.
    pub token: Token,
}

/// The KMS client, pacing and queue of one (account of the credentials, Region, endpoint, role).
/// All that ending needs, kept in the ledger so that it outlives the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its row in the ledger.
    pub id: i64,
    /// The account whose credentials are used, and which issues the grants.
    pub account: AccountId,
    /// The Region of the keys.
    pub region: Region,
    /// The role to assume; `None` for the ambient credentials.
    pub role_arn: Option<Principal>,
    /// STS's external id for that role.
    pub external_id: Option<String>,
    /// Another endpoint of KMS than the Region's; one on this host is an emulator, and serves as
    /// STS too. A row is never ended or closed through another endpoint than its own.
    pub endpoint: Option<String>,
    /// Who retires the grants made here: grantd's own role.
    pub retiring_principal: Principal,
    /// How its credentials are had today.
    pub ways: Ways,
}

/// How a lane's credentials are had. The config's last word, kept in the ledger so that a broken
/// config still ends; another word makes no other lane, so that old rows go by it too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// The profile of AWS's own files that gives the credentials; `None` for the ambient chain.
    pub profile: Option<String>,
    /// The name of assumed sessions, by which CloudTrail shows them; `None` for grantd's own.
    pub session_name: Option<String>,
    /// The role that is assumed for RevokeGrant, and for nothing else.
    pub revoke_role: Option<Principal>,
    /// The HTTP proxy between this host and KMS and STS, such as `http://proxy.corp:3128`; `None`:
    /// they are reached directly, whatever the environment says.
    pub proxy: Option<String>,
}

impl Lane {
    /// Such as `aws` or `aws-cn`: as the role's ARN tells.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.retiring_principal.as_str().split(':').nth(1).unwrap_or("aws")
    }

    /// The key with this id, here.
    ///
    /// # Errors
    /// [`BadId`] for what is no key id.
    pub fn key(&self, id: &str) -> Result<KeyArn, BadId> {
        let (partition, region, account) = (self.partition(), &self.region, &self.account);
        KeyArn::parse(format!("arn:{partition}:kms:{region}:{account}:key/{id}"))
    }

    /// The key that an alias of this lane points at.
    #[must_use]
    pub fn target(&self, alias: &Alias) -> Option<KeyArn> {
        self.key(alias.key_id.as_ref()?).ok()
    }

    /// Whether both are the same lane: every fact but the row's id and the [`Ways`].
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let facts = |lane: &Self| Self { id: 0, ways: Ways::default(), ..lane.clone() };
        facts(self) == facts(other)
    }

    /// Whether KMS is an emulator on this host.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.endpoint.as_deref().is_some_and(is_loopback)
    }

    /// The ways out of our own grants here.
    #[must_use]
    pub const fn own_order(&self) -> EndOrder {
        match self.ways.revoke_role {
            Some(_) => EndOrder::RetireThenRevoke,
            None => EndOrder::Retire,
        }
    }
}

/// One entry of a listing (botocore kms shape `GrantListEntry`). Text fields are as KMS shows them:
/// principals decay to unique ids, and a service may stand where an ARN is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key's ARN.
    pub key_arn: String,
    /// The grant's id.
    pub id: GrantId,
    /// The Name; empty when there is none.
    pub name: String,
    /// When KMS made it; not every emulator says.
    pub created: Option<Time>,
    /// The grantee, or the grantee service principal; empty when neither is shown.
    pub grantee: String,
    /// The retiring principal, or the retiring service principal; empty when there is none.
    pub retiring_principal: String,
    /// The account that issued it; empty where the emulator does not say.
    pub issuing_account: String,
    /// The operations by KMS's names; one that we do not know is kept as it is.
    pub operations: Vec<String>,
    /// The encryption context constraint.
    pub constraints: Constraints,
    /// A source ARN constraint (only AWS services use it).
    pub source_arn: Option<String>,
    /// What else KMS shows of it that this version does not know, by path ([`members`]).
    pub unknown: Vec<String>,
}

impl Listed {
    /// Whether operations and constraints, as our types say them, are all of its terms.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        let known = |name: &String| name.parse::<Operation>().is_ok();
        self.source_arn.is_none()
            && self.operations.iter().all(known)
            && !members::hides_terms(&self.unknown)
    }
}

/// Which grants to list.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// ListGrants with a GrantId.
    One(&'a KeyArn, &'a GrantId),
    /// ListGrants of the whole key.
    Key(&'a KeyArn),
    /// ListRetirableGrants of the lane's retiring principal: all keys of all accounts in this
    /// Region.
    Retirable,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The entries.
    pub grants: Vec<Listed>,
    /// Where the next page starts; `None` on the last one. Opaque.
    pub marker: Option<String>,
}

/// An alias and the key it points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias {
    /// With the `alias/` prefix.
    pub name: String,
    /// The bare key id; predefined aliases may have none.
    pub key_id: Option<String>,
}

/// What DescribeKey says, as far as a decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// The whole ARN.
    pub arn: KeyArn,
    /// Such as `SYMMETRIC_DEFAULT`, `RSA_2048`, `HMAC_256`.
    pub spec: String,
    /// Such as `ENCRYPT_DECRYPT`, `SIGN_VERIFY`.
    pub usage: String,
    /// Such as `Enabled`, `Disabled`, `PendingDeletion`.
    pub state: String,
    /// `CUSTOMER` or `AWS`: grants on AWS managed keys are not ours to make.
    pub manager: String,
}

/// Who the credentials are (STS GetCallerIdentity).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The ARN; of an assumed role it is the session's.
    pub arn: String,
    /// The unique id without the session name: a re-created role has another one under the same
    /// ARN.
    pub unique_id: String,
}

/// A call under way. Not `Send`: the engine owns one thread.
pub type Call<'a, T> = LocalBoxFuture<'a, Answer<T>>;

/// What grantd asks of KMS. One attempt per call, never retried inside: the ledger counts every
/// send.
pub trait Kms {
    /// CreateGrant with the stored request, to the letter.
    fn create<'a>(&'a self, intent: &'a Intent) -> Call<'a, Created>;
    /// RetireGrant (by `token` where given, else by id), or RevokeGrant: as the lane's revoke role
    /// where it has one. That this role cannot be had is `Denied`: it holds up no other end.
    fn end<'a>(&'a self, warrant: &'a Warrant, via: Via, token: Option<&'a Token>) -> Call<'a, ()>;
    /// One page of a listing. Absence may be concluded only from a listing followed to its end.
    fn page<'a>(
        &'a self,
        lane: &'a Lane,
        scope: Scope<'a>,
        marker: Option<String>,
    ) -> Call<'a, Page>;
    /// ListAliases, all pages: of one key, or of the Region.
    fn aliases<'a>(&'a self, lane: &'a Lane, key: Option<&'a KeyArn>) -> Call<'a, Vec<Alias>>;
    /// DescribeKey by key id or ARN (never an alias: that can create an AWS managed key, kms-facts
    /// 2).
    fn describe<'a>(&'a self, lane: &'a Lane, key: &'a str) -> Call<'a, KeyFacts>;
    /// GetCallerIdentity with the lane's credentials.
    fn identity<'a>(&'a self, lane: &'a Lane) -> Call<'a, Identity>;
    /// Refresh the lane's credentials before they are needed; to be called every 10 s. Asks
    /// nothing of KMS. A refusal (`Credentials`, or `Unavailable` where nobody answered) means that
    /// they could not be had; those in hand serve until they expire.
    fn warm<'a>(&'a self, lane: &'a Lane) -> Call<'a, ()> {
        let _ = lane;
        async { Answer { outcome: Outcome::Done(()), date: None, detail: None, request_id: None } }
            .boxed_local()
    }
}
