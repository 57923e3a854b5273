//! Runs the real binary with everything fixed that its output could depend on.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// The binary, with a narrow and clean environment.
pub(crate) fn grantd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantd"));
    command
        .env_clear()
        .env("TZ", "UTC")
        .env("COLUMNS", "100")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null());
    command
}

/// What a person sees: the command line, the exit code, both streams.
pub(crate) fn transcript(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let line: Vec<String> =
        words.map(|word| if word.contains(' ') { format!("'{word}'") } else { word }).collect();
    let mut text = format!("$ grantd {}\n", line.join(" "));
    text.push_str(&String::from_utf8(output.stdout).unwrap());
    let stderr = String::from_utf8(output.stderr).unwrap();
    if !stderr.is_empty() {
        write!(text, "--- stderr\n{stderr}").unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => writeln!(text, "--- exit {code}").unwrap(),
        None => writeln!(text, "--- killed: {}", output.status).unwrap(),
    }
    text
}
