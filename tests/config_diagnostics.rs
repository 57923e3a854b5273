//! What an administrator reads when the file is wrong: whole outputs. Each case is a right file
//! with one thing changed.

use grantd::config::{Names, parse};

#[path = "config_diagnostics/policies.rs"]
mod policies;

struct Host;

impl Names for Host {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        Ok(match name {
            "alice" => Some(1000),
            "nobody" => Some(65_534),
            _ => None,
        })
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        match name {
            "ops" => Ok(Some(200)),
            "ldap" => Err("connection refused".to_owned()),
            _ => Ok(None),
        }
    }
}

const RIGHT: &str = r#"group = "prod"
[daemon]
settle = "11min"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "s3-readers"
keys = ["alias/app"]
grantees = ["role/RoleB"]
operations = ["Decrypt", "DescribeKey"]
callers = ["group:ops"]
default-ttl = "2h"
max-ttl = "8h"
require = ["reason"]
"#;

/// All that is said about `text`, errors or warnings.
fn said(text: &str) -> String {
    match parse("grantd.toml", text, &Host) {
        Ok(config) if config.warnings.is_empty() => "(nothing)".to_owned(),
        Ok(config) => format!("warning:\n{}", config.warnings),
        Err(error) => error.to_string(),
    }
}

/// `RIGHT` with the one line that begins with `from` replaced.
fn changed(from: &str, to: &str) -> String {
    let found = RIGHT.lines().filter(|line| line.starts_with(from)).count();
    assert_eq!(found, 1, "{from}");
    let swap = |line: &str| if line.starts_with(from) { to.to_owned() } else { line.to_owned() };
    RIGHT.lines().map(swap).collect::<Vec<_>>().join("\n") + "\n"
}

fn table(cases: &[(&str, &str)]) -> String {
    let rows = cases.iter().map(|(from, to)| said(&changed(from, to)));
    rows.collect::<Vec<_>>().join("\n\n----\n\n")
}

#[test]
fn a_right_file_has_nothing_said_about_it() {
    assert_eq!(said(RIGHT), "(nothing)");
}

