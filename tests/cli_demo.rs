//! The first command of a newcomer, whole: the story, its exit code, and that nothing is left.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/redact.rs"]
mod redact;

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use command::{grantd, transcript};
use rustix::process::{Pid, Signal, kill_process};

/// What differs from one telling to the next, beyond the common list.
fn settings() -> insta::Settings {
    let mut settings = redact::settings();
    for (pattern, word) in [
        (r"127\.0\.0\.1:\d+", "[ADDR]"),
        (r"(?m)\S+/grantd run ", "[GRANTD] run "),
        (r"user:\d+", "user:[UID]"),
        (r"g-[0-9a-z]{12}", "[REF]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z", "[INSTANT]"),
        (r"its last success began \d+ ms .*", "its last success began [MS] from the deadline"),
        (r"\d+ ms after the deadline", "[MS] after the deadline"),
        // The last success may have begun on either side of the deadline, and on a busy machine the
        // first look that misses the grant may come before the ledger may be closed on it.
        (r" +\[INSTANT\]  gone +grantd\n", ""),
        (r"\d+ rows in all", "[N] rows in all"),
        (r"and \d+ ms later", "and [MS] later"),
        (r"decrypted \d+ times", "decrypted [N] times"),
        (r"(      \d+ s left; decrypted so far: \d+\n)+", "      [COUNTDOWN]\n"),
        (r"uid \d+ \([^)]*\)", "[ASKER]"),
        (r"it took \d+ s", "it took [N] s"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings
}

#[test]
fn the_story_comes_out_as_told() {
    let told = transcript(grantd().arg("demo"));
    settings().bind(|| insta::assert_snapshot!("demo", told));
}

/// Reads lines until one contains `wanted`.
fn until(child: &mut Child, wanted: &str) -> (String, BufReader<std::process::ChildStdout>) {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains(wanted) {
        assert!(lines.read_line(&mut seen).unwrap() > 0, "it ended early:\n{seen}");
    }
    (seen, lines)
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Where the demo's daemon listens.
fn socket(told: &str) -> &str {
    told.split_whitespace().find(|word| word.ends_with("/grantd.sock")).unwrap()
}

#[test]
fn ctrl_c_in_the_middle_leaves_nothing_behind() {
    let mut child = grantd().arg("demo").stdout(Stdio::piped()).spawn().unwrap();
    let (told, _rest) = until(&mut child, "RoleA reads");
    let socket = Path::new(socket(&told));
    UnixStream::connect(socket).unwrap();
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!socket.parent().unwrap().exists(), "{}", socket.display());
}

#[test]
fn the_sandbox_tells_where_it_is_and_stops_on_ctrl_c() {
    let mut child = grantd().arg("sandbox").stdout(Stdio::piped()).spawn().unwrap();
    let (mut told, mut rest) = until(&mut child, "Ctrl-C");
    interrupt(&child);
    assert!(child.wait().unwrap().success());
    rest.read_to_string(&mut told).unwrap();
    let mut settings = settings();
    settings.add_filter(r"[0-9a-f]{8}-[0-9a-f-]{27}", "[KEY]");
    settings.add_filter(r"echo [A-Za-z0-9+/=]+", "echo [CIPHERTEXT]");
    settings.bind(|| insta::assert_snapshot!("sandbox", told));
}

#[test]
fn the_sandbox_listens_on_loopback_only() {
    let told = transcript(grantd().args(["sandbox", "--listen", "0.0.0.0:0"]));
    insta::assert_snapshot!(told, @r"
    $ grantd sandbox --listen 0.0.0.0:0
    --- stderr
    error: --listen 0.0.0.0:0 is no loopback address
    hint: its credentials are public: listen on 127.0.0.1, such as 127.0.0.1:4599
    --- exit 64
    ");
}
