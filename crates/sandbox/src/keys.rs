//! Keys: making, describing and listing them, their states and policies.

use serde_json::{Value, json};

use crate::arn;
use crate::authorise::Brings;
use crate::core::{Alias, Core};
use crate::error::KmsError;
use crate::grants::create::invalid_state;
use crate::keyspec::KeySpec;
use crate::model::{Grants, Key, KeyState};
use crate::op::Op;
use crate::params::{GRANT_TOKEN, KEY_ID, MARKER, Params, Text};
use crate::policy::KeyPolicy;
use crate::principals::Caller;
use crate::time;

/// A deletion is scheduled 7 to 30 days ahead, 30 where nothing is said (the model).
const PENDING_DAYS: (i64, i64, i64) = (7, 30, 30);
const DAY_MS: i64 = 86_400_000;
/// `ListKeys` pages: 1 to 1,000, 100 where none is asked for.
const KEYS_PAGE: (i64, usize) = (1_000, 100);
const POLICY: Text = Text::length(1, 131_072);

impl Core {
    pub(crate) fn create_key(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let any = Text::length(0, 8192);
        let spec = p.text("KeySpec", any)?.or(p.text("CustomerMasterKeySpec", any)?);
        let usage = p.text("KeyUsage", any)?;
        let origin = p.one_of("Origin", &["AWS_KMS", "EXTERNAL"])?.unwrap_or("AWS_KMS");
        let description = p.text("Description", any)?.unwrap_or_default().to_owned();
        let policy = p.text("Policy", POLICY)?;
        let multi_region = p.flag("MultiRegion")?;
        p.finish()?;
        self.authorise_account(caller, Op::CreateKey)?;
        let spec =
            KeySpec::find(spec.unwrap_or("SYMMETRIC_DEFAULT"), usage.unwrap_or("ENCRYPT_DECRYPT"))
                .ok_or_else(|| {
                    KmsError::validation("KeySpec and KeyUsage do not fit each other")
                })?;
        let policy = match policy {
            Some(text) => KeyPolicy::parse(text)?,
            None => KeyPolicy::delegating(&caller.account, &["kms:*"]),
        };
        let external = origin == "EXTERNAL";
        let key = Key {
            state: if external { KeyState::PendingImport } else { KeyState::Enabled },
            external,
            multi_region,
            description,
            ..self.new_key(&caller.account, spec, policy, now)
        };
        let id = if multi_region { format!("mrk-{}", key.id.replace('-', "")) } else { key.id };
        let arn = arn::key_arn(&self.settings.region, &caller.account, &id);
        let key = Key { id, arn: arn.clone(), ..key };
        let answer = json!({ "KeyMetadata": self.metadata(&key) });
        self.trace.key_arn = Some(arn.clone());
        self.keys.insert(arn, key);
        Ok(answer)
    }

    /// An ordinary key of an account, not yet kept.
    fn new_key(&mut self, account: &str, spec: KeySpec, policy: KeyPolicy, now: i64) -> Key {
        let id = self.rng.uuid();
        Key {
            arn: arn::key_arn(&self.settings.region, account, &id),
            id,
            account: account.to_owned(),
            spec,
            state: KeyState::Enabled,
            external: false,
            aws_managed: false,
            multi_region: false,
            description: String::new(),
            created_at: now,
            deletion_at: None,
            policy,
            material: self.rng.block(),
            grants: Grants::default(),
            heat: (0, 0),
        }
    }

    pub(crate) fn describe_key(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let tokens = p.list("GrantTokens", 10, GRANT_TOKEN)?.unwrap_or_default();
        p.finish()?;
        self.provide_managed_key(caller, key_id, now);
        let key = self.find_key(caller, key_id, true)?;
        let brings = Brings { tokens: &tokens, ..Brings::default() };
        self.authorise(caller, key, Op::DescribeKey.action(), &brings, now)?;
        Ok(json!({ "KeyMetadata": self.metadata(key) }))
    }

