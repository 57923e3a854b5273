//! The configuration: a TOML file to a [`Config`] that cannot be wrong, or every problem of the
//! file at once.
//!
//! The file is walked as a tree with positions (`toml::de::DeTable`), not through serde: a derive
//! stops at the first problem and forgets where it was. [`parse`] is pure but for the [`Names`] it
//! is given; [`load()`] reads the file. `grantd check` and the daemon use this same loader.
//!
//! Only *making* a grant needs the config. What ends a grant stands in the ledger.

mod access;
mod account;
mod adopt;
mod callers;
pub mod cases;
pub mod change;
mod covered;
mod daemon;
mod diagnostics;
mod limits;
mod listed;
mod load;
mod pattern;
mod policy;
mod require;
mod schema;
mod top;
mod via;
mod walk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use crate::ids::{AccountId, Group, KeyArn, Principal, Region};
use crate::kms::{Lane, Ways};
use crate::logging;
use crate::rules::access::Caller;
use crate::rules::time::{DAY, HOUR, MINUTE, SECOND};
use crate::terms::{LiveMax, Operation};

pub use access::Access;
pub use account::is_loopback;
pub use adopt::{Adopt, Brake, Foreign};
pub use callers::{CallerPattern, Names, System};
pub use diagnostics::{Diagnostics, Place, Problem};
pub use limits::Own;
pub use load::{ConfigError, FILE_MAX, load, load_with};
pub(crate) use pattern::{Glob, has_glob};
pub use pattern::{GranteePattern, KeyPattern};
pub use require::ContextPattern;
pub use schema::grammar;

/// `settle` when the file says nothing: signature window, propagation and slack (5 + 5 + 1 min,
/// DESIGN 3).
pub const SETTLE: i64 = 11 * MINUTE;
/// The least `settle` against AWS: a CreateGrant may arrive within its signature window (5 min) and
/// takes up to 5 min to show (kms-facts 4, 11). Less than that could close a row whose grant still
/// appears.
pub const SETTLE_MIN: i64 = 10 * MINUTE;
/// The most: beyond a day a closing would wait for nothing known.
pub const SETTLE_MAX: i64 = DAY;
/// One KMS attempt when the file says nothing, and the most: `rules::life::PATIENCE` is built on
/// it.
pub const TIME_OUT: i64 = 10 * SECOND;
/// The least: below it a healthy answer from another continent would count as none.
pub const TIME_OUT_MIN: i64 = SECOND / 10;
/// How often Names are searched for when the file says nothing: what a host of the group left
/// behind is on time if it is older than this.
pub const RECONCILE: i64 = 5 * MINUTE;
/// The least: below it the searches would eat the pace of the looks.
pub const RECONCILE_MIN: i64 = SECOND;
/// The most: a stand-in is late by as much.
pub const RECONCILE_MAX: i64 = HOUR;
/// `default-ttl` when the policy says nothing, unless its `max-ttl` is less.
pub const DEFAULT_TTL: i64 = HOUR;
/// The longest `max-ttl`: what is meant to last longer than ten years belongs into the key policy.
pub const TTL_MAX: i64 = 3_653 * DAY;
/// `max-extensions` when the policy says nothing (DESIGN 6).
pub const EXTENSIONS: u32 = 3;
/// The most: a lease has at most `rules::extend::SERIAL_MAX` grants, and some are refused or
/// shorter.
pub const EXTENSIONS_MAX: u32 = 50;
/// The shortest lease: deadlines are whole seconds.
pub const TTL_MIN: i64 = SECOND;

/// The whole configuration; shared as `Arc<Config>` and never changed.
#[derive(Debug, Clone)]
pub struct Config {
    /// The path it was read from, as given: diagnostics and refusals name it.
    pub path: String,
    /// The group of hosts that stand in for each other.
    pub group: Group,
    /// What the group was called before: grants under these Names are ours too.
    pub former_groups: Vec<Group>,
    /// Groups of other hosts that run as the same role: grants under these Names are theirs to end,
    /// and no alarm.
    pub other_groups: Vec<Group>,
    /// Where to listen, unless the command line says so.
    pub socket: Option<PathBuf>,
    /// How to log, unless the command line and the environment say so.
    pub log: Log,
    /// Where on loopback the metrics are served too.
    pub metrics: Option<SocketAddr>,
    /// How often KMS is searched for grants under our Names, in ms.
    pub reconcile: i64,
    /// How long after the last CreateGrant send a stray copy may still appear, in ms.
    pub settle: i64,
    /// The time-out of one KMS attempt, in ms.
    pub time_out: i64,
    /// Who may look, and who is an administrator.
    pub access: Access,
    /// The accounts, in the order of the file; each id once.
    pub accounts: Vec<Account>,
    /// The policies, in the order of the file: the first that matches decides. Each name once.
    pub policies: Vec<Policy>,
    /// What is allowed but probably not meant.
    pub warnings: Diagnostics,
}

