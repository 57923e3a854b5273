//! Reading the file: its bytes, its mode, and why there is no config.

use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::callers::{Names, System};
use super::diagnostics::{Diagnostics, Problem};
use super::{Config, parse};
use crate::fault::{Fault, Kind};

/// Larger files are not read: a policy file is written by people.
pub const FILE_MAX: u64 = 1024 * 1024;
/// The mode bit that lets everybody write.
const WRITABLE_BY_ALL: u32 = 0o002;

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
    load_with(path, &System)
}

/// The same with names resolved by `names`.
///
/// # Errors
/// As [`load`]'s.
pub fn load_with(path: &Path, names: &dyn Names) -> Result<Config, ConfigError> {
    let (text, mode) = read(path)?;
    let mut config = parse(&path.display().to_string(), &text, names)?;
    if mode & WRITABLE_BY_ALL != 0 {
        let warning = "everybody on this host may write this file, and so give himself access";
        config.warnings.add(Problem::whole(warning).help("chmod o-w"));
    }
    Ok(config)
}

/// The text and the mode of the file.
pub(super) fn read(path: &Path) -> Result<(String, u32), ConfigError> {
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
