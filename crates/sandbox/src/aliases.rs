//! Aliases: names of keys, one account's own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::arn::alias_arn;
use crate::authorise::Brings;
use crate::core::{Alias, AliasChange, AliasPlace, Core};
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
        let made = Alias { key_arn: arn, created_at: now, updated_at: now };
        self.set_alias(place, Some(made), now);
        Ok(json!({}))
    }

    pub(crate) fn update_alias(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let (name, arn) = self.alias_target(caller, body, Op::UpdateAlias, now)?;
        // The key that loses the alias has a say as well.
        let alias = self.own_alias(caller, &name)?;
        let (key, created_at) = (self.key(&alias.key_arn)?, alias.created_at);
        self.authorise(caller, key, Op::UpdateAlias.action(), &Brings::default(), now)?;
        let moved = Alias { key_arn: arn, created_at, updated_at: now };
        self.set_alias((caller.account.clone(), name), Some(moved), now);
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
        refuse_reserved(&name)?;
        let arn = self.own_alias(caller, &name)?.key_arn.clone();
        self.trace.key_arn = Some(arn.clone());
        self.authorise(caller, self.key(&arn)?, Op::DeleteAlias.action(), &Brings::default(), now)?;
        self.set_alias((caller.account.clone(), name), None, now);
        Ok(json!({}))
    }

    fn own_alias(&self, caller: &Caller, name: &str) -> Result<&Alias, KmsError> {
        let alias = self.aliases.get(&(caller.account.clone(), name.to_owned()));
        let arn = || alias_arn(&self.settings.region, &caller.account, name);
        alias.ok_or_else(|| KmsError::not_found(format!("Alias {} is not found.", arn())))
    }

    /// Makes, moves or deletes an alias; endpoints that lag show what was before.
    pub(crate) fn set_alias(&mut self, place: AliasPlace, alias: Option<Alias>, now: i64) {
        let seen_by_all = now - self.greatest_lag();
        while self.alias_changes.front().is_some_and(|change| change.at <= seen_by_all) {
            self.alias_changes.pop_front();
        }
        let before = match alias {
            Some(alias) => self.aliases.insert(place.clone(), alias),
            None => self.aliases.remove(&place),
        };
        self.alias_changes.push_back(AliasChange { at: now, place, before });
    }

    /// The alias as the answering endpoint knows it.
    pub(crate) fn alias_seen(&self, place: &AliasPlace) -> Option<&Alias> {
        let then = self.view(self.now.unwrap_or_default());
        let unseen = |change: &&AliasChange| change.at > then && change.place == *place;
        match self.alias_changes.iter().find(unseen) {
            Some(change) => change.before.as_ref(),
            None => self.aliases.get(place),
        }
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
        refuse_reserved(name)?;
        let arn = self.enter(caller, key_id, false)?;
        let key = self.key(&arn)?;
        self.authorise(caller, key, op.action(), &Brings::default(), now)?;
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
        let after = |name: &str| marker.is_none_or(|m| name > m);
        let of_key = |alias: &Alias| only.as_ref().is_none_or(|arn| *arn == alias.key_arn);
        let changed = self.alias_changes.iter().map(|change| &change.place);
        let own =
            self.aliases.keys().chain(changed).filter(|(account, _)| *account == caller.account);
        let seen = own.filter_map(|place| Some((place.1.as_str(), self.alias_seen(place)?)));
        let mut all: BTreeMap<&str, Option<&Alias>> =
            seen.filter(|(_, a)| of_key(a)).map(|(name, alias)| (name, Some(alias))).collect();
        // AWS's own aliases belong to no key before somebody describes them.
        if only.is_none() {
            for name in &self.settings.predefined_aliases {
                all.entry(name).or_insert(None);
            }
        }
        let mut rest = all.into_iter().filter(|(name, _)| after(name));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let truncated = rest.next().is_some();
        let shown: Vec<Value> =
            page.iter().map(|(name, alias)| self.show_alias(caller, name, *alias)).collect();
        let mut answer = json!({ "Aliases": shown, "Truncated": truncated });
        if truncated && let Some((name, _)) = page.last() {
            answer["NextMarker"] = json!(name);
        }
        Ok(answer)
    }

    fn show_alias(&self, caller: &Caller, name: &str, alias: Option<&Alias>) -> Value {
        let arn = alias_arn(&self.settings.region, &caller.account, name);
        let mut shown = json!({ "AliasName": name, "AliasArn": arn });
        if let Some(alias) = alias {
            shown["TargetKeyId"] = json!(alias.key_arn.rsplit('/').next().unwrap_or_default());
            shown["CreationDate"] = json!(time::epoch(alias.created_at));
            shown["LastUpdatedDate"] = json!(time::epoch(alias.updated_at));
        }
        shown
    }
}

fn refuse_reserved(name: &str) -> Result<(), KmsError> {
    if name.starts_with("alias/aws/") {
        return Err(KmsError::refusal("NotAuthorizedException", "alias/aws/ is reserved for AWS"));
    }
    Ok(())
}

fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
    })
}

#[cfg(test)]
mod tests;
