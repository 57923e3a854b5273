//! The disk under the ledger: SQLite's own code on files in memory, which forget at a power cut
//! what was not synced, tear what was half written, and fail when they are told to.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use grantd::rng::Rng as _;
use tokio::sync::Notify;

use crate::clock::SimRng;
use crate::vfs;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// The room that the ballast's removal gives (`ledger::place`).
pub(crate) const BALLAST: usize = 4 << 20;

/// How a disk is ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ill {
    /// Each sync fails, and what was to be synced is never written, as with Linux's page cache.
    Syncs,
    /// Each write fails.
    Writes,
    /// No file can grow, until the ballast is given up.
    Full,
    /// No file can grow at all.
    Crammed,
}

/// What a program does to a file and a disk may fail to do.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

#[derive(Debug, Default)]
struct File {
    /// What is read.
    live: Vec<u8>,
    /// What a power cut leaves for certain.
    kept: Vec<u8>,
    /// Whether its name would still be there.
    named: bool,
    /// What was done since the last sync.
    pending: Vec<Change>,
}

/// The files of one directory.
#[derive(Default)]
pub(crate) struct Files {
    ballast: PathBuf,
    files: BTreeMap<String, File>,
    /// Deleted, but their names might come back.
    ghosts: BTreeMap<String, Vec<u8>>,
    /// Who opened a file before the last crash is dead.
    life: u32,
    ill: Option<Ill>,
    /// So many writes failed by that.
    failed: u32,
    /// The ballast's room that is used up.
    used: usize,
    /// The n-th operation from now fails, once.
    hiccup: Option<u32>,
    /// It did.
    hiccuped: bool,
    /// The power fails at the n-th operation from now.
    cut_in: Option<u32>,
    /// It has failed.
    dark: bool,
    went_dark: Arc<Notify>,
}

/// Every directory that has a ledger.
static DISKS: Mutex<BTreeMap<PathBuf, Arc<Mutex<Files>>>> = Mutex::new(BTreeMap::new());

/// What a panic of another scene left is whole: each operation is one step.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files of the directory that `path` lies in.
pub(crate) fn of(path: &str) -> (Arc<Mutex<Files>>, String) {
    let path = Path::new(path);
    let (dir, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let files = Arc::clone(hold(&DISKS).entry(dir.to_owned()).or_default());
    (files, name.to_str().unwrap().to_owned())
}

/// What the files held at some time, for a backup.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// The disk of a directory, until it is dropped.
pub(crate) struct Disk {
    dir: PathBuf,
    files: Arc<Mutex<Files>>,
    pub(crate) went_dark: Arc<Notify>,
}

/// From now on all that this process opens with SQLite lies on such disks.
pub(crate) fn insert() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| sqlite_vfs::register("simulated", vfs::Simulated, true).unwrap());
}

impl Disk {
    /// Make the directory, and its disk.
    pub(crate) fn make(dir: &Path) -> Self {
        insert();
        std::fs::create_dir_all(dir).unwrap();
        let dir = dir.canonicalize().unwrap();
        let files = Arc::<Mutex<Files>>::default();
        let went_dark = Arc::clone(&hold(&files).went_dark);
        hold(&files).ballast = dir.join("ballast");
        hold(&DISKS).insert(dir.clone(), Arc::clone(&files));
        Self { dir, files, went_dark }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        hold(&self.files)
    }

    pub(crate) fn set(&self, ill: Option<Ill>) {
        let mut files = self.files();
        (files.ill, files.used) = (ill, 0);
        // There is room again, if there was none.
        let _was_none = std::fs::remove_dir(&files.ballast).is_ok();
    }

    /// Whether a program may have been told of errors.
    pub(crate) fn is_ill(&self) -> bool {
        let files = self.files();
        files.ill.is_some() || files.hiccuped
    }

    /// So many writes failed since the disk was made.
    pub(crate) fn failed(&self) -> u32 {
        self.files().failed
    }

    /// The power has failed.
    pub(crate) fn is_dark(&self) -> bool {
        self.files().dark
    }

    pub(crate) fn hiccup_in(&self, nth: u32) {
        self.files().hiccup = Some(nth);
    }

    pub(crate) fn cut_in(&self, nth: u32) {
        self.files().cut_in = Some(nth);
    }

    /// No operation is to fail any more.
    pub(crate) fn heal(&self) {
        let mut files = self.files();
        (files.hiccup, files.hiccuped, files.cut_in) = (None, false, None);
    }

    /// Who opens a ledger syncs its directory.
    pub(crate) fn directory_is_synced(&self) {
        let mut files = self.files();
        files.ghosts.clear();
        files.files.values_mut().for_each(|file| file.named = true);
    }

    /// The program dies. With the machine, if there is `chance`: it decides what of the unsynced
    /// is lost.
    pub(crate) fn crash(&self, chance: Option<&SimRng>) {
        let mut files = self.files();
        files.life += 1;
        (files.dark, files.cut_in) = (false, None);
        if let Some(chance) = chance {
            files.lose(chance);
        }
    }

    /// What the files hold now, as a program reads them.
    pub(crate) fn image(&self) -> Image {
        let files = self.files();
        files.files.iter().map(|(name, file)| (name.clone(), file.live.clone())).collect()
    }

    /// Put an image in the place of what is there.
    pub(crate) fn restore(&self, image: Image) {
        let mut files = self.files();
        files.ghosts.clear();
        files.files = image.into_iter().map(|(name, bytes)| (name, File::of(bytes))).collect();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        hold(&DISKS).remove(&self.dir);
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes: new } => {
            let end = at + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(new);
        }
        Change::Cut(len) => bytes.resize(*len, 0),
    }
}