    pub(crate) fn list_keys(&self, caller: &Caller, body: &Value) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let limit = p.number("Limit", 1, KEYS_PAGE.0)?;
        let marker = p.text("Marker", MARKER)?.map(str::to_owned);
        let own = read_owners(&mut p)?;
        p.finish()?;
        self.authorise_account(caller, Op::ListKeys)?;
        if !own {
            return Ok(nothing_shared(marker.as_deref()));
        }
        let limit = limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(KEYS_PAGE.1);
        let own = self.keys.values().filter(|key| key.account == caller.account);
        let mut rest = own.filter(|key| marker.as_ref().is_none_or(|m| key.arn > *m));
        let page: Vec<&Key> = rest.by_ref().take(limit).collect();
        let truncated = rest.next().is_some();
        let entry = |key: &&Key| json!({ "KeyId": key.id, "KeyArn": key.arn });
        let mut answer =
            json!({ "Keys": page.iter().map(entry).collect::<Vec<_>>(), "Truncated": truncated });
        if truncated && let Some(last) = page.last() {
            answer["NextMarker"] = json!(last.arn);
        }
        Ok(answer)
    }

    /// The key for an operation that changes it.
    fn open_key(
        &mut self,
        caller: &Caller,
        op: Op,
        key_id: &str,
        now: i64,
    ) -> Result<&mut Key, KmsError> {
        let arn = self.enter(caller, key_id, false)?;
        self.authorise(caller, self.key(&arn)?, op.action(), &Brings::default(), now)?;
        self.keys
            .get_mut(&arn)
            .ok_or_else(|| KmsError::not_found(format!("Key '{arn}' does not exist")))
    }

    pub(crate) fn enable_key(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
        enable: bool,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        p.finish()?;
        let op = if enable { Op::EnableKey } else { Op::DisableKey };
        let key = self.open_key(caller, op, key_id, now)?;
        match key.state {
            KeyState::Enabled | KeyState::Disabled => {
                key.state = if enable { KeyState::Enabled } else { KeyState::Disabled };
                Ok(json!({}))
            }
            KeyState::PendingDeletion
            | KeyState::PendingReplicaDeletion
            | KeyState::PendingImport
            | KeyState::Unavailable
            | KeyState::Creating
            | KeyState::Updating => {
                Err(invalid_state(&key.arn, &format!("is {}", key.state.name())))
            }
        }
    }

    pub(crate) fn schedule_key_deletion(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let (least, most, usual) = PENDING_DAYS;
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let days = p.number("PendingWindowInDays", least, most)?.unwrap_or(usual);
        p.finish()?;
        let key = self.open_key(caller, Op::ScheduleKeyDeletion, key_id, now)?;
        if key.state == KeyState::PendingDeletion {
            return Err(invalid_state(&key.arn, "is pending deletion"));
        }
        let at = now + days * DAY_MS;
        key.state = KeyState::PendingDeletion;
        key.deletion_at = Some(at);
        Ok(json!({
            "KeyId": key.arn,
            "DeletionDate": time::epoch(at),
            "KeyState": key.state.name(),
            "PendingWindowInDays": days,
        }))
    }

    pub(crate) fn cancel_key_deletion(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        p.finish()?;
        let key = self.open_key(caller, Op::CancelKeyDeletion, key_id, now)?;
        if key.state != KeyState::PendingDeletion {
            return Err(invalid_state(&key.arn, "is not pending deletion"));
        }
        key.state = KeyState::Disabled;
        key.deletion_at = None;
        Ok(json!({ "KeyId": key.arn }))
    }

    pub(crate) fn get_key_policy(
        &self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        p.finish()?;
        let key = self.find_key(caller, key_id, false)?;
        self.authorise(caller, key, Op::GetKeyPolicy.action(), &Brings::default(), now)?;
        Ok(json!({ "Policy": key.policy.text, "PolicyName": "default" }))
    }

    pub(crate) fn put_key_policy(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let policy = p.needed("Policy", POLICY)?;
        p.finish()?;
        let key = self.open_key(caller, Op::PutKeyPolicy, key_id, now)?;
        key.policy = KeyPolicy::parse(policy)?;
        Ok(json!({}))
    }
}

