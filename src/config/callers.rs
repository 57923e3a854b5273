//! Who may ask: users and groups of this host.

use std::fmt;

use nix::unistd::{Group, User};

use super::diagnostics::Problem;
use super::walk::{At, Walk};

/// The overflow uid and gid (`nobody`, `nogroup`): what the kernel shows for every id that has no
/// place in the user namespace of the one who looks. On a list it would let in anybody at all.
pub(crate) const OVERFLOW: u32 = 65_534;
/// `(uid_t) -1`: "no id" in the kernel's interfaces.
pub(crate) const NO_ID: u32 = u32::MAX;

/// How names become ids. Injected, so that parsing is pure.
pub trait Names {
    /// The uid of the user called `name`; `None` when there is none.
    ///
    /// # Errors
    /// Why the user database cannot be asked.
    fn user(&self, name: &str) -> Result<Option<u32>, String>;

    /// The gid of the group called `name`; `None` when there is none.
    ///
    /// # Errors
    /// Why the group database cannot be asked.
    fn group(&self, name: &str) -> Result<Option<u32>, String>;
}

/// The databases of this host, as NSS gives them.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Names for System {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        let user = User::from_name(name).map_err(|e| e.to_string())?;
        Ok(user.map(|user| user.uid.as_raw()))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        let group = Group::from_name(name).map_err(|e| e.to_string())?;
        Ok(group.map(|group| group.gid.as_raw()))
    }
}

/// One entry of a list of callers. A name that did not resolve has no id and matches nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerPattern {
    /// `user:NAME` or `user:UID`.
    User {
        /// As written.
        name: String,
        /// The uid at the time of loading.
        uid: Option<u32>,
    },
    /// `group:NAME` or `group:GID`; primary and supplementary groups count alike.
    Group {
        /// As written.
        name: String,
        /// The gid at the time of loading.
        gid: Option<u32>,
    },
}

impl CallerPattern {
    /// Whether it lists a caller with these ids.
    #[must_use]
    pub fn matches(&self, caller: u32, primary: u32, groups: &[u32]) -> bool {
        match self {
            Self::User { uid, .. } => *uid == Some(caller),
            Self::Group { gid, .. } => {
                gid.is_some_and(|gid| gid == primary || groups.contains(&gid))
            }
        }
    }
}

impl fmt::Display for CallerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "user:{name}"),
            Self::Group { name, .. } => write!(f, "group:{name}"),
        }
    }
}

/// One entry of a list of callers. A name that does not resolve is a warning.
pub(super) fn caller(walk: &mut Walk<'_>, text: &At<&str>) -> Result<CallerPattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let (kind, name) = text.value.split_once(':').unwrap_or((text.value, ""));
    let is_user = match kind {
        "user" => true,
        "group" => false,
        _ => {
            let help = "write user:NAME, user:UID, group:NAME or group:GID";
            return Err(
                problem(format!("{:?} is neither a user nor a group", text.value)).help(help)
            );
        }
    };
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') {
        return Err(problem(format!("{:?} is no {kind} name", text.value)));
    }
    if name.contains('*') {
        let help = "list the users and groups one by one";
        return Err(problem("callers are no patterns".to_owned()).help(help));
    }
    let found = match name.bytes().all(|b| b.is_ascii_digit()) {
        true => match name.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => return Err(problem(format!("{name} is too large for an id"))),
        },
        false if is_user => walk.names.user(name),
        false => walk.names.group(name),
    };
    let id = match found {
        Ok(Some(id)) => Some(id),
        Ok(None) => {
            let warning =
                problem(format!("there is no {kind} {name:?} on this host: it matches nobody"));
            walk.warn(warning.help("create it and restart grantd, or correct the name"));
            None
        }
        Err(why) => {
            let warning = problem(format!(
                "the {kind} {name:?} cannot be looked up ({why}): it matches nobody"
            ));
            walk.warn(warning.help("restart grantd when the user database answers"));
            None
        }
    };
    if id.is_some_and(|id| id == OVERFLOW || id == NO_ID) {
        let why = format!("{kind} {name} is what the kernel shows for everybody it cannot name");
        return Err(problem(why).help("list a user or group of its own"));
    }
    let name = name.to_owned();
    Ok(match is_user {
        true => CallerPattern::User { name, uid: id },
        false => CallerPattern::Group { name, gid: id },
    })
}
