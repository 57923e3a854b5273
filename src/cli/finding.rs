//! What a check found, line by line, each with what to do about it.

use std::io;

use anstyle::Style;
use serde::Serialize;

use super::out::{BAD, GOOD, Out, WARN};
use super::words::clean;

/// How bad it is; the order is that of the exit codes of `doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// Something that grantd is for does not work.
    Failure,
}

impl Level {
    const fn shown(self) -> (Style, &'static str) {
        match self {
            Self::Ok => (GOOD, "ok"),
            Self::Warning => (WARN, "warning"),
            Self::Failure => (BAD, "failure"),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Finding {
    /// Which thing, such as `credentials 111122223333 ap-northeast-1`.
    pub(super) what: String,
    pub(super) level: Level,
    /// What was seen.
    pub(super) seen: String,
    /// What to do; none where all is well.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Ok, seen: seen.into(), remedy: None }
    }

    pub(super) fn warning(
        what: impl Into<String>,
        seen: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { what: what.into(), level: Level::Warning, seen: seen.into(), remedy }
    }

    pub(super) fn failure(
        what: impl Into<String>,
        seen: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { level: Level::Failure, ..Self::warning(what, seen, remedy) }
    }
}

/// The worst of them.
pub(super) fn worst(all: &[Finding]) -> Level {
    all.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// A line each, and the remedy below where there is one.
pub(super) fn print(all: &[Finding], out: &mut Out) -> io::Result<()> {
    for Finding { what, level, seen, remedy } in all {
        let (style, word) = level.shown();
        out.line(format!("{style}{word:<7}{style:#}  {}: {}", clean(what), clean(seen)))?;
        if let Some(remedy) = remedy {
            out.line(format!("         {}", clean(remedy)))?;
        }
    }
    Ok(())
}
