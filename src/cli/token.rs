//! The grant token, which gives access before a grant has propagated: it is given once, so it goes
//! where the asker wants it, or is lost.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::out::{Out, Stop};
use super::words;
use crate::fault::{Fault, Kind};
use crate::ids::Ref;

/// What to expect of KMS (kms-facts 4: usually seconds, in most cases within five minutes).
const PROPAGATION: &str =
    "KMS usually lets the grantee in within seconds, at times only after about 5 min";
/// How to get in at once.
const WITH_TOKEN: &str = "the grant token gives access at once: pass it as --grant-tokens";
/// How to get the token next time.
const TOKEN_HOW: &str = "--print-token or --token-file gives the token that works at once";

/// A file for the token that nobody else can read. It is made *before* the lease: a token that
/// cannot be written down would be lost, since nobody keeps it.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    file: File,
}

impl TokenFile {
    /// Make the file, which must not be there yet.
    ///
    /// # Errors
    /// [`Kind::Io`].
    pub(super) fn new(path: &Path) -> Result<Self, Fault> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = opened.map_err(|error| {
            Fault::new(Kind::Io, format!("cannot make the token file {}: {error}", path.display()))
                .hint("name a file that does not exist yet, in a directory that you may write to")
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Write the token, durably.
    ///
    /// # Errors
    /// [`Kind::Io`]; the lease exists all the same.
    pub(super) fn keep(mut self, token: &str) -> Result<(), Fault> {
        let written = writeln!(self.file, "{token}").and_then(|()| self.file.sync_all());
        written.map_err(|error| {
            let path = self.path.display();
            Fault::new(Kind::Io, format!("cannot write the grant token to {path}: {error}")).hint(
                "the lease is made all the same; without the token, wait until the grant has \
                 propagated",
            )
        })
    }

    /// There is no token: take the empty file away again.
    pub(super) fn drop_empty(self) {
        // Best effort: an empty file left behind harms nobody.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Put the token into its file, if it has one, so that it is not printed as well; the file, where
/// it holds a token now.
///
/// # Errors
/// [`Kind::Io`]; the grant exists all the same.
pub(super) fn put(
    token: &mut Option<String>,
    file: Option<TokenFile>,
    lease: &Ref,
) -> Result<Option<PathBuf>, Fault> {
    let Some(file) = file else { return Ok(None) };
    let Some(token) = token.take() else {
        file.drop_empty();
        return Ok(None);
    };
    let path = file.path.clone();
    file.keep(&token).map_err(|fault| fault.about(lease.clone()))?;
    Ok(Some(path))
}

/// What to expect of the new grant, and where its token is.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn tell(
    out: &mut Out,
    token: Option<&str>,
    kept: Option<&Path>,
    wanted: bool,
) -> Result<(), Stop> {
    match (token, kept) {
        (_, Some(path)) => {
            out.line(format!("{PROPAGATION}; {WITH_TOKEN} (it is in {})", path.display()))?;
        }
        (Some(token), None) => {
            out.line(format!("{PROPAGATION}; {WITH_TOKEN}:"))?;
            out.line(words::clean(token))?;
        }
        (None, None) if wanted => {
            out.line(format!(
                "{PROPAGATION}; KMS gives the grant token once, so a repeat has none"
            ))?;
        }
        (None, None) => out.line(format!("{PROPAGATION}; {TOKEN_HOW}"))?,
    }
    Ok(())
}
