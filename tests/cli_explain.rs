//! What a person learns before anything happens, from the real binary: `explain`, `check --cases`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/redact.rs"]
mod redact;

use std::path::Path;

use command::{grantd, transcript};

const CONFIG: &str = r#"group = "prod"

[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]

[[policy]]
name = "s3-readers"
keys = ["alias/app"]
grantees = ["role/RoleB"]
operations = ["Decrypt", "DescribeKey"]
callers = ["user:0"]
default-ttl = "2h"
max-ttl = "8h"
lead = "5min"
require = ["reason"]

[[policy]]
name = "anybody"
keys = ["arn:aws:kms:ap-northeast-1:111122223333:key/*"]
grantees = ["role/team-*", "role/ops/**"]
operations = ["Sign", "Verify"]
callers = ["user:0", "user:3999999999"]
max-ttl = "30min"
"#;

fn in_a_directory(test: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("grantd.toml"), CONFIG).unwrap();
    test(dir.path());
}

/// The words of a command line, blanks in quotes kept.
fn run(dir: &Path, line: &str) -> String {
    let mut command = grantd();
    for (i, piece) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            command.arg(piece);
        } else {
            command.args(piece.split_whitespace());
        }
    }
    transcript(command.current_dir(dir))
}

#[test]
fn a_decision_is_told_with_its_line_or_what_each_policy_missed() {
    let start = "explain --config grantd.toml --as 0 --grantee role/RoleB";
    in_a_directory(|dir| {
        let mut all = String::new();
        for rest in [
            "--key alias/app --operations Decrypt --reason 'ticket 7' --ttl 2h",
            "--key alias/app --operations Decrypt",
            "--key alias/app --operations Decrypt Sign --reason x",
            "--key alias/app --operations Decrypt --reason x --ttl 9h",
            "--key alias/app --operations Decrypt --reason x --as 3999999999",
            "--key alias/other --operations Decrypt --reason x --context Department=IT",
            "--key alias/app --operations Decrypt --reason x --key-state Disabled",
            "--key alias/app --operations Decrypt --reason x -q",
            "--key arn:aws:kms:ap-northeast-1:111122223333:key/1234 --alias alias/app \
             --operations Decrypt --reason x --key-spec SYMMETRIC_DEFAULT --key-usage \
             ENCRYPT_DECRYPT --key-state Enabled",
            "--key alias/app --operations Decrypt --reason x --json",
            "--key alias/app --operations Decrypt --reason x --as 3999999999 --json",
            "--key alias/app --operations Decrypt --reason x --region eu-west-1",
            "--key alias/app --operations Decrypt --reason x --as no-such-user",
        ] {
            // The last of two wins: the caller of the line, not of the start.
            let start = if rest.contains("--as ") {
                start.replace("--as 0 ", "")
            } else {
                start.to_owned()
            };
            all.push_str(&run(dir, &format!("{start} {rest}")));
            all.push('\n');
        }
        let mut settings = redact::settings();
        settings.add_filter(r"\(uid 0, groups [0-9 ]+\)", "(uid 0, groups [GROUPS])");
        settings.add_filter(r"(?s)(\x22groups\x22: \[)[0-9, \n]+\]", "$1[GROUPS]]");
        settings.add_filter(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
        settings.bind(|| insta::assert_snapshot!("explain", all));
    });
}

#[test]
fn a_line_of_create_is_taken_as_it_is_and_a_bad_file_is_told() {
    in_a_directory(|dir| {
        let create = "--key-id alias/app --grantee-principal role/RoleB --operations Decrypt \
                      --reason x --idempotency-key 7 --token-file token";
        let shown = run(dir, &format!("explain --config grantd.toml --as 0 {create}"));
        assert!(shown.contains("allowed  by policy s3-readers (grantd.toml:8:1)"), "{shown}");
        assert!(!dir.join("token").exists(), "explain writes nothing");
        let absent = run(dir, &format!("explain --config absent.toml {create}"));
        assert!(absent.ends_with("--- exit 66\n"), "{absent}");
        std::fs::write(dir.join("grantd.toml"), "group = 7").unwrap();
        let wrong = run(dir, &format!("explain --config grantd.toml {create}"));
        assert!(wrong.contains("grantd.toml:1:9") && wrong.ends_with("--- exit 78\n"), "{wrong}");
    });
}

const CASES: &str = r#"
[[case]]
name = "ops read for two hours"
as = { user = "anna", uid = 0 }
key = "alias/app"
grantee = "role/RoleB"
operations = ["Decrypt"]
reason = "ticket 7"
expect = "allow"
policy = "s3-readers"
lasts = "2h"

[[case]]
name = "not without a reason"
as = { uid = 0 }
key = "alias/app"
grantee = "role/RoleB"
operations = ["Decrypt"]
expect = "refuse"
fault = "requirement"

[[case]]
name = "strangers read"
as = { user = "bob", groups = ["strangers"] }
key = "alias/app"
grantee = "role/RoleB"
operations = ["Decrypt"]
reason = "curiosity"
expect = "allow"
"#;

#[test]
fn a_table_of_cases_is_held_against_the_policies() {
    in_a_directory(|dir| {
        std::fs::write(dir.join("cases.toml"), CASES).unwrap();
        let line = "check grantd.toml --cases cases.toml";
        let mut all = run(dir, line);
        all.push_str(&run(dir, &format!("{line} --json")));
        let (right, _) = CASES.rsplit_once("[[case]]").unwrap();
        std::fs::write(dir.join("cases.toml"), right).unwrap();
        all.push_str(&run(dir, line));
        std::fs::write(dir.join("cases.toml"), "[[case]]\nexpect = 1").unwrap();
        all.push_str(&run(dir, line));
        all.push_str(&run(dir, "check grantd.toml --cases absent.toml"));
        redact::settings().bind(|| insta::assert_snapshot!("check-cases", all));
    });
}
