//! The pure core: `(caller, operation, body, now)` → answer. No I/O, no clock, no chance but the
//! seed.
//!
//! `now` is Unix milliseconds and the time of KMS itself; callers pass it in ascending order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::error::KmsError;
use crate::journal::{Entry, Journal, Trace};
use crate::model::{End, Ended, Grant, Key};
use crate::op::Op;
use crate::principals::{Caller, Directory};
use crate::rng::Rng;
use crate::settings::Settings;

/// An embedded KMS. Plain data: `Send`, cloneable, without a lock.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) settings: Settings,
    pub(crate) rng: Rng,
    pub(crate) directory: Directory,
    /// By ARN.
    pub(crate) keys: BTreeMap<String, Key>,
    /// (account, alias name) → key ARN.
    pub(crate) aliases: BTreeMap<AliasPlace, Alias>,
    /// Changes of aliases that some endpoint has still to see, oldest first.
    pub(crate) alias_changes: VecDeque<AliasChange>,
    /// Grant id → key ARN, for every grant that ever was.
    pub(crate) homes: BTreeMap<String, String>,
    /// Retiring principal as given → (key ARN, grant id).
    pub(crate) retirable: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Ends that some view has still to see: (instant at which all have, key ARN, grant id).
    fading: BTreeSet<(i64, String, String)>,
    /// Grants whose end every view has seen.
    pub(crate) past: BTreeMap<String, Grant>,
    /// (account, operation) → (second, requests in it).
    meters: BTreeMap<(String, Op), (i64, u32)>,
    pub(crate) tally: BTreeMap<Op, Tally>,
    pub(crate) journal: Journal,
    pub(crate) trace: Trace,
    pub(crate) token_secret: [u8; 32],
    /// The time of the last call; `None` before the first, while the world is being set up.
    pub(crate) now: Option<i64>,
    /// How far the endpoint that answers this call is behind.
    lag: i64,
}

/// (account, alias name).
pub(crate) type AliasPlace = (String, String);

/// What an alias was before it was made, moved or deleted.
#[derive(Clone, Debug)]
pub(crate) struct AliasChange {
    pub(crate) at: i64,
    pub(crate) place: AliasPlace,
    pub(crate) before: Option<Alias>,
}

#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) key_arn: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// How many calls of one operation there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Accepted.
    pub accepted: u64,
    /// Refused, throttled ones included.
    pub refused: u64,
    /// Refused for the request quota.
    pub throttled: u64,
}

