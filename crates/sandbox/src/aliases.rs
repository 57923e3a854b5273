//! Aliases: names of keys, one account's own.

use serde_json::{Value, json};

use crate::arn::alias_arn;
use crate::authorise::Brings;
use crate::core::{Alias, Core};
use crate::error::KmsError;
use crate::op::Op;
use crate::params::{KEY_ID, MARKER, Params, Text};
use crate::principals::Caller;
use crate::time;

const NAME: Text = Text { min: 1, max: 256, pattern: Some((r"^alias/[a-zA-Z0-9/_-]+$", is_alias)) };
/// `ListAliases` pages: 1 to 100, 50 where none is asked for.
const PAGE: (i64, usize) = (100, 50);

impl Core {
    pub(crate) fn create_alias(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let (name, arn) = self.alias_target(caller, body, Op::CreateAlias, now)?;
        let place = (caller.account.clone(), name);
        if self.aliases.contains_key(&place) {
            let existing = alias_arn(&self.settings.region, &place.0, &place.1);
            return Err(KmsError::refusal(
                "AlreadyExistsException",
                format!("An alias with the name {existing} already exists"),
            ));
        }
        self.aliases.insert(place, Alias { key_arn: arn, created_at: now, updated_at: now });
        Ok(json!({}))
    }

    pub(crate) fn update_alias(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let (name, arn) = self.alias_target(caller, body, Op::UpdateAlias, now)?;
        let alias = self.own_alias(caller, name)?;
        alias.key_arn = arn;
        alias.updated_at = now;
        Ok(json!({}))
    }

    pub(crate) fn delete_alias(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let name = p.needed("AliasName", NAME)?.to_owned();
        p.finish()?;
        let arn = self.own_alias(caller, name.clone())?.key_arn.clone();
        self.trace.key_arn = Some(arn.clone());
        self.authorise(caller, self.key(&arn)?, Op::DeleteAlias, &Brings::default(), now)?;
        self.aliases.remove(&(caller.account.clone(), name));
        Ok(json!({}))
    }

    fn own_alias(&mut self, caller: &Caller, name: String) -> Result<&mut Alias, KmsError> {
        let arn = alias_arn(&self.settings.region, &caller.account, &name);
        let alias = self.aliases.get_mut(&(caller.account.clone(), name));
        alias.ok_or_else(|| KmsError::not_found(format!("Alias {arn} is not found.")))
    }

    /// Name and key of a request that points an alias somewhere.
    fn alias_target(
        &mut self,
        caller: &Caller,
        body: &Value,
        op: Op,
        now: i64,
    ) -> Result<(String, String), KmsError> {
        let mut p = Params::of(body)?;
        let name = p.needed("AliasName", NAME)?;
        let key_id = p.needed("TargetKeyId", KEY_ID)?;
        p.finish()?;
        if name.starts_with("alias/aws/") {
            return Err(KmsError::refusal(
                "NotAuthorizedException",
                "alias/aws/ is reserved for AWS",
            ));
        }
        let arn = self.enter(caller, key_id, false)?;
        let key = self.key(&arn)?;
        self.authorise(caller, key, op, &Brings::default(), now)?;
        if key.account != caller.account {
            return Err(KmsError::validation("An alias and its key must be in the same account"));
        }
        Ok((name.to_owned(), arn))
    }

    pub(crate) fn list_aliases(&self, caller: &Caller, body: &Value) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.text("KeyId", KEY_ID)?;
        let limit = p.number("Limit", 1, PAGE.0)?;
        let marker = p.text("Marker", MARKER)?;
        p.finish()?;
        self.authorise_account(caller, Op::ListAliases)?;
        let only = match key_id {
            Some(key_id) => Some(self.find_key(caller, key_id, false)?.arn.clone()),
            None => None,
        };
        let limit = limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(PAGE.1);
        let wanted = |((account, name), alias): &(&(String, String), &Alias)| {
            *account == caller.account
                && marker.is_none_or(|m| name.as_str() > m)
                && only.as_ref().is_none_or(|arn| *arn == alias.key_arn)
        };
        let mut rest = self.aliases.iter().filter(wanted);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let truncated = rest.next().is_some();
        let entry = |((account, name), alias): &(&(String, String), &Alias)| {
            let id = alias.key_arn.rsplit('/').next().unwrap_or_default();
            json!({
                "AliasName": name,
                "AliasArn": alias_arn(&self.settings.region, account, name),
                "TargetKeyId": id,
                "CreationDate": time::epoch(alias.created_at),
                "LastUpdatedDate": time::epoch(alias.updated_at),
            })
        };
        let shown: Vec<Value> = page.iter().map(entry).collect();
        let mut answer = json!({ "Aliases": shown, "Truncated": truncated });
        if truncated && let Some(((_, name), _)) = page.last() {
            answer["NextMarker"] = json!(name);
        }
        Ok(answer)
    }
}

fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
    })
}

#[cfg(test)]
mod tests;
