//! From argv to the exit code. Nothing else in the program ends the process.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli;
use crate::cli::args::Cli;
use crate::cli::out::Out;
use crate::clock::Clock as _;
use crate::clock::system::SystemClock;
use crate::fault::{Fault, Kind, exit};
use crate::wire::Problem;

/// Run the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

fn run(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let argv: Vec<OsString> = argv.into_iter().collect();
    let typed = match Cli::read(&argv) {
        Ok(typed) => typed,
        Err(error) => {
            // clap writes --help and --version to stdout, everything else to stderr; its own code
            // for both is 2.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let printed = error.print().is_ok();
            // A script reads stdout: there it finds what every other fault gives it.
            let told = printed && (code == exit::OK || !wants_json(&argv) || problem(&error));
            return if told { code } else { exit::IO };
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

/// Whether the line that clap could not read asks for JSON.
fn wants_json(argv: &[OsString]) -> bool {
    argv.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// The problem document of a line that clap could not read, on stdout: its first paragraph.
fn problem(error: &clap::Error) -> bool {
    let text = error.to_string();
    let text = text.split("\n\n").next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let fault = Fault::new(Kind::Usage, words.join(" "));
    let mut out = Out::process(true, Default::default());
    out.document(&Problem::from(&fault)).and_then(|()| out.flush()).is_ok()
}
