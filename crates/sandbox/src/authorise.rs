//! Who may do what: key policy, the caller's IAM policy, and grants, in KMS's order.

use std::collections::BTreeMap;

use crate::arn::{self, KeyRef, Principal};
use crate::core::Core;
use crate::error::KmsError;
use crate::model::{Constraints, Grant, Holder, Key};
use crate::op::Op;
use crate::policy::Verdict;
use crate::principals::{Caller, CallerKind};

/// What makes a call allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    Policy,
    /// A grant, by its id. CreateGrant needs to know whose child it makes.
    Grant(String),
}

/// What a caller brings besides himself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brings<'a> {
    /// The encryption context; `None` for operations that have none (constraints do not apply
    /// there).
    pub(crate) context: Option<&'a BTreeMap<String, String>>,
    pub(crate) tokens: &'a [&'a str],
    /// What a new grant is to give: one that allows its making must give as much.
    pub(crate) child: Option<(&'a [&'static str], &'a Constraints)>,
}

impl Core {
    /// The key that a `KeyId` names. Aliases count only where the operation takes them.
    pub(crate) fn find_key(
        &self,
        caller: &Caller,
        key_id: &str,
        aliases: bool,
    ) -> Result<&Key, KmsError> {
        let region = &self.settings.region;
        let no_alias = |arn: &str| KmsError::not_found(format!("Alias {arn} is not found."));
        let by_alias = |account: &str, name: &str| {
            let alias = self.alias_seen(&(account.to_owned(), name.to_owned()));
            let key = alias.and_then(|alias| self.keys.get(&alias.key_arn));
            key.ok_or_else(|| no_alias(&arn::alias_arn(region, account, name)))
        };
        match KeyRef::parse(key_id) {
            KeyRef::Malformed => Err(KmsError::invalid_arn(format!("Invalid arn {key_id}"))),
            KeyRef::Id(id) => {
                let arn = arn::key_arn(region, &caller.account, id);
                let known = || {
                    if plausible(id) { no_key(&arn) } else { invalid_key_id(id) }
                };
                self.keys.get(&arn).ok_or_else(known)
            }
            KeyRef::Alias(name) if aliases => by_alias(&caller.account, name),
            KeyRef::Alias(_) => Err(invalid_key_id(key_id)),
            KeyRef::Arn { region: other, .. } if other != region => {
                Err(KmsError::not_found(format!("Invalid arn {other}")))
            }
            KeyRef::Arn { account, resource, .. } if resource.starts_with("alias/") => {
                if aliases {
                    by_alias(account, resource)
                } else {
                    Err(invalid_key_id(key_id))
                }
            }
            KeyRef::Arn { .. } => self.keys.get(key_id).ok_or_else(|| no_key(key_id)),
        }
    }

    /// The ARN of the key that a request names; noted for the journal.
    pub(crate) fn enter(
        &mut self,
        caller: &Caller,
        key_id: &str,
        aliases: bool,
    ) -> Result<String, KmsError> {
        let arn = self.find_key(caller, key_id, aliases)?.arn.clone();
        self.trace.key_arn = Some(arn.clone());
        Ok(arn)
    }

    pub(crate) fn key(&self, arn: &str) -> Result<&Key, KmsError> {
        self.keys.get(arn).ok_or_else(|| no_key(arn))
    }

    /// Whether the caller may do `action` (such as `kms:Decrypt`) on the key, and why.
    pub(crate) fn authorise(
        &self,
        caller: &Caller,
        key: &Key,
        action: &str,
        brings: &Brings<'_>,
        now: i64,
    ) -> Result<Basis, KmsError> {
        let offered = self.tokens_to_grants(brings.tokens, now)?;
        let verdict = key.policy.verdict(caller, action);
        if verdict == Verdict::Denied {
            return Err(denied(
                caller,
                action,
                &key.arn,
                "with an explicit deny in a resource-based policy",
            ));
        }
        if self.directory.iam_denies(caller, action) {
            return Err(denied(
                caller,
                action,
                &key.arn,
                "with an explicit deny in an identity-based policy",
            ));
        }
        let own_side = self.directory.iam_allows(caller, action);
        let by_policy = match verdict {
            Verdict::Allowed => caller.account == key.account || own_side,
            Verdict::Delegated => own_side,
            Verdict::Silent | Verdict::Denied => false,
        };
        if by_policy {
            return Ok(Basis::Policy);
        }
        if let Some(grant) = self.covering_grant(caller, key, action, brings, &offered, now) {
            return Ok(Basis::Grant(grant.id.clone()));
        }
        let missing = if verdict == Verdict::Delegated { "identity" } else { "resource" };
        let why = format!("because no {missing}-based policy allows the {action} action");
        Err(denied(caller, action, &key.arn, &why))
    }

