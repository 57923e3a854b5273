//! Finding COMMAND before anybody gets access for it: as execvp(3) would, with the exit codes that
//! shells give.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::cli::out::{Out, Stop};
use crate::cli::words::clean;
use crate::fault::{Fault, Kind};

/// POSIX sh: the command was found, and cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// POSIX sh: the command was not found.
const NOT_FOUND: u8 = 127;
/// Where programs are, for a process without `PATH` (confstr(3) `_CS_PATH`).
const PATH: &str = "/bin:/usr/bin";

/// Why COMMAND cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    exit: u8,
    fault: Fault,
}

impl Missing {
    /// What `error`, met at the start of `name`, means.
    pub(super) fn of(name: &str, error: &io::Error) -> Self {
        let absent = error.kind() == io::ErrorKind::NotFound;
        let exit = if absent { NOT_FOUND } else { NOT_EXECUTABLE };
        Self::new(exit, format!("cannot run {}: {error}", clean(name)))
    }

    fn new(exit: u8, text: String) -> Self {
        let hint = "write the command behind `--` as a shell would find it";
        Self { exit, fault: Fault::new(Kind::FileAbsent, text).hint(hint) }
    }

    /// Tell it, and give the exit code.
    ///
    /// # Errors
    /// When stderr takes no more.
    pub(super) fn tell(&self, out: &mut Out) -> Result<u8, Stop> {
        out.trouble(&self.fault)?;
        Ok(self.exit)
    }
}

/// The program that `name` means.
///
/// # Errors
/// [`Missing`].
pub(super) fn find(name: &OsStr) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(PATH));
    find_in(name, &path)
}

fn find_in(name: &OsStr, path: &OsStr) -> Result<PathBuf, Missing> {
    let shown = clean(&name.to_string_lossy());
    let not_executable =
        || Missing::new(NOT_EXECUTABLE, format!("{shown} is not a file that may be executed"));
    let not_found = |where_to: &str| {
        Missing::new(NOT_FOUND, format!("there is no command {shown:?}{where_to}"))
    };
    if name.as_bytes().contains(&b'/') {
        let file = Path::new(name);
        return match (runs(file), file.exists()) {
            (true, _) => Ok(file.to_owned()),
            (false, true) => Err(not_executable()),
            (false, false) => Err(not_found("")),
        };
    }
    let mut there = false;
    for dir in std::env::split_paths(path) {
        // An empty entry is the working directory.
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let file = dir.join(name);
        if runs(&file) {
            return Ok(file);
        }
        there |= file.is_file();
    }
    Err(if there { not_executable() } else { not_found(" in PATH") })
}

fn runs(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests;
