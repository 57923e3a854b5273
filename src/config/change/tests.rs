use super::*;
use crate::config::parse;
use crate::config::tests::Nobody;

const FILE: &str = r#"
group = "test"
[daemon]
settle = "11min"
[access]
admin = ["user:1"]
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "one"
keys = ["alias/one"]
grantees = ["role/RoleB"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "1h"
[[policy]]
name = "two"
keys = ["alias/two"]
grantees = ["role/RoleB"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "1h"
"#;

fn read(text: &str) -> Config {
    parse("f.toml", text, &Nobody).unwrap()
}

/// What `was` and `is` say, as `subject key: was -> is`.
fn told(old: &str, new: &str) -> Vec<String> {
    let show = |change: &Change| {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let Change { subject, key, was, is } = change;
        format!("{subject:?} {key}: {} -> {}", side(was), side(is))
    };
    between(&read(old), &read(new)).iter().map(show).collect()
}

#[test]
fn a_file_is_as_itself_wherever_its_tables_stand() {
    assert_eq!(told(FILE, FILE), Vec::<String>::new());
    assert_eq!(told(FILE, &format!("# moved down\n\n{FILE}")), Vec::<String>::new());
}

#[test]
fn each_setting_is_told_with_both_values() {
    for (from, to, expected) in [
        ("\"test\"", "\"test\"\nformer-groups = [\"old\"]", "File former-groups: - -> old"),
        ("settle = \"11min\"", "settle = \"12min\"", "File settle: 11m -> 12m"),
        ("settle", "reconcile = \"1min\"\nsettle", "File reconcile: 5m -> 1m"),
        ("settle", "log = { level = \"debug\" }\nsettle", "File log: - -> debug"),
        ("admin = [\"user:1\"]", "admin = []", "Access admin: user:1 -> -"),
        ("admin", "read = []\nadmin", "Access read: whoever may connect -> []"),
        (
            "regions = [\"ap-northeast-1\"]",
            "regions = [\"ap-northeast-1\", \"eu-west-1\"]",
            "Account(\"111122223333\") regions: ap-northeast-1 -> ap-northeast-1, eu-west-1",
        ),
        ("regions", "hosts = 2\nregions", "Account(\"111122223333\") hosts: 1 -> 2"),
        (
            "keys = [\"alias/two\"]",
            "keys = [\"alias/two\"]\nmin-ttl = \"2s\"",
            "Policy(\"two\") min-ttl: 1s -> 2s",
        ),
        (
            "keys = [\"alias/two\"]",
            "keys = [\"alias/two\"]\nrequire = [\"reason\"]",
            "Policy(\"two\") require: - -> reason",
        ),
    ] {
        let new = FILE.replacen(from, to, 1);
        assert_eq!(told(FILE, &new), [expected], "{to}");
        assert_eq!(told(&new, FILE).len(), 1, "and back: {to}");
    }
}

#[test]
fn policies_come_go_and_change_places() {
    let two = FILE.find("[[policy]]\nname = \"two\"").unwrap();
    let shorter = &FILE[..two];
    assert_eq!(
        told(shorter, FILE),
        ["File policy: one -> one, two", "Policy(\"two\") : - -> added"]
    );
    assert_eq!(
        told(FILE, shorter),
        ["File policy: one, two -> one", "Policy(\"two\") : there -> -"]
    );
    let one = shorter.find("[[policy]]").unwrap();
    let turned = [&FILE[..one], &FILE[two..], &FILE[one..two]].concat();
    assert_eq!(told(FILE, &turned), ["File policy: one, two -> two, one"]);
}
