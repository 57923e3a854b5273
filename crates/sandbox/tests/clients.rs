//! boto3 and the AWS CLI against the sandbox, for every operation that it has (`clients.py`). Both
//! come from a Python environment under `target/`; where that cannot be made, the trials are shown
//! as ignored, with the reason, and with `CI=true` they fail.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use kms_sandbox::Op;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value, json};
use testbed::{Sandbox, venv};

/// Where the sandbox is and who is in it, as `clients.py` reads it.
fn facts(sandbox: &Sandbox) -> Value {
    let story = &sandbox.story;
    let identity = |i: &kms_sandbox::Identity| {
        let keys = json!({ "arn": i.arn, "id": i.access_key_id, "secret": i.secret_access_key });
        (i.name.to_owned(), keys)
    };
    let identities: Map<String, Value> = story.credentials().into_iter().map(identity).collect();
    let operations: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    json!({
        "url": sandbox.server.url(), "region": story.core.settings().region,
        "key_arn": story.key_arn, "alias": story.alias, "identities": identities,
        "operations": operations,
    })
}

/// Runs `clients.py` on a sandbox of its own.
fn run(client: &str) -> Result<(), Failed> {
    let programs = venv::CLIENTS.programs()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients.py");
    let sandbox = Sandbox::start();
    let mut command = Command::new(programs.join("python"));
    command.arg(script).arg(client).arg(programs.join("aws"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let input = facts(&sandbox).to_string();
    // Dropped at the end of the statement, which is the end of the script's input.
    child.stdin.take().expect("a pipe").write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let steps = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && steps.ends_with("all as it should be\n") {
        return Ok(());
    }
    Err(format!("{steps}\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    // Whoever only lists the tests waits for no installation.
    let missing = if args.list { None } else { venv::CLIENTS.programs().err() };
    let honest = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let trials = ["boto3", "aws"].map(|client| {
        let name = match &missing {
            Some(reason) => format!("{client} (not run: {reason})"),
            None => client.to_owned(),
        };
        let ignored = missing.is_some() && !honest;
        Trial::test(name, move || run(client)).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}
