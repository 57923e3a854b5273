//! The configuration: a TOML file to a [`Config`] that cannot be wrong, or every problem of the
//! file at once.
//!
//! The file is walked as a tree with positions (`toml::de::DeTable`), not through serde: a derive
//! stops at the first problem and forgets where it was. [`parse`] is pure but for the [`Names`] it
//! is given; [`load`] reads the file. `grantd check` and the daemon use this same loader.
//!
//! Only *making* a grant needs the config. What ends a grant stands in the ledger.

mod access;
mod account;
mod callers;
mod daemon;
mod diagnostics;
mod listed;
mod pattern;
mod policy;
mod schema;
mod walk;

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, Group, KeyArn, Principal, Region};
use crate::kms::{Lane, Ways};
use crate::rules::access::Caller;
use crate::rules::time::{DAY, HOUR, MINUTE, SECOND};
use crate::terms::Operation;

pub use access::Access;
pub use account::is_loopback;
pub use callers::{CallerPattern, Names, System};
pub use diagnostics::{Diagnostics, Place, Problem};
pub use pattern::{GranteePattern, KeyPattern};

/// Larger files are not read: a policy file is written by people.
pub const FILE_MAX: u64 = 1024 * 1024;
/// The mode bit that lets everybody write.
const WRITABLE_BY_ALL: u32 = 0o002;
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
    /// Who may be given access.
    pub grantees: Vec<GranteePattern>,
    /// To do what; sorted, each once.
    pub operations: Vec<Operation>,
    /// Who may ask.
    pub callers: Vec<CallerPattern>,
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
    /// Whether `CreateGrant` and `RetireGrant` may be given.
    pub allow_redelegation: bool,
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

    /// The account that serves this key: its owner, where the key's Region is among the account's.
    #[must_use]
    pub fn account_of(&self, key: &KeyArn) -> Option<&Account> {
        let account = self.account(key.account())?;
        let serves = account.regions.iter().any(|r| r.as_str() == key.region());
        serves.then_some(account)
    }

    /// Every lane, with the account it belongs to.
    pub fn lanes(&self) -> impl Iterator<Item = (&Account, Lane)> {
        self.accounts.iter().flat_map(|account| account.lanes().map(move |lane| (account, lane)))
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

fn lists(patterns: &[CallerPattern], caller: &Caller) -> bool {
    let one = |p: &CallerPattern| p.matches(caller.uid, caller.gid, &caller.groups);
    patterns.iter().any(one)
}

/// Why there is no config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than [`FILE_MAX`].
    #[error("{} is larger than {FILE_MAX} bytes: this is no configuration", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// The file is no UTF-8.
    #[error("{}: byte {offset} is not UTF-8; TOML is UTF-8 text", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// The file has problems.
    #[error("{0}")]
    Wrong(Box<Diagnostics>),
}

impl ConfigError {
    /// One line: how many problems, and the first. The whole text is for `grantd check` and the
    /// log.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self::Wrong(diagnostics) = self else { return self.to_string() };
        let first = diagnostics.lines().next().unwrap_or_default();
        match diagnostics.problems().len() {
            0 | 1 => first,
            n => format!("{n} problems, the first at {first}"),
        }
    }
}

impl From<&ConfigError> for Fault {
    /// The whole text, as it is shown to people. An absent file is `config` too: the daemon cannot
    /// run without.
    fn from(error: &ConfigError) -> Self {
        let fault = Fault::new(Kind::Config, error.to_string());
        match error {
            ConfigError::Read { .. } => fault.hint("name the file with --config"),
            ConfigError::TooLarge { .. } | ConfigError::NotText { .. } | ConfigError::Wrong(_) => {
                fault
            }
        }
    }
}

/// Read, parse and check the file at `path`; user and group names are resolved by the system.
///
/// # Errors
/// [`ConfigError`], with every problem of the file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let (text, mode) = read(path)?;
    let mut config = parse(&path.display().to_string(), &text, &System)?;
    if mode & WRITABLE_BY_ALL != 0 {
        let warning = "everybody on this host may write this file, and so give himself access";
        config.warnings.add(Problem::whole(warning).help("chmod o-w"));
    }
    Ok(config)
}

/// The text and the mode of the file.
fn read(path: &Path) -> Result<(String, u32), ConfigError> {
    let unreadable = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    let mut bytes = Vec::new();
    // One byte more than allowed tells "as large as allowed" from "larger", and bounds what a
    // device file can give.
    let mut file = file.take(FILE_MAX + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, mode)),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            Err(ConfigError::NotText { path: path.to_owned(), offset })
        }
    }
}

/// Parse and check `text`, which was read from `path`.
///
/// # Errors
/// [`ConfigError::Wrong`] with every problem of the text.
pub fn parse(path: &str, text: &str, names: &dyn Names) -> Result<Config, ConfigError> {
    let (tree, syntax) = DeTable::parse_recoverable(text);
    let mut walk = walk::Walk::new(text, names);
    let parts = daemon::root(&mut walk, tree.get_ref());
    let syntax: Vec<_> = syntax.iter().map(walk::syntax_problem).collect();
    let (problems, warnings) = walk.finish(syntax);
    let shared: Arc<str> = Arc::from(text);
    let diagnostics = |problems| Diagnostics::new(path, Arc::clone(&shared), problems);
    match (parts, problems.is_empty()) {
        (Some(parts), true) => Ok(Config {
            path: path.to_owned(),
            group: parts.group,
            settle: parts.settle,
            time_out: parts.time_out,
            access: parts.access,
            accounts: parts.accounts,
            policies: parts.policies,
            warnings: diagnostics(warnings),
        }),
        (Some(_) | None, _) => Err(ConfigError::Wrong(Box::new(diagnostics(problems)))),
    }
}

#[cfg(test)]
mod tests;
