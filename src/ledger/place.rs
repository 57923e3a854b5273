//! Where the ledger lies: its directory and files, whether they are safe, and the ballast for a
//! full disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statfs, statvfs};

use super::OpenError;
use crate::rules::time::{SECOND, Time};

/// The ledger's file in the state directory.
pub(super) const FILE: &str = "ledger.db";
/// Given back to the disk when it is full, so that endings can still be recorded: room for
/// thousands of them.
const BALLAST: &str = "ballast";
/// 4 MiB (reliability 2).
const BALLAST_BYTES: u64 = 4 << 20;
/// The ballast comes back only when this much is free beside it, so that it does not itself fill
/// the disk.
const BALLAST_ROOM: u64 = 4 * BALLAST_BYTES;
/// What a file is called that was put aside.
const BROKEN: &str = "ledger.db.broken-";
/// SQLite's companions of the file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// `f_type` of file systems whose locks or syncs reach over a network, or may (FUSE): linux/magic.h
/// and statfs(2).
const REMOTE: [(u32, &str); 12] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x564C, "NCP"),
    (0x7375_7245, "Coda"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x0BD0_0BD0, "Lustre"),
    (0x6573_5546, "FUSE"),
];

pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> OpenError {
    let path = path.to_owned();
    move |error| OpenError::Io { path: path.clone(), why: error.to_string() }
}

fn not_safe(path: &Path, why: impl Into<String>) -> OpenError {
    OpenError::Unsafe { path: path.to_owned(), why: why.into() }
}

/// The state directory, made if it is missing, checked, and without symbolic links in its path.
pub(super) fn directory(dir: &Path) -> Result<PathBuf, OpenError> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(dir)(error)),
    }
    let dir = dir.canonicalize().map_err(io(dir))?;
    let meta = fs::metadata(&dir).map_err(io(&dir))?;
    if !meta.is_dir() {
        return Err(not_safe(&dir, "it is no directory"));
    }
    owned(&dir, &meta)?;
    let kind = statfs(&dir).map_err(|error| io(&dir)(error.into()))?.f_type;
    // f_type is 32 bits wide in truth; its Rust type differs between targets.
    let kind = u32::try_from(i128::from(kind) & 0xFFFF_FFFF).unwrap_or(0);
    if let Some((_, name)) = REMOTE.iter().find(|(magic, _)| *magic == kind) {
        let why = format!("{name} cannot be trusted with locks and syncs; use a local disk");
        return Err(not_safe(&dir, why));
    }
    Ok(dir)
}

fn owned(path: &Path, meta: &fs::Metadata) -> Result<(), OpenError> {
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        let why = format!("uid {} owns it, and grantd runs as uid {me}", meta.uid());
        return Err(not_safe(path, why));
    }
    let mode = meta.mode() & 0o7777;
    // Who may write to the directory can put another file in the ledger's place; who may only list
    // it sees names.
    let (others, right) = if meta.is_dir() { (0o022, "0700") } else { (0o077, "0600") };
    if mode & others != 0 {
        let why = format!("its mode is {mode:04o}, open to others; chmod {right} it");
        return Err(not_safe(path, why));
    }
    Ok(())
}

/// The ledger's file, made empty if it is missing. An existing file is never opened here: a POSIX
/// close would drop the locks that a SQLite connection of this process holds on it.
pub(super) fn file(dir: &Path) -> Result<PathBuf, OpenError> {
    let path = dir.join(FILE);
    if !exists(&path)? {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        drop(made.map_err(io(&path))?);
    }
    for companion in [""].iter().chain(&COMPANIONS) {
        let path = beside(&path, companion);
        if exists(&path)? {
            regular(&path)?;
        }
    }
    Ok(path)
}

fn regular(path: &Path) -> Result<(), OpenError> {
    let meta = fs::symlink_metadata(path).map_err(io(path))?;
    if !meta.is_file() {
        return Err(not_safe(path, "it is no regular file"));
    }
    if meta.nlink() != 1 {
        let why = format!("it has {} names (hard links); it must have one", meta.nlink());
        return Err(not_safe(path, why));
    }
    owned(path, &meta)
}

pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(path)(error)),
    }
}

/// `path` with `suffix` after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Make new names durable; SQLite ignores it when this fails (reliability 2).
pub(super) fn sync_directory(dir: &Path) -> Result<(), OpenError> {
    let open = File::open(dir).map_err(io(dir))?;
    open.sync_all().map_err(io(dir))
}

/// Put a corrupt ledger aside, with all that belongs to it, as `ledger.db.broken-<when it was last
/// written>`. Nobody may have it open. While such a file lies there, grantd only ends leases
/// (docs/recovery.md).
///
/// # Errors
/// Those of renaming; the file is then still where it was.
pub fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let file = dir.join(FILE);
    let written = [file.clone(), beside(&file, "-wal")]
        .iter()
        .filter_map(|path| fs::symlink_metadata(path).ok())
        .map(|meta| meta.mtime())
        .max()
        .unwrap_or(0);
    let stamp = Time(written.saturating_mul(SECOND)).to_string();
    let stamp: String = stamp.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let names = (0u32..).map(|n| match n {
        0 => dir.join(format!("{BROKEN}{stamp}")),
        n => dir.join(format!("{BROKEN}{stamp}.{n}")),
    });
    let mut free = names.filter(
        |path| matches!(fs::symlink_metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound),
    );
    let Some(aside) = free.next() else {
        return Err(io::ErrorKind::AlreadyExists.into());
    };
    // The companions first: a fresh file must never meet the old WAL, whatever stops us in between.
    for companion in COMPANIONS {
        match fs::rename(beside(&file, companion), beside(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(&file, &aside)?;
    File::open(dir)?.sync_all()?;
    Ok(aside)
}

/// The corrupt ledgers that were put aside here and still wait for a person, by name.
///
/// # Errors
/// Those of reading the directory.
pub fn broken_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let companion = COMPANIONS.iter().any(|end| name.ends_with(end));
        if name.starts_with(BROKEN) && !companion {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the ballast is there: the room that is given up for the records of ends when the disk is
/// full.
#[must_use]
pub fn has_ballast(dir: &Path) -> bool {
    let meta = fs::symlink_metadata(dir.join(BALLAST));
    meta.is_ok_and(|meta| meta.len() >= BALLAST_BYTES)
}

/// Put the ballast there if it is missing and there is room. True when it is there.
pub(super) fn ensure_ballast(dir: &Path) -> bool {
    let path = dir.join(BALLAST);
    if has_ballast(dir) {
        return true;
    }
    let room = statvfs(dir).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if room < BALLAST_BYTES + BALLAST_ROOM {
        return false;
    }
    let made = write_ballast(&path);
    if made.is_err() {
        release_ballast(dir);
    }
    made.is_ok()
}

fn write_ballast(path: &Path) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // Where the file system cannot reserve blocks, bytes do.
    if fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES).is_err() {
        let bytes = usize::try_from(BALLAST_BYTES).unwrap_or(0);
        file.write_all(&vec![0x5A; bytes])?;
    }
    file.sync_all()
}

/// Give the ballast's space back to the disk. False when it was not there.
pub(super) fn release_ballast(dir: &Path) -> bool {
    fs::remove_file(dir.join(BALLAST)).is_ok()
}