impl Core {
    /// An empty KMS: no keys, no principals but the roots of the accounts.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut rng = Rng::new(settings.seed);
        let token_secret = rng.block();
        Self {
            settings,
            rng,
            directory: Directory::default(),
            keys: BTreeMap::new(),
            aliases: BTreeMap::new(),
            alias_changes: VecDeque::new(),
            homes: BTreeMap::new(),
            retirable: BTreeMap::new(),
            fading: BTreeSet::new(),
            past: BTreeMap::new(),
            meters: BTreeMap::new(),
            tally: BTreeMap::new(),
            journal: Journal::default(),
            trace: Trace::default(),
            token_secret,
            now: None,
            lag: 0,
        }
    }

    /// Performs one call. `body` is the JSON body of the operation, with AWS's member names; so is
    /// the answer (STS operations too: the HTTP layer turns them into the query protocol).
    ///
    /// # Errors
    /// What KMS would answer, with its code and status.
    pub fn call(
        &mut self,
        caller: &Caller,
        op: Op,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        self.tick(now);
        self.lag = self.pick_endpoint();
        self.trace = Trace::default();
        let metered = self.recognise(caller, op).and_then(|()| self.meter(caller, op, now));
        let throttled = metered.as_ref().is_err_and(|e| e.code == "ThrottlingException");
        let answer = metered.and_then(|()| self.dispatch(caller, op, body, now));
        self.account_for(caller, op, now, answer.as_ref().err(), throttled);
        answer
    }

    fn dispatch(
        &mut self,
        caller: &Caller,
        op: Op,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        match op {
            Op::CreateKey => self.create_key(caller, body, now),
            Op::DescribeKey => self.describe_key(caller, body, now),
            Op::ListKeys => self.list_keys(caller, body),
            Op::EnableKey => self.enable_key(caller, body, now, true),
            Op::DisableKey => self.enable_key(caller, body, now, false),
            Op::ScheduleKeyDeletion => self.schedule_key_deletion(caller, body, now),
            Op::CancelKeyDeletion => self.cancel_key_deletion(caller, body, now),
            Op::GetKeyPolicy => self.get_key_policy(caller, body, now),
            Op::PutKeyPolicy => self.put_key_policy(caller, body, now),
            Op::CreateAlias => self.create_alias(caller, body, now),
            Op::UpdateAlias => self.update_alias(caller, body, now),
            Op::DeleteAlias => self.delete_alias(caller, body, now),
            Op::ListAliases => self.list_aliases(caller, body),
            Op::CreateGrant => self.create_grant(caller, body, now),
            Op::ListGrants => self.list_grants(caller, body, now),
            Op::ListRetirableGrants => self.list_retirable_grants(caller, body, now),
            Op::RetireGrant => self.retire_grant(caller, body, now),
            Op::RevokeGrant => self.revoke_grant(caller, body, now),
            Op::Encrypt => self.encrypt(caller, body, now),
            Op::Decrypt => self.decrypt(caller, body, now),
            Op::GenerateDataKey => self.generate_data_key(caller, body, now, true),
            Op::GenerateDataKeyWithoutPlaintext => self.generate_data_key(caller, body, now, false),
            Op::ReEncrypt => self.re_encrypt(caller, body, now),
            Op::AssumeRole => self.assume_role(caller, body, now),
            Op::GetCallerIdentity => Ok(Self::get_caller_identity(caller)),
        }
    }

    /// A caller whose user or role is gone, or was made again since, has credentials no longer.
    fn recognise(&self, caller: &Caller, op: Op) -> Result<(), KmsError> {
        let id = caller.unique_id();
        if id.is_none() || self.directory.unique_id(caller.principal()) == id {
            return Ok(());
        }
        let text = "The security token included in the request is invalid.";
        Err(if op.is_sts() {
            KmsError::forbidden("InvalidClientTokenId", text)
        } else {
            KmsError::refusal("UnrecognizedClientException", text)
        })
    }

    /// Quotas count the calling account, whoever owns the key, in whole seconds (kms-facts 5).
    fn meter(&mut self, caller: &Caller, op: Op, now: i64) -> Result<(), KmsError> {
        let Some(quota) = self.settings.quotas.get(&op) else {
            return Ok(());
        };
        let second = now.div_euclid(1_000);
        let meter = self.meters.entry((caller.account.clone(), op)).or_default();
        if meter.0 != second {
            *meter = (second, 0);
        }
        if meter.1 >= *quota {
            return Err(KmsError::throttled());
        }
        meter.1 += 1;
        Ok(())
    }

    /// The hot-key switch: state-changing calls on one key in one second.
    pub(crate) fn heat(&mut self, key_arn: &str, now: i64) -> Result<(), KmsError> {
        let Some(limit) = self.settings.unconfirmed.hot_key_per_second else {
            return Ok(());
        };
        let Some(key) = self.keys.get_mut(key_arn) else {
            return Ok(());
        };
        let second = now.div_euclid(1_000);
        if key.heat.0 != second {
            key.heat = (second, 0);
        }
        if key.heat.1 >= limit {
            return Err(KmsError::throttled());
        }
        key.heat.1 += 1;
        Ok(())
    }

    fn account_for(
        &mut self,
        caller: &Caller,
        op: Op,
        now: i64,
        error: Option<&KmsError>,
        throttled: bool,
    ) {
        let tally = self.tally.entry(op).or_default();
        tally.accepted += u64::from(error.is_none());
        tally.refused += u64::from(error.is_some());
        tally.throttled += u64::from(throttled);
        if !op.mutates() {
            return;
        }
        let trace = std::mem::take(&mut self.trace);
        let entry = Entry {
            seq: 0,
            at_ms: now,
            op,
            caller: caller.arn.clone(),
            key_arn: trace.key_arn,
            grant_id: trace.grant_id,
            name: trace.name,
            refused: error.map(|e| e.code.clone()),
            repeat: trace.repeat,
        };
        self.journal.push(entry, self.settings.journal_limit);
    }

    /// The instant at which the view of the answering endpoint stands.
    pub(crate) fn view(&self, now: i64) -> i64 {
        now - self.lag
    }

    /// How far the slowest endpoint is behind.
    pub(crate) fn greatest_lag(&self) -> i64 {
        self.settings.endpoint_lags_ms.iter().max().copied().unwrap_or(0).into()
    }

    fn pick_endpoint(&mut self) -> i64 {
        let lags = &self.settings.endpoint_lags_ms;
        let last = lags.len().saturating_sub(1);
        let chosen = match self.settings.answering_endpoint.filter(|chosen| *chosen <= last) {
            Some(chosen) => chosen,
            // With one endpoint there is nothing to draw.
            None => usize::try_from(self.rng.between(0, last as u64)).unwrap_or(0),
        };
        lags.get(chosen).copied().unwrap_or(0).into()
    }

    /// Brings the world to `now`: keys die at their deletion date, ends that all views have seen
    /// leave the views' indexes. Every call does it.
    pub fn tick(&mut self, now: i64) {
        self.now = Some(now);
        let dead: Vec<String> = self
            .keys
            .values()
            .filter(|key| key.deletion_at.is_some_and(|at| at <= now))
            .map(|key| key.arn.clone())
            .collect();
        for arn in dead {
            self.bury_key(&arn);
        }
        while let Some(first) = self.fading.first() {
            if first.0 > now {
                break;
            }
            if let Some((_, key_arn, id)) = self.fading.pop_first() {
                self.forget(&key_arn, &id);
            }
        }
    }

    fn bury_key(&mut self, arn: &str) {
        let Some(key) = self.keys.get(arn) else {
            return;
        };
        let at = key.deletion_at.unwrap_or(key.created_at);
        let ids: Vec<String> = key.grants.by_id.keys().cloned().collect();
        for id in ids {
            self.end(arn, &id, at, End::KeyDeleted, 0);
            self.forget(arn, &id);
        }
        self.aliases.retain(|_, alias| alias.key_arn != arn);
        self.keys.remove(arn);
    }

    fn forget(&mut self, key_arn: &str, id: &str) {
        let Some(grant) = self.keys.get_mut(key_arn).and_then(|key| key.grants.remove(id)) else {
            return;
        };
        if let Some(retiring) = &grant.retiring
            && let Some(places) = self.retirable.get_mut(&retiring.text)
        {
            places.remove(&(key_arn.to_owned(), id.to_owned()));
        }
        self.past.insert(id.to_owned(), grant);
    }

    /// Ends a living grant; nothing if it is over already.
    pub(crate) fn end(&mut self, key_arn: &str, id: &str, at: i64, how: End, delay_ms: i64) {
        let slowest = self.greatest_lag();
        let Some(key) = self.keys.get_mut(key_arn) else {
            return;
        };
        let Some(grant) = key.grants.by_id.get_mut(id) else {
            return;
        };
        if grant.ended.is_some() {
            return;
        }
        let unseen_from = (at + delay_ms).max(grant.seen_from);
        grant.ended = Some(Ended { at, unseen_from, how });
        key.grants.alive -= 1;
        let gone = unseen_from + slowest;
        self.fading.insert((gone, key_arn.to_owned(), id.to_owned()));
        if self.settings.unconfirmed.children_end_with_parent {
            for child in key.grants.children(id) {
                self.end(key_arn, &child, at, End::WithParent, delay_ms);
            }
        }
    }

    /// A propagation delay for one mutation.
    pub(crate) fn delay(&mut self) -> i64 {
        let range = self.settings.propagation;
        let ms = self.rng.between(range.min_ms.into(), range.max_ms.into());
        i64::try_from(ms).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests;
