//! `grantd create … -- COMMAND`: the lease lives while the command runs.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kms_sandbox::{Act, Fault, Match, Op, When};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::{Config, Host, PATIENCE, Sandbox, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies};

/// Waits for a file, and exits with 7.
const WAIT: &str = "touch began; while [ ! -e go ]; do sleep 0.02; done; exit 7";

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    (sandbox, host)
}

/// `grantd create … FLAGS -- WORDS`.
fn create(host: &Host, sandbox: &Sandbox, flags: &[&str], words: &[&str]) -> Command {
    // What is ignored where the tests were started (nohup, a job of a script) stays ignored.
    let mut command = host.command_under(&["env", "--default-signal"]);
    command.env("GRANTD_SOCKET", host.socket()).args(["create", "--key", sandbox.story.alias]);
    command.args(["--grantee", "role/RoleB", "--operations", "Decrypt"]);
    command.args(flags).arg("--").args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same, in the background, waiting for a file.
fn waiting(host: &Host, sandbox: &Sandbox, ttl: &str) -> Child {
    let child = create(host, sandbox, &["--ttl", ttl], &["sh", "-c", WAIT]).spawn().unwrap();
    until("the command runs", || began(host).exists().then_some(()));
    assert_eq!(sandbox.living().len(), 1, "it runs while there is access");
    child
}

fn began(host: &Host) -> PathBuf {
    host.dir().join("began")
}

fn go(host: &Host) {
    std::fs::write(host.dir().join("go"), "").unwrap();
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Exit code, stdout, stderr.
fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Access is over well before the deadline, and the history says why.
fn over(host: &Host, sandbox: &Sandbox, why: &str) {
    until("the grant is ended", || sandbox.living().is_empty().then_some(()));
    let lease = Lease::only(host);
    let history = host.get(&format!("/v1/history?ref={}", lease.reference));
    let rows = history.body["items"].as_array().unwrap();
    let asked: Vec<&Value> = rows.iter().filter(|row| row["kind"] == "end-asked").collect();
    assert_eq!(asked.len(), 1, "{rows:?}");
    assert_eq!(asked[0]["body"]["detail"], why);
    history_verifies(host);
}

#[test]
fn the_command_has_the_streams_and_its_exit_code_is_passed_on() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let script = "cat; echo $GRANTD_REF $GRANTD_DEADLINE ${GRANT_TOKEN:+token}; exit 3";
    let flags = ["--ttl", "1h", "--token-env", "GRANT_TOKEN"];
    let mut command = create(&host, &sandbox, &flags, &["sh", "-c", script]);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from stdin\n").unwrap();
    let (code, stdout, stderr) = ended(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(sandbox.living().is_empty(), "it is over before the exit code is told");
    let lease = Lease::only(&host);
    let deadline = lease.now(&host)["deadline"].as_str().unwrap().to_owned();
    assert_eq!(stdout, format!("from stdin\n{} {deadline} token\n", lease.reference));
    assert!(stderr.contains(", while sh runs\n"), "{stderr}");
    assert!(stderr.contains("  ended: KMS accepted at "), "{stderr}");
    over(&host, &sandbox, "the command exited with 3");

    let quiet = create(&host, &sandbox, &["-q"], &["sh", "-c", "echo ${GRANT_TOKEN-none}"]);
    let (code, stdout, stderr) = ended({ quiet }.spawn().unwrap());
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "none\n", ""));
    assert!(sandbox.living().is_empty());
}

#[test]
fn a_signal_is_passed_on_and_told_as_shells_tell_it() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    for (signal, code) in
        [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)]
    {
        let script = "touch began; exec sleep 100";
        let child = create(&host, &sandbox, &[], &["sh", "-c", script]).spawn().unwrap();
        until("the command runs", || began(&host).exists().then_some(()));
        send(&child, signal);
        let (told, _, stderr) = ended(child);
        assert_eq!(told, Some(code), "{stderr}");
        assert!(sandbox.living().is_empty());
        std::fs::remove_file(began(&host)).unwrap();
    }
    // Who handles a signal decides by himself when to go.
    let script = "trap 'exit 5' TERM; touch began; while :; do sleep 0.02; done";
    let child = create(&host, &sandbox, &[], &["sh", "-c", script]).spawn().unwrap();
    until("the command runs", || began(&host).exists().then_some(()));
    send(&child, Signal::TERM);
    assert_eq!(ended(child).0, Some(5));
}

#[test]
fn a_caller_who_is_killed_takes_the_lease_with_him() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let mut child = waiting(&host, &sandbox, "1h");
    child.kill().unwrap();
    child.wait().unwrap();
    over(&host, &sandbox, "its holder is gone");
    go(&host); // the command itself was left alone
}

#[test]
fn a_restart_of_the_daemon_does_not_end_what_runs() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let child = waiting(&host, &sandbox, "1h");
    let held = |times| {
        let log = host.log();
        let lines = log.lines().filter(|l| l.contains("/hold") && l.contains("status=200"));
        (lines.count() == times).then_some(())
    };
    until("it is held", || held(1));
    daemon.kill();
    let daemon = host.ready();
    until("it is held again", || held(2));
    assert_eq!(daemon.stop(), Some(0), "who holds a lease does not hold up a stop");
    let _daemon = host.ready();
    until("it is held once more", || held(3));
    assert_eq!(sandbox.living().len(), 1);
    go(&host);
    let (code, _, stderr) = ended(child);
    assert_eq!(code, Some(7), "{stderr}");
    over(&host, &sandbox, "the command exited with 7");
}

#[test]
fn a_lease_does_not_outlive_its_deadline_because_its_command_runs() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let mut child = create(&host, &sandbox, &["--ttl", "3s"], &["sh", "-c", WAIT]).spawn().unwrap();
    until("the command runs", || began(&host).exists().then_some(()));
    let lease = Lease::only(&host);
    lease.ends_on_time(&sandbox);
    until_within(2 * PATIENCE, "the holder's connection ends", || {
        (lease.now(&host)["held"] == false).then_some(())
    });
    assert!(child.try_wait().unwrap().is_none(), "the command runs on");
    // The word to the user comes with the next line to his process.
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !said.contains("RoleB has no access from now on; the command runs on") {
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap(), 0, "{said}");
    }
    go(&host);
    assert_eq!(ended(child).0, Some(7));
}

#[test]
fn nobody_gets_access_for_a_command_that_cannot_be_run() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    std::fs::write(host.dir().join("data"), "no program").unwrap();
    for (word, exit) in [("no-such-command-here", 127), ("./nowhere", 127), ("./data", 126)] {
        let (code, stdout, stderr) = ended(create(&host, &sandbox, &[], &[word]).spawn().unwrap());
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{stderr}");
        assert!(stderr.contains(word.trim_start_matches("./")), "{stderr}");
    }
    assert!(Lease::all(&host).is_empty());
    assert!(sandbox.leased().is_empty());
}

#[test]
fn what_may_not_have_been_made_runs_no_command() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let for_role_b = Match { grantee: Some("RoleB".to_owned()), ..Match::op(Op::CreateGrant) };
    let rule = sandbox.handle().inject(Fault::new(for_role_b, When::After, Act::Hold));
    let child = create(&host, &sandbox, &["--ttl", "20s"], &["touch", "ran"]).spawn().unwrap();
    let (code, _, stderr) = ended(child);
    sandbox.handle().discard(rule);
    assert_eq!(code, Some(75), "{stderr}");
    assert!(stderr.contains("the command was not run, so the daemon ends the lease"), "{stderr}");
    assert!(!host.dir().join("ran").exists());
}
