//! A request that is decided here, by the daemon's own rules, and of which nothing comes but the
//! answer: no daemon is asked, and nothing is recorded.

use std::ffi::CString;

use nix::unistd::{Gid, Uid, User, getgrouplist};

use crate::config::Config;
use crate::engine::Caller;
use crate::fault::{Fault, Kind};
use crate::ids::Principal;
use crate::kms::KeyFacts;
use crate::rules::policy::{
    Ask, Decision, Refusal, Until, decide, expand_grantee, parse_operations,
};
use crate::rules::time::Time;
use crate::wire::CreateLease;

/// The overflow id of the kernel: it stands for many, so the daemon takes it for nobody.
pub(super) const OVERFLOW: u32 = 65_534;

/// Who would ask, about which key, for what.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) caller: Caller,
    /// What was typed; its key is the one below.
    pub(super) request: CreateLease,
    pub(super) key: KeyFacts,
    pub(super) aliases: Vec<String>,
}

impl Question {
    /// What the daemon would answer at `now`, after it has found the key.
    pub(super) fn decide(&self, config: &Config, now: Time) -> Decision {
        let read = || -> Result<_, Fault> {
            let operations = parse_operations(&self.request.operations)?;
            let until = Until::parse(self.request.ttl.as_deref(), self.request.until)?;
            Ok((operations, until, self.grantee()?))
        };
        let (operations, until, grantee) = match read() {
            Ok(read) => read,
            Err(fault) => return Decision::Refuse(Refusal::from(fault)),
        };
        let ask = Ask {
            caller: &self.caller,
            key: &self.key,
            aliases: &self.aliases,
            grantee: &grantee,
            operations: &operations,
            until,
            reason: self.request.reason.as_deref(),
            constraints: &self.request.constraints,
            now,
        };
        decide(config, &ask)
    }

    /// Who would get access.
    ///
    /// # Errors
    /// [`Kind::BadArgument`] when no grant can be given to it.
    pub(super) fn grantee(&self) -> Result<Principal, Fault> {
        expand_grantee(&self.request.grantee, &self.key.arn)
    }
}

/// The caller as the daemon would see him: the user called `name` (or of that uid), in the groups
/// that this host's databases say; or whoever runs this process.
///
/// # Errors
/// [`Kind::BadArgument`] for a user that this host does not have.
pub(super) fn caller(name: Option<&str>) -> Result<Caller, Fault> {
    let Some(name) = name else { return Ok(myself()) };
    let found = match name.parse::<u32>() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(name),
    };
    let found = found.map_err(|error| {
        Fault::new(Kind::Io, format!("cannot ask this host for user {name:?}: {error}"))
    })?;
    let Some(user) = found else {
        // A uid without an entry still has an answer: it is in no group.
        let uid = name.parse::<u32>().map_err(|_| {
            Fault::new(Kind::BadArgument, format!("this host has no user {name:?}"))
                .hint("name one that `getent passwd` shows, or a uid")
        })?;
        let (gid, groups) = (OVERFLOW, Vec::new());
        return known(Caller { uid, gid, groups, name: name.to_owned() });
    };
    let unread = |why: String| {
        Fault::new(Kind::Io, format!("cannot ask this host for the groups of {name:?}: {why}"))
    };
    let c_name = CString::new(user.name.as_str()).map_err(|error| unread(error.to_string()))?;
    let groups = getgrouplist(&c_name, user.gid).map_err(|error| unread(error.to_string()))?;
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    known(Caller { uid, gid, groups, name: user.name })
}

/// The same as the socket's peer would be seen: by the effective ids.
fn myself() -> Caller {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    // Without an answer of the kernel he is in no group, and may ask for less.
    let groups = rustix::process::getgroups().unwrap_or_default();
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    Caller {
        uid,
        gid,
        groups: groups.into_iter().map(|group| group.as_raw()).collect(),
        name: user.map_or_else(|| uid.to_string(), |user| user.name),
    }
}

fn known(caller: Caller) -> Result<Caller, Fault> {
    if caller.uid == OVERFLOW {
        let text = "65534 is what the kernel shows for many: the daemon refuses it at the socket";
        return Err(Fault::new(Kind::BadArgument, text).hint("name another user"));
    }
    Ok(caller)
}

#[cfg(test)]
mod tests;
