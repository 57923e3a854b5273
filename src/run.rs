//! From argv to the exit code. Nothing else in the program ends the process.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli;
use crate::cli::args::Cli;
use crate::cli::out::Out;
use crate::clock::Clock as _;
use crate::clock::system::SystemClock;
use crate::fault::{Fault, Kind, exit};

/// Run the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

fn run(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let typed = match Cli::try_parse_from(argv) {
        Ok(typed) => typed,
        Err(error) => {
            // clap writes --help and --version to stdout, everything else to stderr; its own code
            // for both is 2.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            return if error.print().is_ok() { code } else { exit::IO };
        }
    };
    let now = SystemClock::new().map(|clock| clock.read().wall);
    let mut out = Out::process(typed.json, now.as_ref().copied().unwrap_or_default());
    let result = match now {
        Ok(_) => cli::dispatch(typed, &mut out),
        Err(error) => Err(Fault::new(Kind::Io, error.to_string()).into()),
    };
    out.end(result)
}
