//! What a sandbox is told: where it stands, how slow its views are, its quotas, and which answer it
//! gives where AWS's is not known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::op::Op;

/// Everything a [`crate::Core`] is told. All of it but seed, region and accounts may change while
/// it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The only Region it serves; a key ARN of another one is not found.
    pub region: String,
    /// The accounts whose principals and keys it holds.
    pub accounts: Vec<String>,
    /// Where chance starts: same seed, same calls, same answers.
    pub seed: u64,
    /// How long the views lag behind the truth.
    pub propagation: Propagation,
    /// How much further each endpoint lags behind that, in milliseconds: a call is answered by one
    /// of them, so that what one shows the next may not show yet, or still. Empty: one endpoint
    /// without a lag of its own.
    pub endpoint_lags_ms: Vec<u32>,
    /// Which endpoint answers, counted from 0; absent (or too great): chance decides at each call.
    pub answering_endpoint: Option<usize>,
    /// What KMS makes of users and roles that are new.
    pub new_principals: NewPrincipals,
    /// Aliases that AWS keeps in every account, without a key until somebody describes them
    /// (kms-facts 2).
    pub predefined_aliases: Vec<String>,
    /// Requests per second, calling account and operation. An absent operation is not limited.
    pub quotas: BTreeMap<Op, u32>,
    /// Living grants per customer managed key before `LimitExceededException` (kms-facts 5:
    /// 50,000).
    pub grants_per_key: usize,
    /// How many journal entries are kept; the oldest go first.
    pub journal_limit: usize,
    /// How many seconds a session of an assumed role truly lasts, whatever was asked for. Not
    /// AWS's (900 s is its least): so that a test sees one end.
    pub session_seconds: Option<u32>,
    /// The answers where no source says what AWS does.
    pub unconfirmed: Unconfirmed,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            accounts: vec!["111122223333".to_owned()],
            seed: 0,
            propagation: Propagation::default(),
            endpoint_lags_ms: Vec::new(),
            answering_endpoint: None,
            new_principals: NewPrincipals::default(),
            predefined_aliases: vec!["alias/aws/ebs".to_owned(), "alias/aws/s3".to_owned()],
            quotas: Op::ALL.iter().filter_map(|op| Some((*op, op.default_quota()?))).collect(),
            grants_per_key: 50_000,
            journal_limit: 1_000_000,
            session_seconds: None,
            unconfirmed: Unconfirmed::default(),
        }
    }
}

/// How long after a mutation the views show it, in milliseconds; drawn once per mutation from
/// `min_ms..=max_ms`. (KMS: usually seconds, in some cases minutes, no bound; kms-facts 4.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Propagation {
    /// The least delay.
    pub min_ms: u32,
    /// The greatest delay.
    pub max_ms: u32,
}

impl Propagation {
    /// The same delay for every mutation.
    #[must_use]
    pub const fn fixed(ms: u32) -> Self {
        Self { min_ms: ms, max_ms: ms }
    }
}

/// What KMS makes of users and roles that are new. Those that were there before the first call are
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewPrincipals {
    /// For so long a grant cannot name one: `InvalidArnException` (kms-facts 1). Off by default:
    /// that it happens is recorded, a number is not.
    pub unknown_ms: u32,
    /// For so long listings show its unique id in place of the ARN (kms-facts 2: about a minute).
    pub shown_as_id_ms: u32,
}

impl Default for NewPrincipals {
    fn default() -> Self {
        Self { unknown_ms: 0, shown_as_id_ms: 60_000 }
    }
}

