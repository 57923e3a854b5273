//! RetireGrant and RevokeGrant (kms-facts 3): both work in every state of the key.

use serde_json::{Value, json};

use crate::arn::{KeyRef, root_arn};
use crate::authorise::{Brings, denied};
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::list::no_grant;
use crate::model::{End, Grant};
use crate::op::Op;
use crate::params::{GRANT_ID, GRANT_TOKEN, KEY_ID, Params};
use crate::principals::Caller;

impl Core {
    pub(crate) fn retire_grant(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let token = p.text("GrantToken", GRANT_TOKEN)?;
        let key_id = p.text("KeyId", KEY_ID)?;
        let id = p.text("GrantId", GRANT_ID)?;
        let dry_run = p.flag("DryRun")?;
        p.finish()?;
        self.trace.grant_id = id.map(str::to_owned);
        let by_token = token.is_some();
        let grant = match (token, key_id, id) {
            (Some(token), None, None) => self.grant_of_token(token)?,
            (None, Some(key_id), Some(id)) => {
                let bare_is_fine = self.settings.unconfirmed.retire_takes_bare_key_id;
                if !bare_is_fine && matches!(KeyRef::parse(key_id), KeyRef::Id(_)) {
                    return Err(KmsError::invalid_arn(format!("Invalid arn {key_id}")));
                }
                let key_arn = self.enter(caller, key_id, false)?;
                self.seen_grant(caller, Op::RetireGrant, self.key(&key_arn)?, id, now)?
            }
            _ => {
                return Err(KmsError::validation(
                    "Either the GrantToken, or both of KeyId and GrantId, must be given",
                ));
            }
        };
        let (key_arn, id, name) = (grant.key_arn.clone(), grant.id.clone(), grant.name.clone());
        let allowed = self.may_retire(caller, grant, by_token);
        self.trace.key_arn = Some(key_arn.clone());
        self.trace.grant_id = Some(id.clone());
        self.trace.name = name;
        if !allowed {
            let why = "because no grant allows the kms:RetireGrant action";
            return Err(denied(caller, Op::RetireGrant.action(), &key_arn, why));
        }
        if dry_run {
            return Err(KmsError::dry_run());
        }
        self.heat(&key_arn, now)?;
        let delay = self.delay();
        self.end(&key_arn, &id, now, End::Retired, delay);
        Ok(json!({}))
    }

    /// The grant behind a token: also before it has propagated, which is what the token is for.
    fn grant_of_token(&self, token: &str) -> Result<&Grant, KmsError> {
        let id = self.read_token(token)?;
        let alive = self.present_grant(&id).filter(|grant| grant.ended.is_none());
        alive.ok_or_else(|| {
            if self.settings.unconfirmed.spent_token_is_invalid {
                KmsError::invalid_grant_token()
            } else {
                no_grant(&id)
            }
        })
    }

    /// The grant itself says who may retire it: its retiring principal, its grantee if RetireGrant
    /// is among the operations, and the account it was issued under (its root, and whom that
    /// account lets by IAM). A key policy has no say; an IAM deny has.
    fn may_retire(&self, caller: &Caller, grant: &Grant, by_token: bool) -> bool {
        let action = Op::RetireGrant.action();
        if self.directory.iam_denies(caller, action) {
            return false;
        }
        let retiring = grant.retiring.as_ref().is_some_and(|who| self.holds(who, caller, action));
        let grantee =
            grant.operations.contains(&"RetireGrant") && self.holds(&grant.grantee, caller, action);
        let issuer = root_arn(&caller.account) == grant.issuing
            && (by_token || !self.settings.unconfirmed.issuer_needs_the_token)
            && self.directory.iam_allows(caller, action);
        retiring || grantee || issuer
    }

    pub(crate) fn revoke_grant(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let id = p.needed("GrantId", GRANT_ID)?;
        let dry_run = p.flag("DryRun")?;
        p.finish()?;
        self.trace.grant_id = Some(id.to_owned());
        let key_arn = self.enter(caller, key_id, false)?;
        let key = self.key(&key_arn)?;
        self.authorise(caller, key, Op::RevokeGrant.action(), &Brings::default(), now)?;
        let name = self.seen_grant(caller, Op::RevokeGrant, key, id, now)?.name.clone();
        self.trace.name = name;
        if dry_run {
            return Err(KmsError::dry_run());
        }
        self.heat(&key_arn, now)?;
        let delay = self.delay();
        self.end(&key_arn, id, now, End::Revoked, delay);
        Ok(json!({}))
    }
}
