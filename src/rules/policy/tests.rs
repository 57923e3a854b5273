mod extend;
mod more;
mod promises;

use std::collections::BTreeMap;

use super::*;
use crate::config::{Names, parse};

struct Host;

impl Names for Host {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        Ok((name == "alice").then_some(1000))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        Ok((name == "ops").then_some(200))
    }
}

const CONFIG: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[account]]
id = "444455556666"
retiring-principal = "arn:aws:iam::444455556666:role/grantd"
regions = ["eu-west-1", "us-east-1"]

[[policy]]
name = "s3-readers"
keys = ["alias/app", "alias/app/*"]
grantees = ["role/RoleB", "arn:aws:sts::111122223333:assumed-role/RoleC/me"]
operations = ["Decrypt", "DescribeKey", "Sign"]
callers = ["group:ops"]
default-ttl = "2h"
max-ttl = "8h"
require = ["reason"]

[[policy]]
name = "team"
keys = ["arn:aws:kms:ap-northeast-1:111122223333:key/*"]
grantees = ["role/*", "role/team/**", "arn:aws:iam::444455556666:role/*"]
operations = ["Encrypt", "Decrypt", "CreateGrant"]
callers = ["user:alice", "group:300"]
max-ttl = "30min"
lead = "5min"
allow-redelegation = true

[[policy]]
name = "abroad"
keys = ["arn:aws:kms:*:444455556666:alias/shared-?"]
grantees = ["user/bob", "arn:aws:iam::111122223333:role/RoleB"]
operations = ["Decrypt"]
callers = ["user:alice", "user:unknown"]
max-ttl = "1d"

[[policy]]
name = "team-a"
keys = ["alias/team-a"]
grantees = ["role/Writer"]
operations = ["write"]
callers = ["user:1004"]
min-ttl = "15min"
max-ttl = "4h"
lead = "10min"
require = [{ encryption-context = { "aws:s3:arn" = "arn:aws:s3:::team-a/*", purpose = "?*" } }]

[[policy]]
name = "shared"
via = "444455556666"
keys = ["arn:aws:kms:eu-west-1:999988887777:key/*"]
grantees = ["role/Guest", "arn:aws:iam::111122223333:role/RoleB"]
operations = ["read"]
callers = ["user:alice"]
max-ttl = "1h"
max-live = 7
"#;

/// `12:00:00.500`: deadlines are rounded down from it.
const NOW: &str = "2026-11-23T12:00:00.5Z";

fn config() -> Config {
    parse("grantd.toml", CONFIG, &Host).unwrap()
}

fn now() -> Time {
    Time::parse(NOW).unwrap()
}

/// A question that can be changed; it begins as one that `s3-readers` answers with yes.
struct Case {
    uid: u32,
    groups: Vec<u32>,
    key: KeyFacts,
    aliases: Vec<String>,
    grantee: String,
    operations: Vec<Operation>,
    until: Until,
    reason: Option<String>,
    constraints: Constraints,
}

fn ops_asks() -> Case {
    let arn = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd";
    Case {
        uid: 1001,
        groups: vec![200],
        key: KeyFacts {
            arn: KeyArn::parse(arn).unwrap(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
            state: "Enabled".to_owned(),
            manager: "CUSTOMER".to_owned(),
        },
        aliases: vec!["alias/app".to_owned()],
        grantee: "role/RoleB".to_owned(),
        operations: vec![Operation::Decrypt],
        until: Until::Default,
        reason: Some("ticket 7".to_owned()),
        constraints: Constraints::None,
    }
}

/// The same by alice, who is in policy `team` (and not in ops).
fn alice_asks() -> Case {
    Case { uid: 1000, groups: Vec::new(), ..ops_asks() }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// For another grantee.
    fn to(self, grantee: &str) -> Self {
        self.with(|c| c.grantee = grantee.to_owned())
    }

    /// For other operations.
    fn of(self, operations: &[Operation]) -> Self {
        self.with(|c| c.operations = operations.to_vec())
    }

    /// As the host knows him: a user without an entry has his digits for a name.
    fn name(&self) -> &'static str {
        match self.uid {
            0 => "root",
            1000 => "alice",
            1001 => "1001",
            _ => "someone",
        }
    }

    fn decide(&self) -> Decision {
        let grantee = match expand_grantee(&self.grantee, &self.key.arn) {
            Ok(grantee) => grantee,
            Err(fault) => return refuse(fault),
        };
        let (name, groups) = (self.name().to_owned(), self.groups.clone());
        let ask = Ask {
            caller: &Caller { uid: self.uid, gid: 100, groups, name },
            key: &self.key,
            aliases: &self.aliases,
            grantee: &grantee,
            operations: &self.operations,
            until: self.until,
            reason: self.reason.as_deref(),
            constraints: &self.constraints,
            now: now(),
        };
        decide(&config(), &ask)
    }

    /// In words, whole.
    fn answer(&self) -> String {
        match self.decide() {
            Decision::Grant(t) => format!(
                "yes by {} ({}): {} until {} (latest {}, lead {})",
                t.policy,
                t.place,
                join(&t.operations),
                t.deadline,
                t.latest,
                show_span(t.lead)
            ),
            Decision::Refuse(refusal) => {
                let fault = refusal.fault;
                let (code, text, hint) = (fault.kind.code(), &fault.text, fault.remedy());
                format!("{code}: {text}\n  {hint}")
            }
        }
    }
}