#[test]
fn keys_and_syntax() {
    let shown = table(&[
        ("group", "grop = \"prod\""),
        ("max-ttl", "max_ttl = \"8h\""),
        ("max-ttl", "settle = \"8h\"\nmax-ttl = \"8h\""),
        ("max-ttl", "colour = \"red\"\nmax-ttl = \"8h\""),
        ("settle", "state-dir = \"/var/lib/grantd\""),
        ("settle", "max-live = 3"),
        ("settle", "level = \"info\""),
        ("[[account]]", "[account]"),
        ("[daemon]", "daemon = 3\n[x]"),
        ("max-ttl", "max-ttl = \"8h\"\nmax-ttl = \"9h\""),
        ("max-ttl", "max-ttl = \"8h"),
        ("max-ttl", "max-ttl = 8h"),
        ("max-ttl", "max-ttl"),
        ("name", "name = "),
        ("name", "x = 1 y = 2"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_missing() {
    let shown = [
        said(""),
        said("group = \"prod\"\n[[account]]\n[[policy]]\n"),
        said("group = \"prod\"\naccount = []\npolicy = []\n"),
        said(&RIGHT[..RIGHT.find("[[policy]]").unwrap_or(0)]),
        said(&changed("group", "# nothing")),
        said(&changed("role-arn", "# nothing")),
        said(&changed("max-ttl", "# nothing")),
    ]
    .join("\n\n----\n\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_daemon_and_the_accounts() {
    let shown = table(&[
        ("group", "group = \"Prod!\""),
        ("group", "group = 7"),
        ("settle", "settle = \"5s\""),
        ("settle", "settle = \"2d\""),
        ("settle", "settle = 660"),
        ("settle", "time-out = \"30s\""),
        ("settle", "time-out = \"1ms\""),
        ("id", "id = 111122223333"),
        ("id", "id = \"1111-2222-3333\""),
        ("role-arn", "role-arn = \"grantd\""),
        ("role-arn", "role-arn = \"arn:aws:iam::444455556666:role/grantd\""),
        ("role-arn", "role-arn = \"arn:aws:iam::111122223333:user/grantd\""),
        ("role-arn", "retiring-principal = \"arn:aws:sts::111122223333:assumed-role/grantd/x\""),
        ("role-arn", "retiring-principal = \"arn:aws:iam::111122223333:root\""),
        (
            "role-arn",
            "role-arn = \"arn:aws:iam::111122223333:role/grantd\"\nretiring-principal = \"arn:aws:iam::111122223333:role/other\"",
        ),
        (
            "role-arn",
            "retiring-principal = \"arn:aws:iam::111122223333:role/grantd\"\nexternal-id = \"abc\"\nsession-name = \"abc\"",
        ),
        (
            "regions",
            "regions = [\"ap-northeast-1\"]\nprofile = \"\"\nsession-name = \"a b\"\nrevoke-role-arn = \"grantd\"",
        ),
        (
            "regions",
            "regions = [\"ap-northeast-1\"]\nrevoke-role-arn = \"arn:aws:iam::111122223333:role/grantd\"",
        ),
        ("regions", "regions = []"),
        ("regions", "regions = \"ap-northeast-1\""),
        ("regions", "regions = [\"ap-northeast-1\", \"Tokyo\", \"ap-northeast-1\", 3]"),
        ("regions", "regions = [\"ap-northeast-1\"]\nendpoint-url = \"http://kms.example.com\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nendpoint-url = \"127.0.0.1:4567\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nendpoint-url = \"https://a/b\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nendpoint-url = \"ftp://localhost\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nproxy = \"https://proxy.example.com\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nproxy = \"http://me:secret@proxy:3128\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nproxy = \"proxy:3128\""),
        ("regions", "regions = [\"ap-northeast-1\"]\nrates = { create = 0, end = 60, lst = 1 }"),
        ("regions", "regions = [\"ap-northeast-1\"]\nrates = { create = 60 }"),
        ("regions", "regions = [\"ap-northeast-1\"]\nrates = { create = 1.5, end = \"24\" }"),
        ("regions", "regions = [\"ap-northeast-1\"]\nprobe = \"no\""),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_keys_and_grantees_of_a_policy() {
    let keys = |entry: &str| format!("keys = [\"alias/app\", {entry}]");
    let grantees = |entry: &str| format!("grantees = [\"role/RoleB\", {entry}]");
    let entries = [
        ("keys", keys("\"app\"")),
        ("keys", keys("\"*\"")),
        ("keys", keys("\"alias/\"")),
        ("keys", keys("\"alias/aws/s3\"")),
        ("keys", keys("\"alias/[\"")),
        ("keys", keys("\"1234abcd-12ab-34cd-56ef-1234567890ab\"")),
        ("keys", keys("\"arn:aws:s3:::bucket\"")),
        ("keys", keys("\"arn:aws:kms:ap-northeast-1:*:key/*\"")),
        ("keys", keys("\"arn:aws:kms:ap-northeast-1:444455556666:key/*\"")),
        ("keys", keys("\"arn:aws:kms:eu-*:111122223333:key/*\"")),
        ("grantees", grantees("\"RoleB\"")),
        ("grantees", grantees("\"*\"")),
        ("grantees", grantees("\"role/a b\"")),
        ("grantees", grantees("\"role/{a\"")),
        ("grantees", grantees("\"role/grantd\"")),
        ("grantees", grantees("\"arn:aws:iam::111122223333:role/grantd\"")),
        ("grantees", grantees("\"arn:aws:iam::*:role/RoleB\"")),
        ("grantees", grantees("\"arn:aws:iam::444455556666:role/*\"")),
        ("grantees", grantees("\"arn:aws:iam::111122223333:*\"")),
        ("grantees", grantees("\"arn:aws:sts::111122223333:assumed-role/RoleB/*\"")),
        ("grantees", grantees("\"arn:aws:iam::111122223333:group/ops\"")),
        ("grantees", grantees("\"ec2.amazonaws.com\"")),
    ];
    let cases: Vec<_> = entries.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let shown = table(&cases);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_rest_of_a_policy() {
    let shown = table(&[
        ("name", "name = \"s3 readers\""),
        (
            "operations",
            "operations = [\"decrypt\", \"kms:Encrypt\", \"ReEncrypt\", \"Frobnicate\"]",
        ),
        ("operations", "operations = [\"Read\", \"rite\"]"),
        ("operations", "operations = [\"Decrypt\", \"CreateGrant\"]"),
        ("callers", "callers = [\"ops\", \"user:\", \"user:*\", \"group:99999999999\"]"),
        ("callers", "callers = [\"user:nobody\", \"group:65534\"]"),
        ("callers", "callers = [\"group:ops\", \"user:mallory\", \"group:ldap\"]"),
        ("default-ttl", "default-ttl = \"12h\""),
        ("default-ttl", "default-ttl = \"1month\""),
        ("default-ttl", "default-ttl = \"soon\""),
        ("max-ttl", "max-ttl = \"1y\""),
        ("max-ttl", "max-ttl = 8"),
        ("max-ttl", "max-ttl = \"0s\""),
        ("max-ttl", "max-ttl = \"4000d\""),
        ("max-ttl", "max-ttl = 2026-11-23"),
        ("max-ttl", "max-ttl = \"8h\"\nlead = \"2h\""),
        ("require", "require = [\"ticket\", \"encryption-context\", 3]"),
        ("require", "require = \"reason\""),
        ("require", "allow-redelegation = 1"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn who_has_access() {
    let access = |rest: &str| format!("group = \"prod\"\n[access]\n{rest}");
    let tables = [
        access("admin = [\"user:alice\", \"group:ops\"]\nread = []"),
        access("admin = [\"user:mallory\"]\nread = [\"group:ldap\", \"group:gone\"]"),
        access("admin = [\"alice\", \"user:*\", 7]\nread = \"group:ops\""),
        access("admin = [\"user:nobody\"]"),
        access("admins = [\"user:alice\"]\nwrite = []"),
        "group = \"prod\"\naccess = [\"user:alice\"]".to_owned(),
    ];
    let cases: Vec<_> = tables.iter().map(|to| ("group", to.as_str())).collect();
    insta::assert_snapshot!(table(&cases));
}

#[test]
fn groups_the_socket_and_the_log() {
    let group = |rest: &str| format!("group = \"prod\"\nformer-groups = {rest}");
    let shown = table(&[
        ("group", &group("[\"old\", \"Old\", \"old\", \"prod\"]")),
        ("group", &group("\"old\"")),
        ("settle", "socket = \"grantd.sock\""),
        ("settle", &format!("socket = \"/run/{}\"", "x".repeat(103))),
        ("settle", "socket = 7"),
        ("settle", "log = \"info\""),
        ("settle", "log = { level = \"inf\", format = \"yaml\", color = true }"),
        ("settle", "reconcile = \"500ms\""),
        ("settle", "reconcile = \"2h\""),
        ("settle", "metrics = \"9464\""),
        ("settle", "metrics = \"0.0.0.0:9464\""),
        ("settle", "metrics = \"127.0.0.1:0\""),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn hosts_share_the_rates_of_an_account() {
    let regions = |rest: &str| format!("regions = [\"ap-northeast-1\"]\n{rest}");
    let shown = table(&[
        ("regions", &regions("hosts = 0")),
        ("regions", &regions("hosts = \"two\"")),
        ("regions", &regions("hosts = 11")),
        ("regions", &regions("hosts = 4\nrates = { list = 3 }")),
        ("regions", &regions("hosts = 10")),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn names_may_not_be_used_twice() {
    let policy = RIGHT.find("[[policy]]").unwrap_or(0);
    let account = RIGHT.find("[[account]]").unwrap_or(0);
    let twice = format!("{RIGHT}{}{}", &RIGHT[account..policy], &RIGHT[policy..]);
    let shown = said(&twice);
    insta::assert_snapshot!(shown);
}

#[test]
fn every_problem_is_shown_at_once_in_the_order_of_the_file() {
    let text = RIGHT
        .replace("prod", "PROD")
        .replace("11min", "1s")
        .replace("ap-northeast-1", "x")
        .replace("Decrypt", "Decript")
        .replace("\"8h\"", "8");
    let shown = said(&text);
    insta::assert_snapshot!(shown);
}