/// How the file wants the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// From which level on.
    pub level: Option<logging::Level>,
    /// In which form.
    pub format: Option<logging::Format>,
}

/// An account whose credentials make and end grants: one lane per Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Where it stands in the file.
    pub place: Place,
    /// The role to assume; `None` for the ambient credentials.
    pub role_arn: Option<Principal>,
    /// STS's external id for that role.
    pub external_id: Option<String>,
    /// grantd's own role: who retires the grants. The role that is assumed, where one is.
    pub retiring_principal: Principal,
    /// How its credentials are had.
    pub ways: Ways,
    /// The Regions, in the order of the file; at least one, each once.
    pub regions: Vec<Region>,
    /// Another endpoint than AWS's.
    pub endpoint: Option<String>,
    /// How many requests per second each lane sends at most.
    pub rates: Rates,
    /// How many hosts share these rates.
    pub hosts: u32,
    /// Whether the way out is proven before the first lease on a key.
    pub probe: bool,
}

/// Requests per second and lane, by kind; each at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// CreateGrant.
    pub create: u32,
    /// RetireGrant and RevokeGrant.
    pub end: u32,
    /// ListGrants and ListRetirableGrants.
    pub list: u32,
}

impl Default for Rates {
    /// About half of what AWS gives an account (50, 30 where it lags, 100; kms-facts 5): the other
    /// half belongs to everybody else who uses KMS there.
    fn default() -> Self {
        Self { create: 10, end: 24, list: 20 }
    }
}

/// Who may have what given to whom, on which keys, for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name, unique in the file.
    pub name: String,
    /// Where it stands in the file.
    pub place: Place,
    /// Which keys.
    pub keys: Vec<KeyPattern>,
    /// The account whose credentials make the grants, where the keys are another account's.
    pub via: Option<AccountId>,
    /// Who may be given access.
    pub grantees: Vec<GranteePattern>,
    /// To do what; sorted, each once.
    pub operations: Vec<Operation>,
    /// Who may ask.
    pub callers: Vec<CallerPattern>,
    /// How long at least; in ms.
    pub min_ttl: i64,
    /// How long, when the asker does not say; in ms.
    pub default_ttl: i64,
    /// How long at most, counted from the lease's first creation; in ms.
    pub max_ttl: i64,
    /// How often a lease may be made later.
    pub max_extensions: u32,
    /// How long before the deadline the end is sent; in ms, less than `default_ttl`.
    pub lead: i64,
    /// Whether the asker must say why.
    pub require_reason: bool,
    /// The encryption context that the asker must constrain the grant to.
    pub require_context: Vec<ContextPattern>,
    /// How many of its leases may live at once.
    pub max_live: LiveMax,
    /// How late the end of a new lease may be foreseen to be sent, in ms; `None`: as late as may
    /// be, and the asker is told.
    pub max_late: Option<i64>,
    /// Whose a lease is.
    pub own: Own,
    /// Whether `CreateGrant` and `RetireGrant` may be given.
    pub allow_redelegation: bool,
    /// What is to become of grants that others made.
    pub adopt: Adopt,
}

impl Account {
    /// The lane of `region`, as it goes into the ledger: its `id` is 0 until the ledger knows it.
    #[must_use]
    pub fn lane(&self, region: &Region) -> Lane {
        Lane {
            id: 0,
            account: self.id.clone(),
            region: region.clone(),
            role_arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            endpoint: self.endpoint.clone(),
            retiring_principal: self.retiring_principal.clone(),
            ways: self.ways.clone(),
        }
    }

