//! The truth, for those who need not ask as a caller: tests, the demo, the control surface.

use serde::Serialize;

use crate::core::{Core, Tally};
use crate::journal::Journal;
use crate::model::{End, Grant, KeyState};
use crate::op::Op;
use crate::settings::Settings;

/// A grant as it truly is, whatever the views show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantTruth {
    /// The key's ARN.
    pub key_arn: String,
    /// 64 hex characters.
    pub grant_id: String,
    /// As given at creation.
    pub name: Option<String>,
    /// As given at creation.
    pub grantee: String,
    /// As given at creation.
    pub retiring_principal: Option<String>,
    /// As given at creation.
    pub operations: Vec<&'static str>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds at which it was ended: the truth, before propagation.
    pub ended_at_ms: Option<i64>,
    /// What ended it.
    pub end: Option<End>,
}

/// What tests may see and set without being a caller.
impl Core {
    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes delays, quotas and switches of the running KMS. A delay holds for later mutations;
    /// seed, Region and accounts should stay.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The record of what happened.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// How often an operation was called.
    #[must_use]
    pub fn tally(&self, op: Op) -> Tally {
        self.tally.get(&op).copied().unwrap_or_default()
    }

    /// Every grant that ever was, living and over, by key and id.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantTruth> {
        let present = self.keys.values().flat_map(|key| key.grants.by_id.values());
        present.chain(self.past.values()).map(GrantTruth::of).collect()
    }

    /// The grants that truly live at `now`, without propagation: what no key's deletion, retirement
    /// or revocation has ended. `now` is not before the last call.
    #[must_use]
    pub fn grants_alive(&self, now: i64) -> Vec<GrantTruth> {
        let keys = self.keys.values().filter(|key| key.deletion_at.is_none_or(|at| now < at));
        let grants = keys.flat_map(|key| key.grants.by_id.values());
        grants.filter(|grant| grant.ended.is_none()).map(GrantTruth::of).collect()
    }

    /// How many grants live at `now`; cheaper than the list.
    #[must_use]
    pub fn count_alive(&self, now: i64) -> usize {
        let keys = self.keys.values().filter(|key| key.deletion_at.is_none_or(|at| now < at));
        keys.map(|key| key.grants.alive).sum()
    }

    /// One grant, living or over.
    #[must_use]
    pub fn grant(&self, id: &str) -> Option<GrantTruth> {
        let key = self.homes.get(id).and_then(|arn| self.keys.get(arn));
        let present = key.and_then(|key| key.grants.by_id.get(id));
        present.or_else(|| self.past.get(id)).map(GrantTruth::of)
    }

    /// The ARNs of all keys.
    #[must_use]
    pub fn key_arns(&self) -> Vec<&str> {
        self.keys.keys().map(String::as_str).collect()
    }

    /// The aliases as (account, name, key ARN).
    pub fn alias_list(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.aliases
            .iter()
            .map(|((account, name), a)| (account.as_str(), name.as_str(), a.key_arn.as_str()))
    }

    /// Puts a key in a state that no call reaches (`Unavailable`, `Creating`, …). `false`: no such
    /// key.
    pub fn set_key_state(&mut self, key_arn: &str, state: KeyState) -> bool {
        let Some(key) = self.keys.get_mut(key_arn) else {
            return false;
        };
        key.state = state;
        key.deletion_at = key.deletion_at.filter(|_| state == KeyState::PendingDeletion);
        true
    }
}

impl GrantTruth {
    fn of(grant: &Grant) -> Self {
        Self {
            key_arn: grant.key_arn.clone(),
            grant_id: grant.id.clone(),
            name: grant.name.clone(),
            grantee: grant.grantee.text.clone(),
            retiring_principal: grant.retiring.as_ref().map(|holder| holder.text.clone()),
            operations: grant.operations.clone(),
            created_at_ms: grant.created_at,
            ended_at_ms: grant.ended.map(|ended| ended.at),
            end: grant.ended.map(|ended| ended.how),
        }
    }
}
