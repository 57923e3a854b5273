//! Who may call: users, roles, their sessions, and the access keys that prove it.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::Principal;
use crate::core::Core;

/// An authenticated caller. Make one with [`Core::caller`], or from an access key over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) kind: CallerKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallerKind {
    Root,
    User { id: String },
    Session { role: String, id: String, session: String },
}

impl Caller {
    /// The account that calls: its quotas are used, and grants are issued under it.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The ARN as GetCallerIdentity and AccessDenied texts show it.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The ARN that policies and grants name: the role behind a session, else the caller's own.
    #[must_use]
    pub fn principal(&self) -> &str {
        match &self.kind {
            CallerKind::Session { role, .. } => role,
            CallerKind::Root | CallerKind::User { .. } => &self.arn,
        }
    }

    /// `UserId` of GetCallerIdentity.
    #[must_use]
    pub fn user_id(&self) -> String {
        match &self.kind {
            CallerKind::Root => self.account.clone(),
            CallerKind::User { id } => id.clone(),
            CallerKind::Session { id, session, .. } => format!("{id}:{session}"),
        }
    }

    pub(crate) fn unique_id(&self) -> Option<&str> {
        match &self.kind {
            CallerKind::Root => None,
            CallerKind::User { id } | CallerKind::Session { id, .. } => Some(id),
        }
    }
}

/// The actions that a user's or role's own IAM policy allows and denies, for every resource. `*`
/// and `kms:List*` are patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamPolicy {
    allow: BTreeSet<String>,
    deny: BTreeSet<String>,
}

impl IamPolicy {
    /// Allows these actions, such as `kms:CreateGrant`.
    #[must_use]
    pub fn allow<'a>(actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self { allow: actions.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// Denies these as well; a deny wins over every allow and every grant.
    #[must_use]
    pub fn deny<'a>(mut self, actions: impl IntoIterator<Item = &'a str>) -> Self {
        self.deny.extend(actions.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn allows(&self, action: &str) -> bool {
        self.allow.iter().any(|pattern| crate::policy::matches(pattern, action))
    }

    pub(crate) fn denies(&self, action: &str) -> bool {
        self.deny.iter().any(|pattern| crate::policy::matches(pattern, action))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `AROA…` or `AIDA…`: changes when the principal is deleted and made again.
    pub(crate) id: String,
    pub(crate) iam: IamPolicy,
    /// Roles only: principals that may assume it (an ARN, or an account root that delegates).
    pub(crate) trust: Vec<String>,
    /// Roles only: the external id that AssumeRole must carry.
    pub(crate) external_id: Option<String>,
    /// Unix milliseconds; `None`: it was there before the first call.
    born: Option<i64>,
}

impl Identity {
    pub(crate) fn younger(&self, than_ms: u32, now: i64) -> bool {
        self.born.is_some_and(|born| now < born + i64::from(than_ms))
    }
}

/// An access key: what it proves and until when.
#[derive(Clone, Debug)]
pub struct Credential {
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) caller: Caller,
    pub(crate) expires_at: Option<i64>,
}

/// All users, roles and access keys, by ARN and by key id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) known: BTreeMap<String, Identity>,
    pub(crate) credentials: BTreeMap<String, Credential>,
}

impl Directory {
    /// The role that an assumed-role ARN names, which lacks the role's path.
    pub(crate) fn role_by_name(&self, account: &str, name: &str) -> Option<(&str, &Identity)> {
        let prefix = format!("arn:aws:iam::{account}:role/");
        self.known
            .range(prefix.clone()..)
            .take_while(|(arn, _)| arn.starts_with(&prefix))
            .find(|(arn, _)| arn.rsplit('/').next() == Some(name))
            .map(|(arn, identity)| (arn.as_str(), identity))
    }

    /// Who is behind a principal's ARN today: `None` for an account root and for the unknown.
    pub(crate) fn identity(&self, text: &str) -> Option<&Identity> {
        match Principal::parse(text)? {
            Principal::User { .. } | Principal::Role { .. } => self.known.get(text),
            Principal::Session { account, role, .. } => {
                self.role_by_name(&account, &role).map(|(_, identity)| identity)
            }
            Principal::Root { .. } | Principal::Federated { .. } => None,
        }
    }

    /// The unique id behind a principal's ARN today.
    pub(crate) fn unique_id(&self, text: &str) -> Option<&str> {
        self.identity(text).map(|identity| identity.id.as_str())
    }

    pub(crate) fn iam(&self, caller: &Caller) -> Option<&IamPolicy> {
        let identity = self.known.get(caller.principal())?;
        (Some(identity.id.as_str()) == caller.unique_id()).then_some(&identity.iam)
    }