    /// The share of the rates that this host takes: all hosts together keep within them.
    #[must_use]
    pub fn pace(&self) -> Rates {
        let share = |rate: u32| (rate / self.hosts.max(1)).max(1);
        let Rates { create, end, list } = self.rates;
        Rates { create: share(create), end: share(end), list: share(list) }
    }

    /// Its lanes, one per Region, in the order of the file.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.regions.iter().map(|region| self.lane(region))
    }
}

impl Config {
    /// The account with this id.
    #[must_use]
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|a| a.id.as_str() == id)
    }

    /// The account whose credentials make grants on this key: its owner, or, for another account's
    /// key, the one that the policies go `via`; where the key's Region is among that account's.
    #[must_use]
    pub fn account_of(&self, key: &KeyArn) -> Option<&Account> {
        let account = self.account(key.account()).or_else(|| {
            let of = |k: &KeyPattern| k.account().is_some_and(|id| id.as_str() == key.account());
            let policy = self.policies.iter().find(|policy| policy.keys.iter().any(of))?;
            self.account(policy.via.as_ref()?.as_str())
        })?;
        let serves = account.regions.iter().any(|r| r.as_str() == key.region());
        serves.then_some(account)
    }

    /// Every lane, with the account it belongs to.
    pub fn lanes(&self) -> impl Iterator<Item = (&Account, Lane)> {
        self.accounts.iter().flat_map(|account| account.lanes().map(move |lane| (account, lane)))
    }

    /// The accounts in which keys of this policy may be.
    #[must_use]
    pub fn key_accounts<'a>(&'a self, policy: &'a Policy) -> Vec<&'a AccountId> {
        let own = self.accounts.iter().map(|account| &account.id);
        let by_name = policy.keys.iter().any(|key| key.account().is_none());
        let written = policy.keys.iter().filter_map(KeyPattern::account);
        own.filter(|_| by_name).chain(written).collect()
    }

    /// The policy with this name.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.iter().find(|p| p.name == name)
    }

    /// Whether `[access] admin` lists this caller. Root is not listed by being root:
    /// `rules::access` says what he may do.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        lists(&self.access.admin, caller)
    }

    /// Whether this caller may see what is not his own: an administrator, and whom
    /// `[access] read` lists; everybody where there is no such list.
    #[must_use]
    pub fn may_read(&self, caller: &Caller) -> bool {
        let listed = |read: &Vec<CallerPattern>| lists(read, caller) || self.is_admin(caller);
        self.access.read.as_ref().is_none_or(listed)
    }

    /// Whether `principal` is one of grantd's own roles.
    #[must_use]
    pub fn is_own(&self, principal: &str) -> bool {
        self.accounts.iter().any(|account| {
            let revokes = account.ways.revoke_role.as_ref().map(Principal::as_str);
            account.retiring_principal.as_str() == principal || revokes == Some(principal)
        })
    }

    /// Where `policy` stands, for people: `/etc/grantd/grantd.toml:31:1`.
    #[must_use]
    pub fn place(&self, policy: &Policy) -> String {
        format!("{}:{}", self.path, policy.place)
    }
}

/// Whether one of `patterns` lists this caller.
pub(crate) fn lists(patterns: &[CallerPattern], caller: &Caller) -> bool {
    let one = |p: &CallerPattern| p.matches(caller.uid, caller.gid, &caller.groups);
    patterns.iter().any(one)
}

/// Parse and check `text`, which was read from `path`.
///
/// # Errors
/// [`ConfigError::Wrong`] with every problem of the text.
pub fn parse(path: &str, text: &str, names: &dyn Names) -> Result<Config, ConfigError> {
    let (tree, syntax) = DeTable::parse_recoverable(text);
    let mut walk = walk::Walk::new(text, names);
    let config = top::read(&mut walk, tree.get_ref());
    let syntax: Vec<_> = syntax.iter().map(walk::syntax_problem).collect();
    let (problems, warnings) = walk.finish(syntax);
    let shared: Arc<str> = Arc::from(text);
    let diagnostics = |problems| Diagnostics::new(path, Arc::clone(&shared), problems);
    match config.filter(|_| problems.is_empty()) {
        Some(config) => {
            Ok(Config { path: path.to_owned(), warnings: diagnostics(warnings), ..config })
        }
        None => Err(ConfigError::Wrong(Box::new(diagnostics(problems)))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
