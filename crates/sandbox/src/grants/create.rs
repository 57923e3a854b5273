//! CreateGrant (kms-facts 1).

use serde_json::{Value, json};

use crate::arn::root_arn;
use crate::authorise::{Basis, Brings};
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::terms::{Party, Terms};
use crate::model::{Extra, Grant, Holder, Key, KeyState};
use crate::op::Op;
use crate::principals::Caller;
use crate::settings::RepeatAfterEnd;

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
        let child = Some((terms.operations.as_slice(), &terms.constraints));
        let brings = Brings { context: None, tokens: &terms.tokens, child };
        let basis = self.authorise(caller, key, Op::CreateGrant.action(), &brings, now)?;
        self.check_state_for_create(key)?;
        terms.check_key(key.spec)?;
        let party = |party| match party {
            Party::Principal(arn) => self.holder(arn, now),
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
            issuing: root_arn(&caller.account),
            parent: match basis {
                Basis::Policy => None,
                Basis::Grant(id) => Some(id),
            },
            operations: terms.operations.clone(),
            constraints: terms.constraints.clone(),
            extra: Extra::default(),
            created_at: now,
            seen_from: now,
            ended: None,
        };
        let repeat = self.find_repeat(key, &grant, now);
        let full = !key.aws_managed && key.grants.alive >= self.settings.grants_per_key;
        if repeat.is_none() && full {
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

    /// Puts a grant on its key, under an id of its own; the views show it after a delay.
    pub(crate) fn add_grant(&mut self, mut grant: Grant) -> String {
        let id = self.rng.grant_id();
        grant.id.clone_from(&id);
        grant.seen_from = grant.seen_from.saturating_add(self.delay());
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
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion
                if self.settings.unconfirmed.pending_deletion_is_disabled =>
            {
                Err(disabled(&key.arn))
            }
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
                Err(invalid_state(&key.arn, "is pending deletion"))
            }
            KeyState::PendingImport => Err(invalid_state(&key.arn, "is pending import")),
            KeyState::Creating => Err(invalid_state(&key.arn, "is being created")),
        }
    }

    /// The grant that a named request repeats: everything identical, the name included.
    fn find_repeat(&self, key: &Key, wanted: &Grant, now: i64) -> Option<String> {
        let choice = &self.settings.unconfirmed;
        let ids = key.grants.by_name.get(wanted.name.as_deref()?)?;
        let then = self.view(now);
        let answers = |grant: &&Grant| match (grant.ended, choice.repeat_after_end) {
            (None, _) => !choice.twins_before_propagation || grant.seen(then),
            (Some(_), RepeatAfterEnd::NewGrant) => false,
            (Some(_), RepeatAfterEnd::DeadUntilPropagated) => grant.lingers(then),
            (Some(_), RepeatAfterEnd::DeadForEver) => true,
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
                && grant.issuing == wanted.issuing
                && grant.constraints == wanted.constraints
                && operations(grant)
        };
        let grants = ids.iter().filter_map(|id| key.grants.by_id.get(id).or(self.past.get(id)));
        let mut same: Vec<&Grant> = grants.filter(same).filter(answers).collect();
        // One that lives answers before one that is over.
        same.sort_by_key(|grant| grant.ended.is_some());
        same.first().map(|grant| grant.id.clone())
    }
}

pub(crate) fn disabled(arn: &str) -> KmsError {
    KmsError::refusal("DisabledException", format!("{arn} is disabled."))
}

pub(crate) fn invalid_state(arn: &str, how: &str) -> KmsError {
    KmsError::refusal("KMSInvalidStateException", format!("{arn} {how}."))
}