/// One switch for each point that no source settles and that a client can observe: the table is in
/// the crate's documentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unconfirmed {
    /// A repeat with `Operations` in another order makes another grant.
    pub operations_order_matters: bool,
    /// A named repeat that comes before the first has propagated makes a second grant (a twin).
    /// Off by default: the documentation promises idempotency without such a window.
    pub twins_before_propagation: bool,
    /// A named repeat after the end of the first.
    pub repeat_after_end: RepeatAfterEnd,
    /// The children of a grant end with it. Off by default: nothing documents that they do, and
    /// a child that lives on is what a client must not forget.
    pub children_end_with_parent: bool,
    /// Ending a grant by id that the views do not show yet.
    pub end_unseen: EndUnseen,
    /// Ending again by id, while the views still show the grant, is answered as if it were the
    /// first time.
    pub end_again_accepted: bool,
    /// A token whose grant is over: `InvalidGrantTokenException` if set; else RetireGrant answers
    /// `NotFoundException`, and a call that brings it goes on without it.
    pub spent_token_is_invalid: bool,
    /// A token still works after its grant has ended, as long as some view shows the grant.
    pub token_outlives_its_grant: bool,
    /// The issuing account may retire by token alone, not by key and grant id.
    pub issuer_needs_the_token: bool,
    /// Ending a grant that is gone, or never was: `InvalidGrantIdException` if set, else
    /// `NotFoundException`.
    pub gone_grant_id_is_invalid: bool,
    /// A well-formed grant id of another key: `InvalidGrantIdException` if set, else
    /// `NotFoundException`.
    pub foreign_grant_id_is_invalid: bool,
    /// ListGrants by the well-formed id of a grant that the key has not.
    pub list_unknown_grant_id: ListUnknown,
    /// RetireGrant takes a bare key id as well as the ARN.
    pub retire_takes_bare_key_id: bool,
    /// A page marker is invalid as soon as the grant that it names has left the view.
    pub marker_dies_with_its_grant: bool,
    /// The `GranteePrincipal` filter still matches a grant whose grantee is displayed as a unique
    /// id.
    pub filter_matches_decayed: bool,
    /// `Name` of an unnamed grant is listed as `""` (published output) instead of absent (the
    /// model).
    pub unset_name_is_empty: bool,
    /// `CreationDate` has no milliseconds.
    pub whole_second_dates: bool,
    /// Keys of encryption context constraints match in any case (the model) instead of exactly (the
    /// guide).
    pub context_keys_ignore_case: bool,
    /// CreateGrant on a key that is pending deletion: `DisabledException` if set, else
    /// `KMSInvalidStateException`.
    pub pending_deletion_is_disabled: bool,
    /// "Hot key" throttling: state-changing calls on one key per second before
    /// `ThrottlingException`. Off by default: that it exists is documented, a number is not.
    pub hot_key_per_second: Option<u32>,
}

impl Default for Unconfirmed {
    fn default() -> Self {
        Self {
            operations_order_matters: true,
            twins_before_propagation: false,
            repeat_after_end: RepeatAfterEnd::NewGrant,
            children_end_with_parent: false,
            end_unseen: EndUnseen::NotFound,
            end_again_accepted: false,
            spent_token_is_invalid: true,
            token_outlives_its_grant: true,
            issuer_needs_the_token: false,
            gone_grant_id_is_invalid: false,
            foreign_grant_id_is_invalid: false,
            list_unknown_grant_id: ListUnknown::Empty,
            retire_takes_bare_key_id: false,
            marker_dies_with_its_grant: true,
            filter_matches_decayed: false,
            unset_name_is_empty: true,
            whole_second_dates: false,
            context_keys_ignore_case: true,
            pending_deletion_is_disabled: false,
            hot_key_per_second: None,
        }
    }
}

/// The answer to RetireGrant or RevokeGrant by id for a grant that exists but has not propagated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndUnseen {
    /// `NotFoundException`: it looks as if the grant were gone.
    NotFound,
    /// `AccessDeniedException`: what the developer guide says of managing a new grant.
    AccessDenied,
    /// It ends, as if it had been seen.
    Accepted,
}

/// The answer to a named CreateGrant that repeats one whose grant has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatAfterEnd {
    /// Another grant.
    NewGrant,
    /// The dead grant's id while some view still shows it, then another grant.
    DeadUntilPropagated,
    /// The dead grant's id, for ever.
    DeadForEver,
}

/// The answer to ListGrants by a grant id that the key has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListUnknown {
    /// An empty list.
    Empty,
    /// `NotFoundException`.
    NotFound,
    /// `InvalidGrantIdException`.
    InvalidGrantId,
}

#[cfg(test)]
mod tests;
