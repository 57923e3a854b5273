//! `grantd run`: hands over to the daemon.

use std::path::PathBuf;

use super::args::RunArgs;
use super::out::Stop;
use crate::fault::{Fault, Kind};

/// Run the daemon until it is told to stop.
///
/// # Errors
/// Why it could not start, or had to end.
pub(super) fn run(args: &RunArgs, socket: PathBuf) -> Result<u8, Stop> {
    if args.with_parent {
        let signal = Some(rustix::process::Signal::TERM);
        rustix::process::set_parent_process_death_signal(signal).map_err(|error| {
            Fault::new(Kind::Io, format!("cannot end with the parent process: {error}"))
        })?;
    }
    Err(Fault::new(Kind::Bug, format!("no daemon yet for {}", socket.display())).into())
}
