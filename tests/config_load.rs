//! The loader as the daemon and `grantd check` use it.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use grantd::config::{
    Account, Config, ConfigError, DEFAULT_TTL, Names, Policy, SETTLE, TIME_OUT, grammar, load,
    parse,
};
use grantd::fault::{Fault, exit};
use grantd::ids::KeyArn;
use proptest::prelude::*;

struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

const LOCAL: &str = r#"
group = "demo"
[daemon]
settle = "2s"
time-out = "500ms"
[[account]]
id = "000000000000"
retiring-principal = "arn:aws:iam::000000000000:role/grantd"
regions = ["us-east-1", "eu-west-1"]
endpoint-url = "http://127.0.0.1:4567"
rates = { create = 900, list = 100 }
probe = false
[[policy]]
name = "all"
keys = ["alias/*", "arn:aws:kms:*:000000000000:key/*"]
grantees = ["role/*", "user/*"]
operations = ["Sign", "Decrypt", "CreateGrant"]
callers = ["user:1000", "group:0"]
max-ttl = "30min"
lead = "5s"
allow-redelegation = true
"#;

fn example() -> Config {
    load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"))).unwrap()
}

#[test]
fn the_example_begins_with_a_minimum_that_loads_without_a_warning() {
    let config = example();
    assert_eq!(config.warnings.to_string(), "");
    assert_eq!((config.settle, config.time_out), (SETTLE, TIME_OUT));
    assert_eq!((config.accounts.len(), config.policies.len()), (1, 1));
    let text = std::fs::read_to_string(&config.path).unwrap();
    let minimum: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(minimum, MINIMUM);
    let rest = text.lines().skip(12);
    assert!(rest.clone().all(|line| line.is_empty() || line.starts_with('#')), "not in the rest");
}

/// The second part of the example, commented in: a whole file that has every key.
fn every_key() -> String {
    let text = std::fs::read_to_string(example().path).unwrap();
    let (_, reference) = text.split_once("# ---- every key ----\n").unwrap();
    let key = |line: &&str| {
        let opened = line.strip_prefix('#').unwrap_or_default();
        opened.starts_with(|c: char| c.is_ascii_lowercase() || c == '[')
    };
    let lines = reference.lines().filter(key).map(|line| &line[1..]);
    // Keys of other accounts are no keys of this one: `via` stands alone in the example.
    lines.filter(|line| !line.starts_with("via ")).collect::<Vec<_>>().join("\n")
}

/// Its comments promise that what is commented out is the default, or at least right.
#[test]
fn what_the_example_explains_is_the_default() {
    let full = parse("all.toml", &every_key(), &Nobody).unwrap();
    let plain = parse("minimum.toml", &MINIMUM.join("\n"), &Nobody).unwrap();
    let daemon = |c: &Config| (c.settle, c.time_out, c.reconcile, c.former_groups.clone());
    assert_eq!(daemon(&full), daemon(&plain));
    let account = |c: &Config| {
        let Account { rates, hosts, probe, .. } = c.accounts[0].clone();
        (rates, hosts, probe)
    };
    assert_eq!(account(&full), account(&plain));
    // Only the place differs, and what it explains beside the minimum's values.
    let policy = |c: &Config| Policy { place: plain.policies[0].place, ..c.policies[0].clone() };
    assert_eq!(policy(&full), policy(&plain));
    assert!(full.accounts[0].endpoint.is_some() && full.accounts[0].external_id.is_some());
    let idle = full.warnings.lines().filter(|line| line.contains("no effect without `adopt`"));
    assert_eq!(idle.count(), 3, "{}", full.warnings);
}

const MINIMUM: [&str; 12] = [
    "group = \"prod\"",
    "[[account]]",
    "id = \"111122223333\"",
    "role-arn = \"arn:aws:iam::111122223333:role/grantd\"",
    "regions = [\"ap-northeast-1\"]",
    "[[policy]]",
    "name = \"s3-readers\"",
    "keys = [\"alias/my-kms-grant-example-key\"]",
    "grantees = [\"role/RoleB\"]",
    "operations = [\"read\"]",
    "callers = [\"group:root\"]",
    "max-ttl = \"8h\"",
];

