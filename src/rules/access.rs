//! Who may look at what, and who may end what is not his own. Whom to *give* access is no question
//! of this module: that takes a policy, whoever asks.
//!
//! Root may end and see everything, also where no config loads: he owns the ledger's file and the
//! service itself. He gets no more grants than a policy gives him, and does not go beyond one:
//! what is done in the name of the administrators is done by a person whom `[access]` names.

use crate::config::{Config, Own, lists};

/// Root's uid.
const ROOT: u32 = 0;

/// Who asks: the socket's peer, as the kernel told it when it connected. The pid is for the log
/// alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// The user's name at the time, or the uid in digits. Nothing is decided by it.
    pub name: String,
}

/// Whether the caller may see every lease, the whole history and the status. Where no
/// `config` loads, its `[access] read` is not known, and must not fall open: then only root may.
#[must_use]
pub fn sees_all(config: Option<&Config>, caller: &Caller) -> bool {
    caller.uid == ROOT || config.is_some_and(|config| config.may_read(caller))
}

/// Whether the caller may see a lease that `owner` asked for (`None`: nobody here did).
#[must_use]
pub fn sees(config: Option<&Config>, caller: &Caller, owner: Option<u32>) -> bool {
    owner == Some(caller.uid) || sees_all(config, caller)
}

/// Whose leases somebody may see. To them all others are not there: how a ref is answered must not
/// tell of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Everybody's.
    All,
    /// Their own, and those of the policies that share theirs with them.
    Own {
        /// Who sees.
        uid: u32,
        /// The names of these policies.
        policies: Vec<String>,
    },
}

impl Sight {
    /// Whether it takes in a lease that `policy` allowed and `asker` asked for.
    #[must_use]
    pub fn takes_in(&self, policy: Option<&str>, asker: Option<u32>) -> bool {
        match self {
            Self::All => true,
            Self::Own { uid, policies } => {
                let shared = policy.is_some_and(|policy| policies.iter().any(|own| own == policy));
                asker == Some(*uid) || shared
            }
        }
    }
}

/// Whose leases the caller may see.
#[must_use]
pub fn sight(config: Option<&Config>, caller: &Caller) -> Sight {
    if sees_all(config, caller) {
        return Sight::All;
    }
    let all = config.map(|config| config.policies.as_slice()).unwrap_or_default();
    let shared = all.iter().filter(|policy| owns(config, caller, Some(&policy.name), None));
    let policies = shared.map(|policy| policy.name.clone()).collect();
    Sight::Own { uid: caller.uid, policies }
}

/// Whether a lease is the caller's: he asked for it, or the policy that allowed it shares its
/// leases among all who may ask (`own = "policy"`). A policy that is gone shares nothing.
#[must_use]
pub fn owns(
    config: Option<&Config>,
    caller: &Caller,
    policy: Option<&str>,
    asker: Option<u32>,
) -> bool {
    let policy = config.zip(policy).and_then(|(config, name)| config.policy(name));
    let shared = policy.filter(|policy| policy.own == Own::Policy);
    asker == Some(caller.uid) || shared.is_some_and(|policy| lists(&policy.callers, caller))
}

/// Whether the caller may end, freeze and resume what is not his own.
#[must_use]
pub fn governs(config: Option<&Config>, caller: &Caller) -> bool {
    caller.uid == ROOT || config.is_some_and(|config| config.is_admin(caller))
}

/// Whether the caller may end a lease that `owner` asked for (`None`: nobody here did).
#[must_use]
pub fn ends(config: Option<&Config>, caller: &Caller, owner: Option<u32>) -> bool {
    owner == Some(caller.uid) || governs(config, caller)
}

/// Whether the caller may ask for a later deadline of a lease that `owner` asked for. That gives
/// access, so it is nothing for root as such.
#[must_use]
pub fn extends(config: &Config, caller: &Caller, owner: Option<u32>) -> bool {
    owner == Some(caller.uid) || config.is_admin(caller)
}

#[cfg(test)]
mod tests;
