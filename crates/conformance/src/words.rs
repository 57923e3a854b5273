//! What cases say again and again.

use std::collections::BTreeSet;

use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::operation::list_grants::ListGrantsOutput;
use aws_sdk_kms::types::{GrantConstraints, GrantListEntry, GrantOperation, KeySpec, KeyUsageType};

use crate::case::Seen;
use crate::world::{Refused, Who, World};

/// What CreateGrant gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The grant's id.
    pub id: String,
    /// One of its tokens.
    pub token: String,
}

impl World {
    /// CreateGrant by the administrator: RoleB may decrypt with the key.
    #[must_use]
    pub fn grant(&self) -> CreateGrantFluentBuilder {
        self.grant_by(Who::Admin)
    }

    /// The same by somebody else.
    #[must_use]
    pub fn grant_by(&self, who: Who) -> CreateGrantFluentBuilder {
        let request = self.kms_as(who).create_grant().key_id(&self.key);
        request.grantee_principal(self.iam("role/RoleB")).operations(GrantOperation::Decrypt)
    }

    /// Sends a CreateGrant.
    ///
    /// # Errors
    /// The refusal.
    pub fn make(&self, request: CreateGrantFluentBuilder) -> Result<Made, Refused> {
        let answer = self.ask(request.send())?;
        Ok(Made {
            id: answer.grant_id.unwrap_or_default(),
            token: answer.grant_token.unwrap_or_default(),
        })
    }

    /// A key more, in the account of the case's own. `kind`: KeySpec and KeyUsage; a symmetric key
    /// without.
    ///
    /// # Errors
    /// The refusal.
    pub fn new_key(&self, kind: &[&str]) -> Result<String, Refused> {
        let spec = kind.first().map(|spec| KeySpec::from(*spec));
        let usage = kind.get(1).map(|usage| KeyUsageType::from(*usage));
        let request = self.kms().create_key().set_key_spec(spec).set_key_usage(usage);
        let made = self.ask(request.send())?;
        Ok(made.key_metadata.and_then(|key| key.arn).unwrap_or_default())
    }

    /// The first page of the key's grants.
    ///
    /// # Errors
    /// The refusal.
    pub fn page(&self) -> Result<ListGrantsOutput, Refused> {
        self.ask(self.kms().list_grants().key_id(&self.key).send())
    }

    /// The key's only grant as it is listed.
    ///
    /// # Errors
    /// The refusal.
    pub fn entry(&self) -> Result<GrantListEntry, Refused> {
        Ok(self
            .page()?
            .grants
            .unwrap_or_default()
            .pop()
            .unwrap_or_else(|| GrantListEntry::builder().grant_id("none is listed").build()))
    }

    /// How many grants the key has, as far as one page shows.
    ///
    /// # Errors
    /// The refusal.
    pub fn count(&self) -> Result<usize, Refused> {
        Ok(self.page()?.grants().len())
    }

    /// RevokeGrant on the key by the administrator.
    ///
    /// # Errors
    /// The refusal.
    pub fn revoke(&self, id: &str) -> Result<(), Refused> {
        self.revoke_by(Who::Admin, id)
    }

    /// RevokeGrant on the key.
    ///
    /// # Errors
    /// The refusal.
    pub fn revoke_by(&self, who: Who, id: &str) -> Result<(), Refused> {
        let request = self.kms_as(who).revoke_grant().key_id(&self.key).grant_id(id);
        self.ask(request.send()).map(drop)
    }

    /// RetireGrant by key and id.
    ///
    /// # Errors
    /// The refusal.
    pub fn retire_by(&self, who: Who, id: &str) -> Result<(), Refused> {
        let request = self.kms_as(who).retire_grant().key_id(&self.key).grant_id(id);
        self.ask(request.send()).map(drop)
    }

    /// RetireGrant by token.
    ///
    /// # Errors
    /// The refusal.
    pub fn retire_token(&self, who: Who, token: &str) -> Result<(), Refused> {
        let request = self.kms_as(who).retire_grant().grant_token(token);
        self.ask(request.send()).map(drop)
    }
}

/// An answer in the table's words.
pub trait Said: Sized {
    /// `accepted`, or the code of the refusal.
    ///
    /// # Errors
    /// The refusal.
    fn said(self) -> Seen;

    /// `accepted` or `refused`: for refusals whose code no source names.
    ///
    /// # Errors
    /// No answer, or a failure of the server.
    fn allowed(self) -> Seen;
}

impl<T> Said for Result<T, Refused> {
    fn said(self) -> Seen {
        self.map(|_| "accepted".to_owned())
    }

    fn allowed(self) -> Seen {
        match self {
            Ok(_) => Ok("accepted".to_owned()),
            Err(refused) if refused.status == Some(400) => Ok("refused".to_owned()),
            Err(failure) => Err(failure),
        }
    }
}

/// Two answers of CreateGrant side by side.
#[must_use]
pub fn compare(a: &Made, b: &Made) -> String {
    let same = |a: &str, b: &str, word| match a == b {
        true => format!("same {word}"),
        false => format!("another {word}"),
    };
    format!("{}, {}", same(&a.id, &b.id, "id"), same(&a.token, &b.token, "token"))
}

/// The ids of a listing.
#[must_use]
pub fn ids(grants: &[GrantListEntry]) -> BTreeSet<String> {
    grants.iter().filter_map(|grant| grant.grant_id.clone()).collect()
}

/// `{"aws:x": "1"}` as an EncryptionContextEquals.
#[must_use]
pub fn equals(pairs: &[(&str, &str)]) -> GrantConstraints {
    pairs
        .iter()
        .fold(GrantConstraints::builder(), |c, (k, v)| c.encryption_context_equals(*k, *v))
        .build()
}

/// The same as an EncryptionContextSubset.
#[must_use]
pub fn subset(pairs: &[(&str, &str)]) -> GrantConstraints {
    pairs
        .iter()
        .fold(GrantConstraints::builder(), |c, (k, v)| c.encryption_context_subset(*k, *v))
        .build()
}
