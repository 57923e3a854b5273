//! The unit file: what systemd itself does not check. `.ci/run` adds `systemd-analyze verify` and
//! `security`.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the unit has failed")]

use std::process::Command;

fn unit() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/grantd.service");
    std::fs::read_to_string(path).unwrap()
}

/// `NAME=value` lines, in order.
fn directives(unit: &str) -> Vec<(&str, &str)> {
    let code = |line: &&str| !line.starts_with('#') && !line.starts_with('[');
    unit.lines().filter(code).filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn every_directive_has_its_reason_above_it() {
    let unit = unit();
    // A directive may share the reason of the one before it, but a block of them begins with one.
    let mut explained = false;
    for line in unit.lines() {
        let is_directive = !line.starts_with('#') && line.contains('=');
        let obvious = line.starts_with("Description=") || line.starts_with("Documentation=");
        let install = line.starts_with("WantedBy=");
        assert!(!is_directive || explained || obvious || install, "{line} has no comment above it");
        explained = line.starts_with('#') || (explained && is_directive);
    }
}

#[test]
fn nothing_stands_in_the_way_of_ending() {
    let unit = unit();
    let all = directives(&unit);
    let value = |name: &str| all.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    assert_eq!(value("Type"), Some("notify"));
    assert_eq!(value("Restart"), Some("always"));
    assert_eq!(value("StartLimitIntervalSec"), Some("0"), "systemd would give up");
    assert_eq!(value("RestartPreventExitStatus"), Some("78"));
    for (name, why) in [
        ("PrivateUsers", "the socket's peer credentials would lose their meaning"),
        ("BindsTo", "grants must end whatever else is down"),
        ("Requires", "grants must end whatever else is down"),
        ("ProcSubset", "boot_id would be hidden, and with it every reboot"),
    ] {
        assert_eq!(value(name), None, "{why}");
    }
}

#[test]
fn the_command_line_is_one_that_grantd_takes() {
    let unit = unit();
    let all = directives(&unit);
    let (_, reload) = all.iter().find(|(name, _)| *name == "ExecReload").unwrap();
    let words = reload.strip_prefix("+/usr/bin/grantd ").unwrap().split_whitespace();
    let mut grantd = Command::new(env!("CARGO_BIN_EXE_grantd"));
    assert!(grantd.args(words).arg("--help").output().unwrap().status.success());
    let (_, start) = all.iter().find(|(name, _)| *name == "ExecStart").unwrap();
    let mut words = start.split_whitespace();
    assert_eq!(words.next(), Some("/usr/bin/grantd"));
    let mut grantd = Command::new(env!("CARGO_BIN_EXE_grantd"));
    let out = grantd.args(words).arg("--help").output().unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && help.contains("--state-dir"), "{start}: {help}");
}