#[test]
fn no_key_of_the_grammar_is_missing_in_the_example() {
    let text = std::fs::read_to_string(example().path).unwrap();
    let (_, reference) = text.split_once("# ---- every key ----\n").unwrap();
    // At the start of its line, within another key's table, or as a table of its own.
    let stands = |key: &str| {
        let forms = [format!("\n#{key} ="), format!(" {key} ="), format!("\n#[{key}]\n")];
        let list = format!("\n#[[{key}]]\n");
        forms.iter().chain([&list]).any(|form| reference.contains(form.as_str()))
    };
    let missing: Vec<_> = grammar().filter(|(_, key)| !stands(key)).collect();
    assert_eq!(missing, [], "explain these in config.example.toml");
    assert!(grammar().count() > 50);
}

#[test]
fn an_emulator_on_this_host_may_settle_in_seconds() {
    let config = parse("local.toml", LOCAL, &Nobody).unwrap();
    assert_eq!((config.settle, config.time_out), (2_000, 500));
    let account = &config.accounts[0];
    assert_eq!((account.rates.create, account.rates.end, account.rates.list), (900, 24, 100));
    assert!(!account.probe);
    let lanes: Vec<_> = config.lanes().map(|(_, lane)| lane.region.to_string()).collect();
    assert_eq!(lanes, ["us-east-1", "eu-west-1"]);
    let policy = config.policy("all").unwrap();
    assert_eq!(policy.default_ttl, 1_800_000);
    assert!(policy.default_ttl < DEFAULT_TTL);
    assert_eq!(config.place(policy), "local.toml:13:1");
    let names: Vec<_> = policy.operations.iter().map(|op| op.as_str()).collect();
    assert_eq!(names, ["Decrypt", "Sign", "CreateGrant"]);
}

#[test]
fn a_key_finds_its_account_where_the_region_has_a_lane() {
    let config = parse("local.toml", LOCAL, &Nobody).unwrap();
    let of = |text: &str| config.account_of(&KeyArn::parse(text).unwrap()).is_some();
    assert!(of("arn:aws:kms:eu-west-1:000000000000:key/1"));
    assert!(!of("arn:aws:kms:eu-west-2:000000000000:key/1"));
    assert!(!of("arn:aws:kms:eu-west-1:000000000001:key/1"));
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let said = |name: &str| {
        let error = load(&path(name)).unwrap_err();
        assert_eq!(Fault::from(&error).kind.exit(), exit::CONFIG);
        error.to_string().replace(&dir.path().display().to_string(), "DIR")
    };
    assert_eq!(said("absent"), "cannot read DIR/absent: No such file or directory (os error 2)");
    assert_eq!(said(""), "cannot read DIR/: Is a directory (os error 21)");
    std::fs::write(path("latin1"), b"group = \"pr\xf6d\"").unwrap();
    assert_eq!(said("latin1"), "DIR/latin1: byte 11 is not UTF-8; TOML is UTF-8 text");
    std::fs::write(path("large"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(said("large"), "DIR/large is larger than 1048576 bytes: this is no configuration");
}

#[test]
fn a_file_that_everybody_may_write_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grantd.toml");
    std::fs::write(&path, LOCAL).unwrap();
    let said = |mode| {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        load(&path).unwrap().warnings.to_string().replace(&path.display().to_string(), "FILE")
    };
    assert_eq!(said(0o664), "");
    assert_eq!(
        said(0o666),
        "FILE: everybody on this host may write this file, and so give himself access\n   = chmod o-w"
    );
}

/// A line as a person may leave it while editing: a key of the grammar, and a value of any kind.
fn line() -> impl Strategy<Value = String> {
    let key = "group|daemon|account|policy|settle|id|regions|rates|name|keys|grantees|callers|max-ttl|lead|x|a\\.b";
    let value = "\"[a-z0-9*/:{}\\[\\] -]{0,20}\"|[0-9]{1,30}|\\[\"alias/[*{\\[a]{0,9}\"\\]|\\{\\}|true|\\[\\[\\[|1e9|\\PC{0,9}";
    prop_oneof![
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        "\\[{1,2}(daemon|account|policy|group|x)\\]{1,2}",
        "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        if let Err(ConfigError::Wrong(all)) = parse("f", &text, &Nobody) {
            prop_assert!(!all.is_empty());
            prop_assert!(!all.to_string().is_empty());
        }
    }

    #[test]
    fn no_file_panics(lines in proptest::collection::vec(line(), 0..30)) {
        let text = lines.join("\n");
        if let Err(error) = parse("f", &text, &Nobody) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_damage_to_a_right_file_panics(at in 0..LOCAL.len(), cut in 0..40_usize, new in "\\PC{0,5}") {
        let mut text = LOCAL.to_owned();
        text.replace_range(at..(at + cut).min(LOCAL.len()), &new);
        if let Err(error) = parse("f", &text, &Nobody) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
