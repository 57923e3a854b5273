use super::*;
use crate::config::parse;
use crate::config::tests::Nobody;
use crate::ids::GrantId;
use crate::terms::Constraints;

const CONFIG: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "short"
keys = ["alias/app"]
grantees = ["role/RoleB"]
operations = ["Decrypt"]
callers = ["user:1000"]
max-ttl = "1h"
[[policy]]
name = "long"
keys = ["alias/app"]
grantees = ["role/*"]
operations = ["Decrypt"]
callers = ["user:1001"]
max-ttl = "8h"
"#;

const KEY: &str = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd";
const CREATED: &str = "2026-11-23T10:00:00Z";

fn config() -> Config {
    parse("grantd.toml", CONFIG, &Nobody).unwrap()
}

fn at(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn ours() -> Listed {
    Listed {
        key_arn: KEY.to_owned(),
        id: GrantId::parse("ab12").unwrap(),
        name: "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z".to_owned(),
        created: Some(at(CREATED)),
        grantee: "arn:aws:iam::111122223333:role/RoleB".to_owned(),
        retiring_principal: "arn:aws:iam::111122223333:role/grantd".to_owned(),
        issuing_account: "arn:aws:iam::111122223333:root".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        constraints: Constraints::None,
        source_arn: None,
        unknown: Vec::new(),
    }
}

fn probe() -> Listed {
    Listed {
        name: "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T10:30:00Z".to_owned(),
        grantee: "arn:aws:iam::111122223333:role/grantd".to_owned(),
        operations: vec!["DescribeKey".to_owned()],
        ..ours()
    }
}

/// The verdict in words, on AWS or behind an endpoint.
fn verdict(listed: &Listed, endpoint: Option<&str>) -> String {
    let config = config();
    let (_, mut lane) = config.lanes().next().unwrap();
    lane.endpoint = endpoint.map(str::to_owned);
    let aliases = ["alias/app".to_owned()];
    match judge(&config, &lane, &aliases, listed, at("2026-11-23T12:00:00Z")) {
        Found::Ours { name, given } => {
            let given = match given {
                Given::Policy(policy) => format!("by {}", policy.name),
                Given::Probe => "by a probe".to_owned(),
                Given::Refused(why) => format!("alarmed: {why}"),
            };
            format!("ours until {}, {given}", name.deadline())
        }
        Found::Rogue(why) => format!("rogue: {why}"),
        Found::Unproven(why) => format!("unproven: {why}"),
        Found::Foreign => "foreign".to_owned(),
    }
}

const OURS: &str = "ours until 2026-11-23T18:00:00Z, by long";
const PROBE: &str = "ours until 2026-11-23T10:30:00Z, by a probe";

#[test]
fn our_own_grant_and_our_own_probe_are_ours() {
    assert_eq!(verdict(&ours(), None), OURS);
    assert_eq!(verdict(&probe(), None), PROBE);
    let mut bare = ours();
    bare.issuing_account = "111122223333".to_owned();
    assert_eq!(verdict(&bare, None), OURS);
}

/// Each differs from ours in one thing.
#[test]
fn a_look_alike_is_told_from_ours() {
    type Change = fn(&mut Listed);
    let cases: [(&str, Change); 27] = [
        ("no name", |l| l.name.clear()),
        ("another tool", |l| l.name = "terraform".to_owned()),
        ("another group", |l| l.name = l.name.replace("/prod/", "/test/")),
        ("a longer group", |l| l.name = l.name.replace("/prod/", "/prod2/")),
        ("no deadline", |l| l.name = "grantd/prod/g-7k2m9x4p1q8z/1".to_owned()),
        ("only the group", |l| l.name = "grantd/prod".to_owned()),
        ("another form of instant", |l| l.name = l.name.replace("00Z", "00z")),
        ("another retiring principal", |l| l.retiring_principal.push('2')),
        ("no retiring principal", |l| l.retiring_principal.clear()),
        ("a decayed retiring principal", |l| l.retiring_principal = "AROAEXAMPLE".to_owned()),
        ("another issuer", |l| l.issuing_account = l.issuing_account.replace("1111", "9999")),
        ("a service as issuer", |l| l.issuing_account = "ec2.amazonaws.com".to_owned()),
        ("no issuer", |l| l.issuing_account.clear()),
        ("no policy for the grantee", |l| l.grantee.push_str("/x")),
        ("a decayed grantee", |l| l.grantee = "AROAEXAMPLE".to_owned()),
        ("account root as grantee", |l| l.grantee = "arn:aws:iam::111122223333:root".to_owned()),
        ("no creation date", |l| l.created = None),
        ("beyond the longest maximum", |l| l.created = Some(at("2026-11-23T09:54:59Z"))),
        ("another Region's key", |l| l.key_arn = l.key_arn.replace("ap-northeast-1", "us-east-1")),
        ("a stranger's key", |l| l.key_arn = l.key_arn.replace(":111122223333:", ":999922223333:")),
        ("a deadline of 1970", |l| l.name = l.name.replace("2026-11-23T18", "1970-01-01T00")),
        ("a deadline just before its creation", |l| {
            l.name = l.name.replace("T18:00:00Z", "T09:55:00Z");
        }),
        ("a deadline further before its creation", |l| {
            l.name = l.name.replace("T18:00:00Z", "T09:54:59Z");
        }),
        ("somebody who lets grantd end their own", |l| l.name = "ttl:2h/report".to_owned()),
        ("a service as grantee", |l| l.grantee = "ec2.amazonaws.com".to_owned()),
        ("a source", |l| l.source_arn = Some("arn:aws:s3:::b".to_owned())),
        ("a bare key id", |l| l.key_arn = "1234abcd".to_owned()),
    ];
    let table: Vec<_> = cases
        .iter()
        .map(|(what, change)| {
            let mut listed = ours();
            change(&mut listed);
            format!("{what}: {}", verdict(&listed, None))
        })
        .collect();
    let shown = table.join("\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_probe_is_for_describe_key_alone_and_short() {
    let mut wide = probe();
    wide.operations.push("Decrypt".to_owned());
    let mut long = probe();
    long.name = ours().name;
    let shown = [verdict(&wide, None), verdict(&long, None)].join("\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_host_clock_may_be_ahead_by_the_signature_window() {
    let mut early = ours();
    early.created = Some(at("2026-11-23T09:55:00Z"));
    assert_eq!(verdict(&early, None), OURS);
}

#[test]
fn a_key_that_no_policy_names_alarms_and_ends_all_the_same() {
    let config = config();
    let (_, lane) = config.lanes().next().unwrap();
    let Found::Ours { given, .. } = judge(&config, &lane, &[], &ours(), at(CREATED)) else {
        panic!("its Name is proven whatever the policies say")
    };
    assert_eq!(given, Given::Refused(format!("no policy names its key {KEY}")));
}

#[test]
fn an_emulator_on_this_host_may_leave_fields_out() {
    let mut bare = ours();
    bare.created = None;
    bare.issuing_account.clear();
    assert_eq!(verdict(&bare, Some("http://127.0.0.1:4567")), OURS);
    assert!(verdict(&bare, Some("https://kms.example.com")).starts_with("rogue"));

    bare.name = bare.name.replace("T18:00:00Z", "T20:05:01Z");
    assert_eq!(
        verdict(&bare, Some("http://127.0.0.1:4567")),
        "ours until 2026-11-23T20:05:01Z, alarmed: its deadline is 8h 5m 1s after its creation, \
         above the maximum of 8h"
    );
}

/// Hosts of another group that run as the same role are no rogues, once the file names their group.
#[test]
fn other_groups_explain_their_grants() {
    let text =
        CONFIG.replacen("group = \"prod\"", "group = \"prod\"\nother-groups = [\"test\"]", 1);
    let config = parse("grantd.toml", &text, &Nobody).unwrap();
    let (_, lane) = config.lanes().next().unwrap();
    let theirs = Listed { name: ours().name.replacen("prod", "test", 1), ..ours() };
    assert_eq!(judge(&config, &lane, &[], &theirs, at(CREATED)), Found::Foreign);
    let longer = Listed { name: ours().name.replacen("prod", "test2", 1), ..ours() };
    assert!(matches!(judge(&config, &lane, &[], &longer, at(CREATED)), Found::Rogue(_)));
}

/// A principal that was made just now shows as its unique id for a while.
#[test]
fn a_verdict_waits_for_a_young_principal() {
    let mut young = ours();
    assert!(!is_too_early(&young, at(CREATED)));
    young.retiring_principal = "AROAEXAMPLEEXAMPLE".to_owned();
    let old = at(CREATED).plus(DECAY);
    assert!(is_too_early(&young, old.plus(-1)) && !is_too_early(&young, old));
}

/// A group that was renamed, and a key of another account: both are ours to end.
#[test]
fn former_groups_and_keys_by_way_of_our_account_are_ours() {
    let text =
        CONFIG.replacen("group = \"prod\"", "group = \"prod\"\nformer-groups = [\"old\"]", 1);
    let shared = "[[policy]]\nname = \"shared\"\nvia = \"111122223333\"\n\
                  keys = [\"arn:aws:kms:ap-northeast-1:999988887777:key/*\"]\n\
                  grantees = [\"arn:aws:iam::111122223333:role/RoleB\"]\n\
                  operations = [\"Decrypt\"]\ncallers = [\"user:1000\"]\nmax-ttl = \"8h\"\n";
    let renamed = parse("grantd.toml", &format!("{text}{shared}"), &Nobody).unwrap();
    let plain = config();
    let (_, lane) = plain.lanes().next().unwrap();
    let aliases = ["alias/app".to_owned()];
    let by = |config: &Config, listed: &Listed, aliases: &[String]| match judge(
        config,
        &lane,
        aliases,
        listed,
        at("2026-11-23T12:00:00Z"),
    ) {
        Found::Ours { given: Given::Policy(policy), .. } => policy.name.clone(),
        Found::Ours { given: Given::Probe, .. } => "probe".to_owned(),
        Found::Ours { given: Given::Refused(why), .. } => why,
        Found::Rogue(why) | Found::Unproven(why) => why,
        Found::Foreign => "foreign".to_owned(),
    };
    let old = Listed { name: ours().name.replacen("prod", "old", 1), ..ours() };
    let rogue = format!("its Name {:?} is none of grantd's", old.name);
    assert_eq!(by(&plain, &old, &aliases), rogue);
    assert_eq!(by(&renamed, &old, &aliases), "long");
    assert_eq!(by(&renamed, &ours(), &aliases), "long");
    let theirs = Listed { key_arn: KEY.replace("111122223333", "999988887777"), ..ours() };
    assert_eq!(by(&plain, &theirs, &[]), "foreign");
    assert_eq!(by(&renamed, &theirs, &[]), "shared");
}
