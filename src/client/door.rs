//! Who may come in. A process has the groups of its login: of what it joined since then neither the
//! kernel nor the daemon knows.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::fault::{Fault, Kind};

/// How to be let in: by the group of the socket, or of its directory where that already shuts us
/// out. None where neither can be looked at.
pub(super) fn hint(socket: &Path) -> Option<String> {
    let looked = std::fs::metadata(socket);
    let is = looked.ok().or_else(|| std::fs::metadata(socket.parent()?).ok())?;
    // What a member of the group needs to connect, or to pass.
    if is.mode() & 0o030 == 0 {
        return Some("only its owner may: the configuration names the group that may, too".into());
    }
    if joined_since_login().contains(&is.gid()) {
        return Some(log_in_again(&[name(is.gid())]));
    }
    let me = User::from_uid(Uid::current()).ok().flatten();
    let me = me.map_or_else(|| "you".to_owned(), |me| me.name);
    let group = name(is.gid());
    Some(format!("join its group, then log in again: `sudo usermod -a -G {group} {me}`"))
}

/// The fault, with a word about the groups that its asker joined since the login: policies and
/// `[access]` go by the groups of the process that asks.
#[must_use]
pub fn with_late_groups(fault: Fault) -> Fault {
    late(fault, || joined_since_login().into_iter().map(name).collect())
}

fn late(fault: Fault, groups: impl FnOnce() -> Vec<String>) -> Fault {
    if !matches!(fault.kind, Kind::NoPolicy | Kind::NotYours | Kind::ReadDenied) {
        return fault;
    }
    let groups = groups();
    if groups.is_empty() {
        return fault;
    }
    let hint = format!("{}; {}", fault.remedy(), log_in_again(&groups));
    fault.hint(hint)
}

fn log_in_again(groups: &[String]) -> String {
    let first = groups.first().map_or("", String::as_str);
    format!(
        "you joined {} after this login began, and it counts from the next one: log in again, or \
         `sg {first} -c 'grantd …'`",
        groups.join(", ")
    )
}

/// The groups of this user in the host's database that this process is not in. None for root, who
/// passes everywhere and is often listed in many.
fn joined_since_login() -> Vec<u32> {
    let uid = Uid::effective();
    let me = User::from_uid(uid).ok().flatten().filter(|_| !uid.is_root());
    let listed = me.and_then(|me| getgrouplist(&CString::new(me.name).ok()?, me.gid).ok());
    let mut own = rustix::process::getgroups().unwrap_or_default();
    own.push(rustix::process::getegid());
    let own: Vec<u32> = own.into_iter().map(|group| group.as_raw()).collect();
    let listed = listed.unwrap_or_default().into_iter().map(Gid::as_raw);
    listed.filter(|gid| !own.contains(gid)).collect()
}

fn name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests;
