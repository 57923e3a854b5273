//! Every help text as a whole; the examples in them; completions and man pages made from the same
//! definitions.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/redact.rs"]
mod redact;

use clap::{CommandFactory as _, Parser as _};
use command::{grantd, transcript};
use grantd::cli::args::Cli;

const COMMANDS: &[&str] = &[
    "create",
    "list",
    "show",
    "extend",
    "revoke",
    "freeze",
    "unfreeze",
    "history",
    "history verify",
    "status",
    "explain",
    "check",
    "iam-policy",
    "doctor",
    "scan",
    "adopt",
    "resume",
    "accept-alias",
    "sweep",
    "backup",
    "reload",
    "run",
    "demo",
    "sandbox",
    "completions",
    "man",
];

#[test]
fn every_help_text_is_as_it_was_read() {
    redact::settings().bind(|| {
        insta::assert_snapshot!("help", transcript(grantd().arg("--help")));
        insta::assert_snapshot!("help-short", transcript(grantd().arg("-h")));
        for words in COMMANDS {
            let shown = transcript(grantd().args(words.split(' ')).arg("--help"));
            insta::assert_snapshot!(format!("help-{}", words.replace(' ', "-")), shown);
        }
    });
}

#[test]
fn no_command_is_left_out_above() {
    let mut all = Vec::new();
    for command in Cli::command().get_subcommands() {
        all.push(command.get_name().to_owned());
        for below in command.get_subcommands() {
            all.push(format!("{} {}", command.get_name(), below.get_name()));
        }
    }
    assert_eq!(all, COMMANDS);
}

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

/// Each line under "Examples" is taken by the parser: what a shell would make of it, without
/// redirections.
#[test]
fn every_example_is_a_command_line_that_parses() {
    let mut tried = 0;
    for command in std::iter::once(Cli::command()).chain(Cli::command().get_subcommands().cloned())
    {
        let help = command
            .get_after_help()
            .unwrap_or_else(|| panic!("{} has no examples", command.get_name()));
        let text = help.to_string().replace("\\\n", " ");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("grantd ")) {
            let line = line.split(" > ").next().unwrap();
            let typed = shell_words(&format!("grantd {line}"));
            Cli::try_parse_from(&typed).unwrap_or_else(|error| panic!("{typed:?}: {error}"));
            tried += 1;
        }
    }
    assert!(tried >= 30, "only {tried} examples were found");
}

/// Splits at blanks outside single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars().chain([' ']) {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words
}

#[test]
fn a_bad_command_line_exits_64() {
    redact::settings().bind(|| {
        let mut all = String::new();
        for line in [
            "frobnicate",
            "create --key alias/app",
            "list --state dead",
            "revoke",
            "history --since",
            "",
            "list --state dead --json",
        ] {
            all.push_str(&transcript(grantd().args(line.split_whitespace())));
            all.push('\n');
        }
        insta::assert_snapshot!("usage", all);
    });
}

#[test]
fn version_and_help_exit_0() {
    for flag in ["--version", "-V", "--help", "-h", "help"] {
        assert!(grantd().arg(flag).output().unwrap().status.success(), "{flag}");
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = grantd().args(["completions", shell]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("grantee-principal") && script.contains("revoke"), "{shell}");
        let refused = ["retiring-principal", "with-parent", "endpoint-url"];
        assert!(!refused.iter().any(|flag| script.contains(flag)), "{shell}");
    }
}

#[test]
fn every_command_gets_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    let output = grantd().arg("man").arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for words in COMMANDS {
        let page = dir.path().join(format!("grantd-{}.1", words.replace(' ', "-")));
        let text = std::fs::read_to_string(&page)
            .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let verbatim = text.contains(".SH \"EXAMPLES\"\n.nf\n  grantd ");
        assert!(verbatim, "{}", page.display());
    }
    let main = std::fs::read_to_string(dir.path().join("grantd.1")).unwrap();
    assert!(main.contains(".SH \"EXIT CODES\"") && main.contains("GRANTD_SOCKET"), "{main}");
    let create = std::fs::read_to_string(dir.path().join("grantd-create.1")).unwrap();
    assert!(create.contains("alias: \\-\\-key\\-id"), "{create}");
    let absent = grantd().args(["man", "/nonexistent/dir"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(66));
}
