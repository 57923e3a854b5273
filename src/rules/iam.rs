//! The IAM policies that grantd needs, and no more, as its configuration tells: what its role may
//! do, who may become it, the half that stands in a key's policy, and what keeps others from its
//! name. Pure: `document` has the form that AWS takes.
//!
//! Ending needs no permission at all: grantd's role is the retiring principal of what it makes.
//! What may be lent is bounded by IAM as far as IAM can say it; where a pattern of the file says
//! less than IAM can (`*` that stops at `/`), what it does not mean is taken out again.

mod document;
mod grantees;
mod keys;

use std::collections::BTreeSet;

pub use document::{Document, Statement};

use self::document::names;
use self::keys::Reach;
use crate::config::{Account, Config, Policy};
use crate::ids::{KeyArn, Principal};
use crate::rules::policy::lists_key;
use crate::terms::Operation;

/// The most characters, blanks not counted, of a managed policy (IAM user guide, "IAM and AWS STS
/// quotas"); an inline policy of a role takes 10,240.
pub const MANAGED_MAX: usize = 6_144;

/// What grantd's role in `account` needs.
#[must_use]
pub fn role(config: &Config, account: &Account) -> Document {
    let all: Vec<(&Policy, Vec<Reach>)> = config
        .policies
        .iter()
        .map(|policy| (policy, keys::reach(config, policy, account)))
        .filter(|(_, reach)| !reach.is_empty())
        .collect();
    let reach = || all.iter().flat_map(|(_, reach)| reach);
    let mut statements = vec![
        // Neither takes a resource (kms-facts 7).
        Statement::allow("Discover", &["kms:ListAliases", "kms:ListRetirableGrants"])
            .on(vec!["*".to_owned()]),
    ];
    // Without the condition on aliases: one that is moved must not hide the grants on the key that
    // it pointed at. It is read-only.
    let looked_at = keys::merged(reach());
    if !looked_at.is_empty() {
        let look = Statement::allow("Look", &["kms:DescribeKey", "kms:ListGrants"]);
        statements.push(look.on(looked_at));
    }
    if account.probe {
        let each: BTreeSet<&Reach> = reach().collect();
        for reach in each {
            statements.push(prove(account).within(reach));
        }
    }
    for (policy, reach) in &all {
        for reach in reach {
            let lend = lend(config, account, policy, &reach.account);
            statements.extend(lend.into_iter().map(|statement| statement.within(reach)));
        }
    }
    Document::of(statements)
}

/// What the policy of a key has to say where it does not leave it to IAM: for the policies that
/// list the key. (`kms:ResourceAliases` is for IAM alone, and a key's policy is about one key.)
#[must_use]
pub fn key(config: &Config, account: &Account, key: &KeyArn, aliases: &[String]) -> Document {
    let whole =
        |statement: Statement| statement.by(&account.retiring_principal).on(vec!["*".to_owned()]);
    let policies: Vec<&Policy> =
        config.policies.iter().filter(|policy| lists_key(policy, key, aliases)).collect();
    let look = Statement::allow("GrantdLooks", &["kms:DescribeKey", "kms:ListGrants"]);
    let mut statements = vec![whole(look)];
    if account.probe && !policies.is_empty() {
        statements.push(whole(prove(account)));
    }
    for policy in policies {
        let lend = lend(config, account, policy, key.account());
        statements.extend(lend.into_iter().map(whole));
    }
    Document::of(statements)
}

/// Who may become grantd's role, or its revoke role: `who`, who shows the external id where one is
/// set.
#[must_use]
pub fn trust(account: &Account, who: &Principal) -> Document {
    let mut statement = Statement::allow("TheAdminHost", &["sts:AssumeRole"]).by(who);
    if let Some(id) = &account.external_id {
        statement = statement.when("StringEquals", "sts:ExternalId", vec![id.clone()]);
    }
    Document::of(vec![statement])
}

/// What the identity that the host has by itself needs: to become grantd's role, and the revoke
/// role where one is named. `None` where there is no role to become.
#[must_use]
pub fn host(account: &Account) -> Option<Document> {
    let roles: Vec<String> = [&account.role_arn, &account.ways.revoke_role]
        .into_iter()
        .flatten()
        .map(|role| role.as_str().to_owned())
        .collect();
    let assume = Statement::allow("BecomeGrantd", &["sts:AssumeRole"]);
    (!roles.is_empty()).then(|| Document::of(vec![assume.on(roles)]))
}

