//! Making the socket: only the owner and one group may connect, and nothing but a dead socket is
//! ever removed.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::unistd::Group;
use rustix::fs::Mode;

use crate::fault::{Fault, Kind};

/// The group that may connect, where none is named and it exists (the package makes it).
pub const DEFAULT_GROUP: &str = "grantd";
/// Owner and group may connect.
const SHARED: u32 = 0o660;
/// Only the owner may: without a group of our own, the owner's primary group could be everybody.
const PRIVATE: u32 = 0o600;

/// Bind the control socket at `path` and open it to `group`; `None` stands for [`DEFAULT_GROUP`] if
/// that exists and can be given, else for nobody but the owner.
///
/// A crash leaves the socket file behind, and so does a stop: the next start finds that nobody
/// answers there and replaces it. Two daemons that start at the same instant are kept apart by the
/// ledger's lock, which is taken first.
///
/// # Errors
/// `LedgerHeld` when another daemon answers there, `Config` for a group that does not exist, `Io`
/// for the rest.
pub fn bind(path: &Path, group: Option<&str>) -> Result<UnixListener, Fault> {
    clear(path)?;
    let listener = bind_private(path).map_err(|error| cannot("bind", path, &error))?;
    let gid = match group {
        Some(name) => Some(require(name)?),
        None => find(DEFAULT_GROUP)?,
    };
    let mode = match gid.map(|gid| give(path, gid)) {
        Some(Ok(())) => SHARED,
        Some(Err(error)) if group.is_some() => {
            return Err(cannot("give its group to", path, &error));
        }
        Some(Err(error)) => {
            let path = path.display();
            tracing::warn!(%error, %path, "only the owner may use the socket: no group set");
            PRIVATE
        }
        None => PRIVATE,
    };
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| cannot("set the mode of", path, &error))?;
    Ok(listener)
}

/// Remove a socket that nobody listens on. Anything else stays, and is the fault's text.
fn clear(path: &Path) -> Result<(), Fault> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return require_directory(path),
        Err(error) => return Err(cannot("look at", path, &error)),
    };
    if !found.file_type().is_socket() {
        let text = format!("{} is there and is no socket", path.display());
        return Err(Fault::new(Kind::Io, text).hint("move it away, or choose another --socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => {
            let text = format!("another daemon answers on {}", path.display());
            Err(Fault::new(Kind::LedgerHeld, text))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| cannot("replace the old", path, &error))
        }
        Err(error) => Err(cannot("find out who answers on", path, &error)),
    }
}

fn require_directory(path: &Path) -> Result<(), Fault> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if directory.is_dir() {
        return Ok(());
    }
    let text = format!("the socket's directory {} is not there", directory.display());
    Err(Fault::new(Kind::FileAbsent, text).hint("create it, or choose another --socket"))
}

/// Bind so that nobody but the owner can connect until mode and group are set. The mask belongs to
/// the whole process: for this instant other threads make their files private too, which harms
/// nobody.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    static MASK: Mutex<()> = Mutex::new(()); // two at once would restore each other's mask
    let _alone = MASK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

/// The unit's system call filter refuses chown(2); there the group is the daemon's own, and nothing
/// is to be done.
fn give(path: &Path, gid: u32) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.gid() == gid {
        return Ok(());
    }
    chown(path, None, Some(gid))
}

fn find(name: &str) -> Result<Option<u32>, Fault> {
    let found = Group::from_name(name).map_err(|error| {
        let text = format!("cannot look up group {name:?}: {}", error.desc());
        Fault::new(Kind::Io, text)
    })?;
    Ok(found.map(|group| group.gid.as_raw()))
}

fn require(name: &str) -> Result<u32, Fault> {
    find(name)?.ok_or_else(|| {
        let text = format!("no group {name:?} on this host, which is to own the socket");
        Fault::new(Kind::Config, text).hint("create the group, or name another")
    })
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Io, format!("cannot {what} socket {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
