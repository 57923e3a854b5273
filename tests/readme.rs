//! The README, as a newcomer takes it: its configuration loads, its JSON parses, its commands
//! exist.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the README has failed")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The code blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let code = text.split("```").skip(1).step_by(2);
    let of_language =
        |block: &str| Some(block.strip_prefix(language)?.strip_prefix('\n')?.to_owned());
    code.filter_map(of_language).collect()
}

fn grantd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grantd")).args(args).output().unwrap()
}

#[test]
fn its_configuration_loads() {
    let configs = blocks(&read("README.md"), "toml");
    assert!(!configs.is_empty());
    let dir = tempfile::tempdir().unwrap();
    for config in configs {
        let file = dir.path().join("grantd.toml");
        // The group exists once grantd is installed.
        std::fs::write(&file, config.replace("group:grantd", "group:root")).unwrap();
        let checked = grantd(&["check", file.to_str().unwrap()]);
        assert!(checked.status.success(), "{config}\n{checked:?}");
    }
}

/// Its policies are what its configuration needs, and no more.
#[test]
fn its_policies_are_what_grantd_prints_for_its_configuration() {
    let text = read("README.md");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grantd.toml");
    std::fs::write(&file, blocks(&text, "toml").concat()).unwrap();
    let print = |part: &[&str]| {
        let printed = grantd(&[&["iam-policy", file.to_str().unwrap()], part].concat());
        assert!(printed.status.success(), "{printed:?}");
        String::from_utf8(printed.stdout).unwrap()
    };
    let trust = ["--trust", "arn:aws:iam::111122223333:role/admin-host"];
    assert_eq!(blocks(&text, "json"), [print(&[]), print(&trust)]);
}

#[test]
fn the_example_loads() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    let checked = grantd(&["check", example]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn its_json_parses_and_its_role_cannot_revoke() {
    let policies = blocks(&read("README.md"), "json");
    assert_eq!(policies.len(), 2, "what grantd may do, and who may become it");
    let statements: Vec<serde_json::Value> = policies
        .iter()
        .flat_map(|text| {
            let policy: serde_json::Value = serde_json::from_str(text).unwrap();
            policy["Statement"].as_array().unwrap().clone()
        })
        .collect();
    let all: Vec<String> = statements.iter().map(|s| s["Action"].to_string()).collect();
    assert!(all.iter().all(|s| !s.contains("Revoke") && !s.contains('*')), "{all:?}");
    let lend = statements.iter().find(|s| s["Action"] == "kms:CreateGrant").unwrap();
    let own = &lend["Condition"]["StringEquals"]["kms:RetiringPrincipal"];
    assert_eq!(own, "arn:aws:iam::111122223333:role/grantd");
    let trust = statements.iter().find(|s| s["Action"] == "sts:AssumeRole").unwrap();
    assert!(trust["Principal"]["AWS"].is_string(), "{trust}");
}

#[test]
fn its_commands_exist() {
    let text = read("README.md");
    let shell = blocks(&text, "sh").concat();
    let in_line = text.split('`').skip(1).step_by(2);
    let typed = shell.lines().chain(in_line).filter_map(|line| line.strip_prefix("grantd "));
    let commands: BTreeSet<&str> =
        typed.filter_map(|rest| rest.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        let help = grantd(&[command, "--help"]);
        assert!(help.status.success(), "grantd {command}: {help:?}");
    }
}

#[test]
fn its_two_commands_are_what_the_gate_runs() {
    let shell = blocks(&read("README.md"), "sh").concat();
    let first = |words: &str| shell.lines().find(|line| line.starts_with(words)).map(str::to_owned);
    assert_eq!(first("cargo run").as_deref(), Some("cargo run --release -- demo"));
    assert_eq!(first("cargo test").as_deref(), Some("cargo test"));
    assert!(read(".ci/run").contains("from_readme 'cargo run --release -- demo'"));
}

/// The headings of the demo's story, as far as they are the same at each telling.
fn headings(story: &str) -> Vec<String> {
    let lines = story.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let stable = |line: &str| {
        let words = line.split(" g-").next().unwrap_or(line);
        let end = words.find(|c: char| c.is_ascii_digit() || c == '[').unwrap_or(words.len());
        words[..end].trim().to_owned()
    };
    lines.map(stable).collect()
}

#[test]
fn it_shows_what_the_demo_tells() {
    let shown = blocks(&read("README.md"), "text").concat();
    let told = read("tests/snapshots/demo.snap");
    assert!(headings(&shown).len() > 8, "{shown}");
    assert_eq!(headings(&shown), headings(&told));
}