impl File {
    fn of(bytes: Vec<u8>) -> Self {
        Self { live: bytes.clone(), kept: bytes, named: true, pending: Vec::new() }
    }

    /// Some sectors of what was not synced arrive, in any order; others never do.
    fn lose(&mut self, rng: &SimRng) {
        let odds = [0, 1000, 500, 900, 100][usize::try_from(rng.up_to(4)).unwrap()];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write { mut at, bytes } => {
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
                        if rng.chance(odds) {
                            apply(&mut self.kept, &Change::Write { at, bytes: now.to_vec() });
                        }
                        at += now.len();
                        rest = later;
                    }
                }
                Change::Cut(_) if !rng.chance(odds) => {}
                Change::Cut(_) => apply(&mut self.kept, &change),
            }
        }
        self.live = self.kept.clone();
    }
}

fn eio(what: &str) -> Error {
    Error::other(format!("the simulated disk fails to {what}"))
}

impl Files {
    fn lose(&mut self, rng: &SimRng) {
        for (name, bytes) in std::mem::take(&mut self.ghosts) {
            if rng.chance(500) {
                self.files.entry(name).or_insert_with(|| File::of(bytes));
            }
        }
        self.files.retain(|_, file| file.named || rng.chance(500));
        self.files.values_mut().for_each(|file| file.lose(rng));
    }

    /// Whoever opened in `life` is not dead.
    fn lives(&self, life: u32, what: &str) -> Result<(), Error> {
        if self.dark || life != self.life { Err(eio(what)) } else { Ok(()) }
    }

    /// Whoever opened in `life` may act; an operation that changes something may be the one that
    /// fails.
    fn may(&mut self, life: u32, what: &str) -> Result<(), Error> {
        self.lives(life, what)?;
        let count = |left: &mut Option<u32>| {
            *left = left.map(|n| n - 1);
            left.take_if(|n| *n == 0).is_some()
        };
        if count(&mut self.cut_in) {
            self.dark = true;
            self.went_dark.notify_one();
        }
        let hiccup = count(&mut self.hiccup);
        self.hiccuped |= hiccup;
        if hiccup || self.dark { Err(eio(what)) } else { Ok(()) }
    }

    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Make it if it is missing. The ledger's own file is made, and its name synced, by grantd.
    pub(crate) fn open(&mut self, name: &str) {
        let file = self.files.entry(name.to_owned()).or_default();
        file.named |= !name.contains('-');
    }

    pub(crate) fn size(&self, life: u32, name: &str) -> Result<usize, Error> {
        self.lives(life, "stat")?;
        Ok(self.files[name].live.len())
    }

    /// Fill `buf`; with zeros where the file has ended, and an error that says so.
    pub(crate) fn read(
        &self,
        life: u32,
        name: &str,
        at: usize,
        buf: &mut [u8],
    ) -> Result<(), Error> {
        self.lives(life, "read")?;
        let there = self.files[name].live.get(at..).unwrap_or_default();
        let n = there.len().min(buf.len());
        buf[..n].copy_from_slice(&there[..n]);
        buf[n..].fill(0);
        if n < buf.len() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    pub(crate) fn change(&mut self, life: u32, name: &str, change: Change) -> Result<(), Error> {
        let may = self.may(life, "write");
        // What the power cut meets under way may have arrived, in part.
        if may.is_err() && !(self.dark && life == self.life) {
            return may;
        }
        let size = self.files[name].live.len();
        if let Change::Write { at, bytes } = &change {
            let growth = (at + bytes.len()).saturating_sub(size);
            self.ill_writes(growth).inspect_err(|_| self.failed += 1)?;
        }
        let file = self.files.get_mut(name).unwrap();
        apply(&mut file.live, &change);
        file.pending.push(change);
        may
    }

    fn ill_writes(&mut self, growth: usize) -> Result<(), Error> {
        match self.ill {
            Some(Ill::Writes) => Err(eio("write")),
            Some(Ill::Full | Ill::Crammed) if growth > 0 => {
                // The real disk has room: what stands in the ballast's place keeps it out.
                let given_up = !self.ballast.is_file();
                let _kept_out = given_up && std::fs::create_dir(&self.ballast).is_ok();
                let crammed = self.ill == Some(Ill::Crammed);
                if crammed || !given_up || self.used + growth > BALLAST {
                    return Err(ErrorKind::WriteZero.into());
                }
                self.used += growth;
                Ok(())
            }
            Some(Ill::Syncs | Ill::Full | Ill::Crammed) | None => Ok(()),
        }
    }

    pub(crate) fn sync(&mut self, life: u32, name: &str) -> Result<(), Error> {
        let may = self.may(life, "sync");
        let file = self.files.get_mut(name).unwrap();
        if may.is_err() || self.ill == Some(Ill::Syncs) {
            if !self.dark && life == self.life {
                // The next sync will say that all is well: these pages are clean.
                file.pending.clear();
            }
            return may.and(Err(eio("sync")));
        }
        for change in std::mem::take(&mut file.pending) {
            apply(&mut file.kept, &change);
        }
        file.named = true;
        Ok(())
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Error> {
        let life = self.life;
        self.may(life, "delete")?;
        let Some(file) = self.files.remove(name) else { return Err(ErrorKind::NotFound.into()) };
        if file.named {
            self.ghosts.insert(name.to_owned(), file.kept);
        }
        Ok(())
    }
}
