//! What of this host grantd stands on: socket, unit, disk and ledger.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Group};
use rustix::fs::statvfs;

use super::super::finding::Finding;
use super::LEDGER;
use crate::ledger::{broken_files, has_ballast};

/// The unit of the package.
const UNIT: &str = "grantd.service";
/// Below this much free disk somebody should look: the ledger grows by some kB a lease.
const DISK_LOW: u64 = 256 << 20;
/// Below this creates are about to be refused: the ballast and the room that it wants beside it.
const DISK_OUT: u64 = 20 << 20;
/// The bits of a mode that tell who may connect.
const MODE: u32 = 0o777;

/// The socket's file: who may connect. Nothing where there is none; that tells the daemon's line.
pub(super) fn socket(path: &Path) -> Option<Finding> {
    let what = "socket";
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            let seen = format!("{}: {error}", path.display());
            return Some(Finding::warning(what, seen, "look as root"));
        }
    };
    if !meta.file_type().is_socket() {
        let seen = format!("{} is no socket", path.display());
        return Some(Finding::failure(what, seen, "move it away, then restart the daemon"));
    }
    let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
    let group = group.map_or_else(|| meta.gid().to_string(), |group| group.name);
    let mode = meta.mode() & MODE;
    let seen = format!("{}, mode {mode:04o}, group {group}", path.display());
    Some(match (mode & 0o060, mode & 0o006) {
        (_, 1..) => {
            Finding::warning(what, seen, "everybody may connect: restart the daemon, or chmod o-rw")
        }
        (0o060, 0) => Finding::ok(what, seen),
        (_, 0) => {
            let remedy =
                "only its owner may connect: make the group grantd, then restart the daemon";
            Finding::warning(what, seen, remedy)
        }
    })
}

/// What systemd says of the unit.
pub(super) fn unit(answers: bool) -> Finding {
    let what = "unit";
    let properties = "--property=LoadState,ActiveState,UnitFileState";
    let asked = Command::new("systemctl")
        .args(["show", UNIT, properties])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let told = match asked {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(_) | Err(_) => return Finding::ok(what, "no systemd answers here, so there is none"),
    };
    let of = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default()
    };
    let (load, active, file) = (of("LoadState"), of("ActiveState"), of("UnitFileState"));
    let seen = format!("{UNIT} is {load}, {active}, {file}");
    match (load, active, file) {
        ("loaded", "active", "enabled") => Finding::ok(what, seen),
        ("loaded", "active", _) => Finding::warning(
            what,
            seen,
            "systemctl enable grantd, or it is gone after the next boot",
        ),
        ("loaded", ..) if answers => Finding::warning(
            what,
            seen,
            "a daemon answers that the unit did not start: stop it, then systemctl start grantd",
        ),
        ("loaded", ..) => Finding::failure(
            what,
            seen,
            "systemctl enable --now grantd; `journalctl -u grantd` says why it ended",
        ),
        _ if answers => Finding::ok(what, format!("{seen}; the daemon runs without it")),
        _ => Finding::warning(what, seen, "install the unit: README, \"Install\""),
    }
}

/// The room that the ledger has.
pub(super) fn disk(dir: &Path) -> Finding {
    let what = "disk";
    let room = match statvfs(dir) {
        Ok(room) => room,
        Err(error) => {
            let seen = format!("{}: {error}", dir.display());
            return Finding::failure(what, seen, "name the state directory with --state-dir");
        }
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let seen = format!("{} MiB free for {}", free >> 20, dir.display());
    let remedy = "make room: a full disk refuses creates, and endings go on by the ballast";
    match free {
        0..DISK_OUT => Finding::failure(what, seen, remedy),
        DISK_OUT..DISK_LOW => Finding::warning(what, seen, remedy),
        DISK_LOW.. => Finding::ok(what, seen),
    }
}

/// What is given up of the disk when it is full. Nothing before the first start, which puts it
/// there.
pub(super) fn ballast(dir: &Path) -> Option<Finding> {
    let what = "ballast";
    if !dir.join(LEDGER).exists() {
        return None;
    }
    if has_ballast(dir) {
        return Some(Finding::ok(what, "in place: on a full disk it makes room to record ends"));
    }
    let remedy =
        "make room on the disk: the daemon puts it back with the first write that has some";
    Some(Finding::warning(what, "given up, or never made: the disk is or was full", remedy))
}

/// Ledgers that were put aside as corrupt.
pub(super) fn broken(dir: &Path) -> Option<Finding> {
    let found = broken_files(dir).ok()?;
    let first = found.first()?.display().to_string();
    let seen = format!("{first} was put aside as corrupt: the daemon only ends leases");
    Some(Finding::failure("corrupt ledger", seen, "see docs/recovery.md"))
}