/// What the revoke role needs, where one is named: RevokeGrant has no condition on which grant, so
/// it is a role of its own, bounded by the keys. `None` where no revoke role is named.
#[must_use]
pub fn revoke_role(config: &Config, account: &Account) -> Option<Document> {
    account.ways.revoke_role.as_ref()?;
    let all = config.policies.iter().flat_map(|policy| keys::reach(config, policy, account));
    let all: Vec<Reach> = all.collect();
    let revoke = Statement::allow("Revoke", &["kms:RevokeGrant"]);
    Some(Document::of(vec![revoke.on(keys::merged(all.iter()))]))
}

/// Where the guard stands. AWS takes a principal in the one and none in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// In the policy of a key, or in a resource control policy.
    KeyPolicy,
    /// In a service control policy.
    Scp,
}

/// What keeps everybody else from making grants in grantd's name: nobody but the retiring
/// principal of each account names it in a grant. A session of a role shows its role as
/// `aws:PrincipalArn`; who shows none (a service of AWS) is denied too, since a negated operator is
/// true where the key is absent. IAM has no two roles that differ in case alone, so the case of
/// what a request says is no way around.
#[must_use]
pub fn guard(accounts: &[&Account], stands: Guard) -> Document {
    let own: BTreeSet<&str> =
        accounts.iter().map(|account| account.retiring_principal.as_str()).collect();
    let statements = own.into_iter().map(|own| {
        let deny = Statement::deny("OnlyGrantdNamesItself", &["kms:CreateGrant"])
            .on(vec!["*".to_owned()])
            .when("StringEqualsIgnoreCase", "kms:RetiringPrincipal", vec![own.to_owned()])
            .when("ArnNotEquals", "aws:PrincipalArn", vec![own.to_owned()]);
        match stands {
            Guard::KeyPolicy => deny.by_everybody(),
            Guard::Scp => deny,
        }
    });
    Document::of(statements.collect())
}

/// The proof of the way out: DescribeKey for grantd's own role, and nothing else for it.
fn prove(account: &Account) -> Statement {
    let own = account.retiring_principal.as_str().to_owned();
    create("Prove", account, &[Operation::DescribeKey]).when(
        "StringEquals",
        "kms:GranteePrincipal",
        vec![own],
    )
}

/// What one policy lends on keys of the account `owner`.
fn lend(config: &Config, account: &Account, policy: &Policy, owner: &str) -> Vec<Statement> {
    let name = format!("Lend{}", document::camel(&policy.name));
    grantees::of(config, policy, keys::partition(account), owner)
        .into_iter()
        .map(|conditions| {
            let mut statement = create(&name, account, &policy.operations);
            for (operator, values) in conditions {
                statement = statement.when(operator, "kms:GranteePrincipal", values);
            }
            policy.require_context.iter().fold(statement, |statement, pair| {
                let (operator, values) = grantees::of_value(pair.pattern());
                statement.when(operator, &format!("kms:EncryptionContext:{}", pair.key), values)
            })
        })
        .collect()
}

/// CreateGrant with our retiring principal, for these operations at most. A set operator is true of
/// a request that lacks the key: `Null` closes that.
fn create(sid: &str, account: &Account, operations: &[Operation]) -> Statement {
    let own = account.retiring_principal.as_str().to_owned();
    Statement::allow(sid, &["kms:CreateGrant"])
        .when("StringEquals", "kms:RetiringPrincipal", vec![own])
        .when("ForAllValues:StringEquals", "kms:GrantOperations", names(operations))
        .when("Null", "kms:GrantOperations", vec!["false".to_owned()])
}

impl Statement {
    /// On the keys of `reach` alone.
    fn within(self, reach: &Reach) -> Self {
        let statement = self.on(reach.resources.clone());
        match &reach.aliases {
            None => statement,
            Some((operator, aliases)) => {
                statement.when(operator, "kms:ResourceAliases", aliases.clone())
            }
        }
    }
}

impl Document {
    /// Each Sid once, since IAM wants it so: the second becomes `…2`.
    fn of(statements: Vec<Statement>) -> Self {
        let mut document = Self { version: "2012-10-17", statement: Vec::new() };
        for mut statement in statements {
            let known = |sid: &String| document.statement.iter().any(|other| other.sid == *sid);
            let numbered = (2..).map(|n: usize| format!("{}{n}", statement.sid));
            let mut names = std::iter::once(statement.sid.clone()).chain(numbered);
            let free = names.find(|sid| !known(sid)).unwrap_or_default();
            statement.sid = free;
            document.statement.push(statement);
        }
        document
    }

    /// Characters that IAM counts.
    #[must_use]
    pub fn size(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }
}

#[cfg(test)]
mod tests;