fn table(cases: Vec<(&str, Case)>) -> String {
    let rows = cases.iter().map(|(what, case)| format!("# {what}\n{}", case.answer()));
    rows.collect::<Vec<_>>().join("\n\n")
}

fn ttl(text: &str) -> Until {
    Until::Ttl(parse_ttl(text).unwrap())
}

fn until(text: &str) -> Until {
    Until::At(Time::parse(text).unwrap())
}

fn pairs(n: usize, value: &str) -> BTreeMap<String, String> {
    (0..n).map(|i| (format!("k{i}"), value.to_owned())).collect()
}

#[test]
fn who_may_have_what() {
    use Operation::{Decrypt, DescribeKey};
    let shown = table(vec![
        ("the default", ops_asks()),
        ("operations are sorted, each once", ops_asks().of(&[DescribeKey, Decrypt, DescribeKey])),
        ("an alias below", ops_asks().with(|c| c.aliases = vec!["alias/app/a/b".to_owned()])),
        ("a listed session", ops_asks().to("arn:aws:sts::111122223333:assumed-role/RoleC/me")),
        ("another session", ops_asks().to("arn:aws:sts::111122223333:assumed-role/RoleB/me")),
        ("another alias", ops_asks().with(|c| c.aliases = vec!["alias/other".to_owned()])),
        ("another role", ops_asks().to("role/RoleD")),
        ("another caller", ops_asks().with(|c| c.groups = vec![201])),
        ("root, who stands in no policy", ops_asks().with(|c| (c.uid, c.groups) = (0, vec![0]))),
        (
            "root, for a grantee that nobody gives access",
            ops_asks().to("user/eve").with(|c| (c.uid, c.groups) = (0, vec![0])),
        ),
        (
            "nothing fits",
            ops_asks().with(|c| {
                c.groups.clear();
                c.aliases.clear();
                c.grantee = "user/eve".to_owned();
            }),
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_first_policy_that_matches_decides() {
    use Operation::{CreateGrant, Decrypt, Encrypt, Sign};
    let shown = table(vec![
        (
            "the first that matches decides",
            ops_asks().with(|c| {
                c.groups.push(300);
                c.operations = vec![Encrypt];
            }),
        ),
        ("by uid, in a later policy", alice_asks()),
        ("by gid", alice_asks().with(|c| (c.uid, c.groups) = (7, vec![300]))),
        ("a role with a path", alice_asks().to("role/team/a/b")),
        ("a pattern stops at a path", alice_asks().to("role/x/RoleB")),
        (
            "a service-linked role",
            alice_asks().to("role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"),
        ),
        ("account root", alice_asks().to("arn:aws:iam::111122223333:root")),
        ("a pattern and another account", alice_asks().to("arn:aws:iam::444455556666:role/RoleB")),
        ("grantd's own role", alice_asks().to("role/grantd")),
        ("redelegation, allowed", alice_asks().of(&[CreateGrant, Decrypt])),
        ("redelegation, not allowed", ops_asks().of(&[CreateGrant])),
        ("no operation", ops_asks().with(|c| c.operations.clear())),
        ("an operation of another type of key", ops_asks().of(&[Sign])),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn which_keys() {
    let arn = |text: &str| KeyArn::parse(text).unwrap();
    let abroad = || {
        alice_asks().with(|c| {
            c.key.arn = arn("arn:aws:kms:eu-west-1:444455556666:key/mrk-1");
            c.aliases = vec!["alias/shared-1".to_owned()];
            c.grantee = "user/bob".to_owned();
        })
    };
    let shown = table(vec![
        ("an alias ARN with a pattern for the Region", abroad()),
        (
            "written out, another account's role",
            abroad().to("arn:aws:iam::111122223333:role/RoleB"),
        ),
        (
            "the alias of another account",
            alice_asks().with(|c| {
                c.aliases = vec!["alias/shared-1".to_owned()];
                c.grantee = "user/bob".to_owned();
            }),
        ),
        (
            "a Region without a lane",
            abroad().with(|c| {
                c.key.arn = arn("arn:aws:kms:eu-west-2:444455556666:key/mrk-1");
            }),
        ),
        (
            "an account without a lane",
            abroad().with(|c| {
                c.key.arn = arn("arn:aws:kms:eu-west-1:777777777777:key/mrk-1");
            }),
        ),
        ("an AWS managed key", ops_asks().with(|c| c.key.manager = "AWS".to_owned())),
        ("a disabled key", ops_asks().with(|c| c.key.state = "Disabled".to_owned())),
        (
            "a signing key",
            ops_asks().with(|c| {
                (c.key.spec, c.key.usage) = ("RSA_2048".to_owned(), "SIGN_VERIFY".to_owned());
            }),
        ),
        (
            "a type that we do not know",
            ops_asks().with(|c| {
                (c.key.spec, c.key.usage) = ("NEW_1".to_owned(), "NEW_USE".to_owned());
            }),
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn how_long() {
    let asks = |until: Until| ops_asks().with(|c| c.until = until);
    let alice = |until: Until| alice_asks().with(|c| c.until = until);
    let shown = table(vec![
        ("a ttl", asks(ttl("90m"))),
        ("the maximum", asks(ttl("8h"))),
        ("above the maximum", asks(ttl("12h"))),
        ("above it by a millisecond", asks(Until::Ttl(28_800_001))),
        ("no time", asks(ttl("0s"))),
        ("below a second", asks(ttl("999ms"))),
        ("one second", asks(ttl("1s"))),
        ("no sum can wrap", asks(Until::Ttl(i64::MAX))),
        ("until", asks(until("2026-11-23T18:00:00.9Z"))),
        ("until the last second", asks(until("2026-11-23T20:00:00.9Z"))),
        ("until too late", asks(until("2026-11-23T20:00:01Z"))),
        ("until the past", asks(until("2026-11-23T11:59:59Z"))),
        ("until this second", asks(until("2026-11-23T12:00:00.9Z"))),
        ("until the end of time", asks(Until::At(Time(i64::MAX)))),
        ("until before time", asks(Until::At(Time(i64::MIN)))),
        ("the default is the maximum, where that is less than an hour", alice(Until::Default)),
        ("within the lead", alice(ttl("5m"))),
        ("just above the lead", alice(ttl("5m 1s"))),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_a_policy_and_kms_require() {
    let reason = |text: Option<&str>| ops_asks().with(|c| c.reason = text.map(str::to_owned));
    let context = |constraints| ops_asks().with(|c| c.constraints = constraints);
    let shown = table(vec![
        ("no reason", reason(None)),
        (
            "no reason, and a deadline that is past: first what cannot be",
            reason(None).with(|c| c.until = until("2026-11-23T11:59:59Z")),
        ),
        ("a blank reason", reason(Some("  "))),
        ("a reason with a newline", reason(Some("a\nb"))),
        ("a long reason", reason(Some(&"x".repeat(1_001)))),
        ("a reason where none is required", alice_asks()),
        ("8 pairs", context(Constraints::Subset(pairs(8, &"é".repeat(384))))),
        ("9 pairs", context(Constraints::Subset(pairs(9, "v")))),
        ("a long value", context(Constraints::Equals(pairs(1, &"v".repeat(385))))),
        ("no pair", context(Constraints::Equals(BTreeMap::new()))),
        (
            "pairs on a key without context",
            ops_asks().with(|c| {
                c.constraints = Constraints::Subset(pairs(1, "v"));
                c.key.spec = "RSA_2048".to_owned();
            }),
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_refusal_carries_what_each_policy_missed_nearest_first() {
    let case = ops_asks().with(|c| c.groups.clear());
    let Decision::Refuse(refusal) = case.decide() else {
        panic!("nobody listed uid 1001");
    };
    let words: Vec<_> =
        refusal.misses.iter().map(|m| (m.policy.as_str(), m.missed.len())).collect();
    let all = [("s3-readers", 1), ("team", 1), ("abroad", 2), ("shared", 2), ("team-a", 3)];
    assert_eq!(words, all);
    assert_eq!(refusal.misses[0].place, "grantd.toml:12:1");
    assert_eq!(refusal.misses[0].missed, [Missed::Caller(vec!["group:ops".to_owned()])]);
}