    /// Whether the caller's own side allows the action; an account's root may do everything there.
    pub(crate) fn iam_allows(&self, caller: &Caller, action: &str) -> bool {
        if caller.kind == CallerKind::Root {
            return true;
        }
        self.iam(caller).is_some_and(|iam| iam.allows(action) && !iam.denies(action))
    }

    pub(crate) fn iam_denies(&self, caller: &Caller, action: &str) -> bool {
        self.iam(caller).is_some_and(|iam| iam.denies(action))
    }
}

impl Core {
    /// Adds a role, or replaces policy and trust of the one that has this ARN; its unique id stays.
    /// `trust` names who may assume it: principals' ARNs, or account roots, which delegate to IAM.
    pub fn put_role(
        &mut self,
        arn: &str,
        iam: IamPolicy,
        trust: &[&str],
        external_id: Option<&str>,
    ) {
        let trust = trust.iter().map(|t| (*t).to_owned()).collect();
        self.put_identity(arn, "AROA", iam, trust, external_id.map(str::to_owned));
    }

    /// Adds a user, or replaces the policy of the one that has this ARN.
    pub fn put_user(&mut self, arn: &str, iam: IamPolicy) {
        self.put_identity(arn, "AIDA", iam, Vec::new(), None);
    }

    fn put_identity(
        &mut self,
        arn: &str,
        prefix: &str,
        iam: IamPolicy,
        trust: Vec<String>,
        external_id: Option<String>,
    ) {
        let (id, born) = match self.directory.known.get(arn) {
            Some(identity) => (identity.id.clone(), identity.born),
            None => (self.rng.unique_id(prefix), self.now),
        };
        let identity = Identity { id, iam, trust, external_id, born };
        self.directory.known.insert(arn.to_owned(), identity);
    }

    /// Deletes a user or role with its access keys and sessions. Grants that name it show its
    /// unique id from now on, also if a principal of the same name comes back (kms-facts 2).
    pub fn delete_principal(&mut self, arn: &str) -> bool {
        self.directory.credentials.retain(|_, credential| credential.caller.principal() != arn);
        self.directory.known.remove(arn).is_some()
    }

    /// Deletes a role or user and makes it again with the same policy: another unique id, no
    /// sessions.
    pub fn recreate_principal(&mut self, arn: &str) -> bool {
        let Some(identity) = self.directory.known.get(arn).cloned() else {
            return false;
        };
        let prefix: String = identity.id.chars().take(4).collect();
        self.delete_principal(arn);
        self.put_identity(arn, &prefix, identity.iam, identity.trust, identity.external_id);
        true
    }

    /// The caller behind an ARN: a user, an account root, a session, or a role (as a session of it
    /// named `sandbox`). `None` if the sandbox holds no such principal.
    #[must_use]
    pub fn caller(&self, arn: &str) -> Option<Caller> {
        let session_of = |role: &str, id: &str, account: String, session: &str| Caller {
            arn: format!(
                "arn:aws:sts::{account}:assumed-role/{}/{session}",
                role.rsplit('/').next().unwrap_or_default()
            ),
            account,
            kind: CallerKind::Session { role: role.into(), id: id.into(), session: session.into() },
        };
        match Principal::parse(arn)? {
            Principal::Root { account } => self
                .settings
                .accounts
                .contains(&account)
                .then(|| Caller { account, arn: arn.to_owned(), kind: CallerKind::Root }),
            Principal::User { account } => {
                let id = self.directory.known.get(arn)?.id.clone();
                Some(Caller { account, arn: arn.to_owned(), kind: CallerKind::User { id } })
            }
            Principal::Role { account } => {
                let identity = self.directory.known.get(arn)?;
                Some(session_of(arn, &identity.id, account, "sandbox"))
            }
            Principal::Session { account, role, session } => {
                let (role, identity) = self.directory.role_by_name(&account, &role)?;
                Some(session_of(role, &identity.id, account, &session))
            }
            Principal::Federated { .. } => None,
        }
    }

    /// Registers a permanent access key. `caller` may be a role's session: no token is asked of it
    /// then.
    pub fn put_access_key(&mut self, id: &str, secret: &str, caller: Caller) {
        let credential =
            Credential { secret: secret.to_owned(), token: None, caller, expires_at: None };
        self.directory.credentials.insert(id.to_owned(), credential);
    }

    /// Every secret key and session token that proves somebody: for tests that look for them where
    /// they must not be.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let all = self.directory.credentials.values();
        all.flat_map(|c| [Some(c.secret.clone()), c.token.clone()]).flatten().collect()
    }

    pub(crate) fn credential(&self, access_key_id: &str) -> Option<&Credential> {
        self.directory.credentials.get(access_key_id)
    }
}