    fn covering_grant<'k>(
        &self,
        caller: &Caller,
        key: &'k Key,
        action: &str,
        brings: &Brings<'_>,
        offered: &[String],
        now: i64,
    ) -> Option<&'k Grant> {
        let ignore_case = self.settings.unconfirmed.context_keys_ignore_case;
        let operation = action.strip_prefix("kms:")?;
        let root = arn::root_arn(&caller.account);
        let candidates = [caller.principal(), caller.arn(), &root];
        let ids = candidates.iter().filter_map(|text| key.grants.by_grantee.get(*text)).flatten();
        ids.filter_map(|id| key.grants.by_id.get(id)).find(|grant| {
            let valid = offered.contains(&grant.id) || grant.seen(self.view(now));
            let fits = brings.context.is_none_or(|c| grant.constraints.admit(c, ignore_case));
            let handed_on = brings.child.is_none_or(|(operations, constraints)| {
                operations.iter().all(|op| grant.operations.contains(op))
                    && grant.constraints.admit_child(constraints)
            });
            valid
                && fits
                && handed_on
                && grant.operations.contains(&operation)
                && self.holds(&grant.grantee, caller, action)
        })
    }

    /// Whether the caller is the principal that a grant names. The root of an account stands for
    /// those of its principals whose own policy allows the action.
    pub(crate) fn holds(&self, holder: &Holder, caller: &Caller, action: &str) -> bool {
        if holder.service {
            return false;
        }
        match Principal::parse(&holder.text) {
            Some(Principal::Root { account }) => {
                caller.account == account && self.directory.iam_allows(caller, action)
            }
            Some(Principal::User { .. } | Principal::Role { .. }) => {
                caller.principal() == holder.text
                    && caller.unique_id() == holder.unique_id.as_deref()
            }
            Some(Principal::Session { .. }) => {
                caller.arn == holder.text && caller.unique_id() == holder.unique_id.as_deref()
            }
            Some(Principal::Federated { .. }) | None => false,
        }
    }

    /// For operations about no key in particular (`Resource: *`): the caller's own policy decides.
    pub(crate) fn authorise_account(&self, caller: &Caller, op: Op) -> Result<(), KmsError> {
        let action = op.action();
        if self.directory.iam_allows(caller, action) {
            return Ok(());
        }
        let why = format!("because no identity-based policy allows the {action} action");
        Err(denied(caller, action, "*", &why))
    }

    /// A principal named in a request: known, or refused as KMS refuses a role it cannot see yet.
    pub(crate) fn holder(&self, text: &str, now: i64) -> Result<Holder, KmsError> {
        let unknown = || KmsError::invalid_arn(format!("Invalid principal: {text}"));
        let unique_id = match Principal::parse(text).ok_or_else(unknown)? {
            Principal::Root { account } | Principal::Federated { account } => {
                self.settings.accounts.contains(&account).then_some(None).ok_or_else(unknown)?
            }
            Principal::User { .. } | Principal::Role { .. } | Principal::Session { .. } => {
                let old_enough = self.settings.new_principals.unknown_ms;
                let identity = self.directory.identity(text).ok_or_else(unknown)?;
                if identity.younger(old_enough, now) {
                    return Err(unknown());
                }
                Some(identity.id.clone())
            }
        };
        Ok(Holder { text: text.to_owned(), service: false, unique_id })
    }

    /// Whether an ARN means another principal than it did when the grant was made, or none.
    pub(crate) fn decayed(&self, holder: &Holder) -> bool {
        let today = self.directory.unique_id(&holder.text);
        holder.unique_id.is_some() && today != holder.unique_id.as_deref()
    }

    /// As the listings show a principal: by its unique id where the ARN has decayed, or the
    /// principal is new (kms-facts 2).
    pub(crate) fn shown(&self, holder: &Holder, now: i64) -> String {
        let Some(id) = &holder.unique_id else {
            return holder.text.clone();
        };
        let fresh = self.settings.new_principals.shown_as_id_ms;
        let new = self.directory.identity(&holder.text).is_some_and(|i| i.younger(fresh, now));
        match Principal::parse(&holder.text) {
            _ if !new && !self.decayed(holder) => holder.text.clone(),
            Some(Principal::Session { session, .. }) => format!("{id}:{session}"),
            Some(_) | None => id.clone(),
        }
    }
}

impl CallerKind {
    pub(crate) fn is_root(&self) -> bool {
        *self == Self::Root
    }
}

pub(crate) fn denied(caller: &Caller, action: &str, resource: &str, why: &str) -> KmsError {
    let who = caller.arn();
    let text =
        format!("User: {who} is not authorized to perform: {action} on resource: {resource} {why}");
    KmsError::refusal("AccessDeniedException", text)
}

fn no_key(arn: &str) -> KmsError {
    KmsError::not_found(format!("Key '{arn}' does not exist"))
}

fn invalid_key_id(id: &str) -> KmsError {
    KmsError::not_found(format!("Invalid keyId '{id}'"))
}

/// A UUID, or the id of a multi-Region key.
fn plausible(id: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if let Some(rest) = id.strip_prefix("mrk-") {
        return rest.len() == 32 && hex(rest);
    }
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|g| hex(g))
}
