//! CreateGrant (kms-facts 1).

use serde_json::{Value, json};

use crate::authorise::{Basis, Brings};
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::terms::{Party, Terms};
use crate::model::{Grant, Holder, Key, KeyState};
use crate::op::Op;
use crate::principals::Caller;

impl Core {
    pub(crate) fn create_grant(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let terms = Terms::read(body)?;
        self.trace.name = terms.name.map(str::to_owned);
        let key_arn = self.enter(caller, terms.key_id, false)?;
        let key = self.key(&key_arn)?;
        let brings = Brings { context: None, tokens: &terms.tokens };
        let basis = self.authorise(caller, key, Op::CreateGrant, &brings, now)?;
        self.check_state_for_create(key)?;
        terms.check_key(key.spec)?;
        self.check_parent(key, &basis, &terms)?;
        let party = |party| match party {
            Party::Principal(arn) => self.holder(arn),
            Party::Service(host) => {
                Ok(Holder { text: host.to_owned(), service: true, unique_id: None })
            }
        };
        let grant = Grant {
            id: String::new(),
            key_arn,
            name: terms.name.map(str::to_owned),
            grantee: party(terms.grantee)?,
            retiring: terms.retiring.map(party).transpose()?,
            issuing_account: caller.account.clone(),
            operations: terms.operations.clone(),
            constraints: terms.constraints.clone(),
            created_at: now,
            seen_from: now,
            ended: None,
        };
        let repeat = self.find_repeat(key, &grant, now);
        if repeat.is_none() && key.grants.alive >= self.settings.grants_per_key {
            return Err(KmsError::refusal(
                "LimitExceededException",
                format!("The number of grants on key {} has reached its quota", grant.key_arn),
            ));
        }
        if terms.dry_run {
            return Err(KmsError::dry_run());
        }
        self.heat(&grant.key_arn, now)?;
        let id = match repeat {
            Some(id) => {
                self.trace.repeat = true;
                id
            }
            None => self.add_grant(grant),
        };
        let token = self.mint_token(&id);
        self.trace.grant_id = Some(id.clone());
        Ok(json!({ "GrantId": id, "GrantToken": token }))
    }

    fn add_grant(&mut self, mut grant: Grant) -> String {
        let id = self.rng.grant_id();
        grant.id.clone_from(&id);
        grant.seen_from = grant.created_at + self.delay();
        if let Some(retiring) = &grant.retiring {
            let place = (grant.key_arn.clone(), id.clone());
            self.retirable.entry(retiring.text.clone()).or_default().insert(place);
        }
        self.homes.insert(id.clone(), grant.key_arn.clone());
        if let Some(key) = self.keys.get_mut(&grant.key_arn) {
            key.grants.insert(grant);
        }
        id
    }

    fn check_state_for_create(&self, key: &Key) -> Result<(), KmsError> {
        match key.state {
            KeyState::Enabled | KeyState::Unavailable | KeyState::Updating => Ok(()),
            KeyState::Disabled => Err(disabled(&key.arn)),
            KeyState::PendingDeletion if self.settings.unconfirmed.pending_deletion_is_disabled => {
                Err(disabled(&key.arn))
            }
            KeyState::PendingDeletion => Err(invalid_state(&key.arn, "is pending deletion")),
            KeyState::PendingImport => Err(invalid_state(&key.arn, "is pending import")),
            KeyState::Creating => Err(invalid_state(&key.arn, "is being created")),
        }
    }

    /// A caller who may create by a grant only can give no more than that grant gives.
    fn check_parent(&self, key: &Key, basis: &Basis, terms: &Terms<'_>) -> Result<(), KmsError> {
        let Basis::Grant(_, id) = basis else {
            return Ok(());
        };
        let Some(parent) = key.grants.by_id.get(id) else {
            return Ok(());
        };
        let operations = terms.operations.iter().all(|op| parent.operations.contains(op));
        if operations && parent.constraints.admit_child(&terms.constraints) {
            return Ok(());
        }
        Err(KmsError::refusal(
            "AccessDeniedException",
            "The grant behind this call does not allow these operations and constraints",
        ))
    }

    /// The grant that a named request repeats: everything identical, the name included.
    fn find_repeat(&self, key: &Key, wanted: &Grant, now: i64) -> Option<String> {
        let choice = &self.settings.unconfirmed;
        let ids = key.grants.by_name.get(wanted.name.as_deref()?)?;
        let answers = |grant: &&Grant| match grant.ended {
            None => !choice.twins_before_propagation || grant.seen(now),
            Some(_) => choice.repeat_returns_dead_grant && grant.usable_by_token(now),
        };
        let operations = |grant: &Grant| {
            if choice.operations_order_matters {
                return grant.operations == wanted.operations;
            }
            let all_in = |a: &[&str], b: &[&str]| a.iter().all(|op| b.contains(op));
            all_in(&grant.operations, &wanted.operations)
                && all_in(&wanted.operations, &grant.operations)
        };
        let same = |grant: &&Grant| {
            grant.grantee == wanted.grantee
                && grant.retiring == wanted.retiring
                && grant.issuing_account == wanted.issuing_account
                && grant.constraints == wanted.constraints
                && operations(grant)
        };
        let grants = ids.iter().filter_map(|id| key.grants.by_id.get(id));
        grants.filter(same).find(answers).map(|grant| grant.id.clone())
    }
}

pub(crate) fn disabled(arn: &str) -> KmsError {
    KmsError::refusal("DisabledException", format!("{arn} is disabled."))
}

pub(crate) fn invalid_state(arn: &str, how: &str) -> KmsError {
    KmsError::refusal("KMSInvalidStateException", format!("{arn} {how}."))
}
