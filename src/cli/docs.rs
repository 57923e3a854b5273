//! `grantd completions` and `grantd man`: made from the same definitions as the help, so that they
//! cannot differ.

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::out::{Out, Stop};
use crate::fault::{Fault, Kind};

/// Completions on stdout.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn completions(args: &CompletionsArgs, out: &mut Out) -> Result<u8, Stop> {
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "grantd", &mut script);
    out.writer().write_all(&script)?;
    Ok(0)
}

/// One page for grantd and one for each command.
///
/// # Errors
/// [`Kind::FileAbsent`] without the directory, [`Kind::Io`] when it takes no file.
pub(super) fn man(args: &ManArgs, out: &mut Out) -> Result<u8, Stop> {
    if !args.dir.is_dir() {
        let text = format!("{} is not a directory", args.dir.display());
        return Err(Fault::new(Kind::FileAbsent, text).hint("make it first: mkdir -p").into());
    }
    // The page of a default must not carry the environment of the machine that builds it.
    let command = Cli::command().mut_args(|arg| arg.hide_env_values(true));
    clap_mangen::generate_to(command, &args.dir).map_err(|error| {
        Fault::new(Kind::Io, format!("cannot write man pages to {}: {error}", args.dir.display()))
    })?;
    out.note(&format!("man pages are in {}", args.dir.display()))?;
    Ok(0)
}