/// Whether ListKeys is asked for the account's own keys: it is, unless `ResourceOwners` says
/// otherwise.
fn read_owners(p: &mut Params<'_>) -> Result<bool, KmsError> {
    const OWNERS: [&str; 2] = ["SELF", "OTHER_ACCOUNTS_VIA_RAM"];
    let Some(owners) = p.list("ResourceOwners", OWNERS.len(), Text::length(0, 64))? else {
        return Ok(true);
    };
    let shown = format!("[{}]", owners.join(", "));
    if owners.is_empty() {
        p.problem("resourceOwners", &shown, "Member must have length greater than or equal to 1");
    }
    if owners.iter().any(|owner| !OWNERS.contains(owner)) {
        let set = format!("Member must satisfy enum value set: [{}]", OWNERS.join(", "));
        p.problem("resourceOwners", &shown, &set);
    }
    Ok(owners.contains(&"SELF"))
}

/// No account shares keys here, and AWS takes two pages to say so: the first is empty and
/// `Truncated` all the same (kms-facts 2).
fn nothing_shared(marker: Option<&str>) -> Value {
    const NEXT: &str = "shared";
    if marker == Some(NEXT) {
        json!({ "Keys": [], "Truncated": false })
    } else {
        json!({ "Keys": [], "Truncated": true, "NextMarker": NEXT })
    }
}

impl Core {
    /// Who describes one of AWS's own aliases that has no key yet makes AWS make the key
    /// (kms-facts 2).
    fn provide_managed_key(&mut self, caller: &Caller, key_id: &str, now: i64) {
        let own = arn::alias_arn(&self.settings.region, &caller.account, "");
        let name = key_id.strip_prefix(&own).unwrap_or(key_id).to_owned();
        let place = (caller.account.clone(), name);
        let predefined = self.settings.predefined_aliases.contains(&place.1);
        if !predefined || self.aliases.contains_key(&place) {
            return;
        }
        let Some(spec) = KeySpec::find("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") else {
            return;
        };
        // What the account may do with such a key itself; using it is its service's business.
        let own = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"];
        let policy = KeyPolicy::delegating(&caller.account, &own);
        let key = Key { aws_managed: true, ..self.new_key(&caller.account, spec, policy, now) };
        let alias = Alias { key_arn: key.arn.clone(), created_at: now, updated_at: now };
        self.set_alias(place, Some(alias), now);
        self.keys.insert(key.arn.clone(), key);
    }

    fn metadata(&self, key: &Key) -> Value {
        let mut shown = json!({
            "AWSAccountId": key.account,
            "KeyId": key.id,
            "Arn": key.arn,
            "CreationDate": time::epoch(key.created_at),
            "Enabled": key.state == KeyState::Enabled,
            "Description": key.description,
            "KeyUsage": key.spec.usage,
            "KeyState": key.state.name(),
            "Origin": if key.external { "EXTERNAL" } else { "AWS_KMS" },
            "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
            "CustomerMasterKeySpec": key.spec.spec,
            "KeySpec": key.spec.spec,
            "MultiRegion": key.multi_region,
        });
        if key.spec.is_symmetric() {
            shown["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]);
        }
        if key.multi_region {
            let primary = json!({ "Arn": key.arn, "Region": self.settings.region });
            shown["MultiRegionConfiguration"] = json!({ "MultiRegionKeyType": "PRIMARY", "PrimaryKey": primary, "ReplicaKeys": [] });
        }
        if let Some(at) = key.deletion_at {
            shown["DeletionDate"] = json!(time::epoch(at));
        }
        shown
    }
}

#[cfg(test)]
mod tests;
