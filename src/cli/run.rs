//! `grantd run`: hands over to the daemon.

use std::path::PathBuf;

use super::args::{LogFormat, RunArgs};
use super::out::Stop;
use crate::daemon::{self, Options};
use crate::fault::{Fault, Kind};
use crate::logging::Format;

/// Run the daemon until it is told to stop.
///
/// # Errors
/// Why it could not start, or had to end.
pub(super) fn run(args: RunArgs, socket: PathBuf, given: bool) -> Result<u8, Stop> {
    if args.with_parent {
        let signal = Some(rustix::process::Signal::TERM);
        rustix::process::set_parent_process_death_signal(signal).map_err(|error| {
            Fault::new(Kind::Io, format!("cannot end with the parent process: {error}"))
        })?;
    }
    let log = args.log.map(|log| match log {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    });
    let RunArgs { config, state_dir, .. } = args;
    let default_socket = socket;
    let socket = given.then(|| default_socket.clone());
    daemon::run(&Options { config, state_dir, socket, default_socket, log })?;
    Ok(0)
}
