//! Bad input is refused whole, and never panics, hangs or grows without bound: configuration, API
//! JSON, Names, ARNs and globs, damaged at random.
//!
//! `GRANTD_CASES=10000000 cargo test --release --test bad_input` runs more (100,000 in all without
//! it), `GRANTD_SEED` others. A failure prints the case and its seed.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]
#![expect(clippy::print_stderr, reason = "a failure has to show its case")]

use grantd::api::parse;
use grantd::config::{self, Config, ConfigError, Names};
use grantd::ids::{AccountId, GrantId, Group, KeyArn, Principal, Ref, Region};
use grantd::rules::keyref::KeyRef;
use grantd::rules::name::Name;
use grantd::rules::policy::{
    Until, expand_grantee, is_grantee, lists_grantee, lists_key, parse_operations, parse_span,
    show_span,
};
use grantd::wire::CreateLease;

/// Cases in all, unless `GRANTD_CASES` says otherwise.
const CASES: u64 = 100_000;

struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Err("nobody answers".to_owned())
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Chance that a seed repeats: SplitMix64, as public as it is short.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// A place in `text` that splits no character.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// `text` with one to four things done to it.
    fn damage(&mut self, text: &str, words: &[&str]) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            let (one, other) = (self.place(&text), self.place(&text));
            let (from, to) = (one.min(other), one.max(other));
            match self.below(6) {
                0 => text.insert_str(one, self.one(words)),
                1 => text.insert(one, self.character()),
                2 => text.replace_range(from..to.min(self.near(&text, from)), ""),
                3 => text.replace_range(from..self.near(&text, from), self.one(words)),
                4 => {
                    let piece = text[from..to].to_owned();
                    text.insert_str(one, &piece);
                }
                _ => text.truncate(one),
            }
        }
        text
    }

    /// A place a few characters behind `from`.
    fn near(&mut self, text: &str, from: usize) -> usize {
        let n = self.below(9);
        text[from..].char_indices().nth(n).map_or(text.len(), |(at, _)| from + at)
    }

    fn character(&mut self) -> char {
        let any = u32::try_from(self.roll() % 0x11_0000).unwrap();
        match self.below(3) {
            0 => char::from_u32(any).unwrap_or('\u{fffd}'),
            1 => char::from_u32(any % 0x80).unwrap_or(' '),
            _ => self
                .one(&["*", "\"", "/", ":", "[", "{", "é", "\u{0}", "\u{202e}", "鍵", "\n"])
                .chars()
                .next()
                .unwrap_or(' '),
        }
    }
}

/// Prints its case if the test dies over it.
struct Case<'a>(u64, &'a str);

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("GRANTD_SEED={} and this case: {:?}", self.0, self.1);
        }
    }
}

/// Try `share` per cent of the cases, each made by `make`.
fn each(share: u64, make: impl Fn(&mut Dice) -> String, check: impl Fn(&str)) {
    let (cases, seed) = (number("GRANTD_CASES", CASES) * share / 100, number("GRANTD_SEED", 1));
    let mut dice = Dice(seed.wrapping_mul(0x1_0001).wrapping_add(share));
    for _ in 0..cases {
        let text = make(&mut dice);
        let _told = Case(seed, &text);
        check(&text);
    }
}

const MINIMUM: &str = r#"group = "prod"
[daemon]
settle = "11min"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "s3-readers"
keys = ["alias/app/*", "arn:aws:kms:*:111122223333:key/*"]
grantees = ["role/Role?", "role/team/**", "user/{a,b}"]
operations = ["read"]
callers = ["user:1000"]
max-ttl = "8h"
"#;

/// A key of the grammar with a value that may be of any kind.
fn line(dice: &mut Dice, keys: &[&str]) -> String {
    let values = [
        "\"8h\"",
        "\"\"",
        "0",
        "-1",
        "99999999999999999999",
        "1.5",
        "true",
        "[]",
        "[\"alias/*\"]",
        "{}",
        "{ level = \"info\" }",
        "[\"role/**\", \"role/{a\"]",
        "[\"reason\", { x = 1 }]",
        "\"policy\"",
        "2026-11-23",
        "[[1]]",
        "{ count = 3, percent = 200 }",
        "\"444455556666\"",
        "[{ encryption-context = { a = \"*\", b = \"[\" } }]",
        "'arn:aws:kms:*:1:key/*'",
        "\"\"\"",
    ];
    format!("{} = {}\n", dice.one(keys), dice.one(&values))
}

/// What a config promises to those who take it.
fn holds(config: &Config) {
    for account in &config.accounts {
        let (all, own) = (account.rates, account.pace());
        assert!(own.create * account.hosts <= all.create && own.create >= 1);
        assert!(own.end * account.hosts <= all.end && own.list * account.hosts <= all.list);
    }
    for policy in &config.policies {
        assert!(policy.min_ttl <= policy.default_ttl && policy.default_ttl <= policy.max_ttl);
        assert!(0 <= policy.lead && policy.lead < policy.default_ttl);
        assert!(policy.max_live.asker <= policy.max_live.policy);
        let redelegates = policy.operations.iter().any(|op| op.redelegates());
        assert!(policy.allow_redelegation || !redelegates);
        assert!(!policy.keys.is_empty() && !policy.grantees.is_empty());
        assert!(!policy.callers.is_empty() && !policy.operations.is_empty());
    }
}

#[test]
fn a_configuration_is_right_or_refused_with_its_problems() {
    let keys: Vec<&str> = config::grammar().map(|(_, key)| key).collect();
    let make = |dice: &mut Dice| {
        let mut text = MINIMUM.to_owned();
        for _ in 0..dice.below(4) {
            let at = text.match_indices('\n').map(|(at, _)| at + 1).collect::<Vec<_>>();
            let at = at[dice.below(at.len())];
            text.insert_str(at, &line(dice, &keys));
        }
        if dice.below(3) > 0 { dice.damage(&text, &keys) } else { text }
    };
    each(4, make, |text| match config::parse("f", text, &Nobody) {
        Ok(config) => holds(&config),
        Err(ConfigError::Wrong(all)) => {
            assert!(!all.is_empty());
            let spans = all.problems().iter().filter_map(|problem| problem.span.clone());
            for span in spans {
                assert!(span.start <= span.end && span.end <= text.len());
            }
            // A hundred problems at most, and each quotes its value a few times at most.
            assert!(all.to_string().len() <= 100_000 + 32 * text.len());
        }
        Err(other) => panic!("{other}"),
    });
}

#[test]
fn the_body_of_a_create_is_read_or_refused() {
    let right = r#"{"key": "alias/app", "grantee": "role/RoleB", "operations": ["Decrypt", "read"],
        "ttl": "2h", "reason": "x", "constraints": {"subset": {"a": "b"}}, "region": "eu-west-1",
        "token": true}"#;
    let words = [
        "\"until\": \"2026-11-23T18:00:00Z\",",
        "null",
        "[",
        "{",
        "\\u0000",
        "\\ud800",
        "1e999",
        "\"equals\"",
        "\"ttl\": \"18446744073709551615s\",",
        "\"key\": 7,",
        "\"hold\": true,",
        "\"\"",
        "arn:aws:iam::111122223333:root",
        "\"operations\": [],",
        "99999999999999999999",
    ];
    let make = |dice: &mut Dice| match dice.below(50) {
        0 => "[".repeat(dice.below(4_000)),
        1 => format!("{{\"key\": {}", "{\"a\":".repeat(dice.below(4_000))),
        _ => dice.damage(right, &words),
    };
    let arn = KeyArn::parse("arn:aws:kms:eu-west-1:111122223333:key/1").unwrap();
    each(30, make, |text| match parse::<CreateLease>(text.as_bytes()) {
        Ok(request) => {
            let again = serde_json::to_vec(&request).unwrap();
            assert_eq!(parse::<CreateLease>(&again).unwrap(), request);
            // What the desk makes of its words: a value or a fault.
            let _operations =
                parse_operations(&request.operations).map(|all| assert!(!all.is_empty()));
            let _until = Until::parse(request.ttl.as_deref(), request.until).is_ok();
            let _key = KeyRef::parse(&request.key).is_ok();
            if let Ok(grantee) = expand_grantee(&request.grantee, &arn) {
                assert!(is_grantee(grantee.as_str()) && !grantee.as_str().contains(['*', '?']));
            }
        }
        Err(fault) => assert!(fault.text.starts_with("the body of the request"), "{fault}"),
    });
}

#[test]
fn a_name_reads_as_it_is_written_or_not_at_all() {
    let right = [
        "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z",
        "grantd/a/g-000000000000/4294967295/1970-01-01T00:00:00Z",
    ];
    let words =
        ["/", "grantd/", "0", "-", "g-", "+01:00", ".5Z", "9999-12-31T23:59:59Z", "01", "Z"];
    let make = |dice: &mut Dice| {
        let right = dice.one(&right);
        dice.damage(right, &words)
    };
    each(30, make, |text| {
        if let Ok(name) = Name::parse(text) {
            assert_eq!(name.to_string(), text);
            assert!(text.len() <= 86 && name.serial() >= 1);
        }
        let _reference = Ref::parse(text).is_ok();
        let _group = Group::parse(text).is_ok();
        if let Ok(span) = parse_span(text) {
            assert_eq!(parse_span(&show_span(span)), Ok(span));
        }
    });
}

#[test]
fn an_arn_is_whole_or_refused() {
    let right = [
        "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-west-1:111122223333:alias/app",
        "arn:aws-cn:iam::111122223333:role/team/RoleB",
        "arn:aws:sts::111122223333:assumed-role/RoleB/me",
        "alias/app",
        "role/RoleB",
        "1234abcd",
    ];
    let words = [":", "::", "/", "arn:", "aws", "*", "role/", "root", "key/", "alias/aws/", "1111"];
    let make = |dice: &mut Dice| {
        let right = dice.one(&right);
        dice.damage(right, &words)
    };
    let key = KeyArn::parse(right[0]).unwrap();
    each(30, make, |text| {
        if let Ok(arn) = KeyArn::parse(text) {
            assert_eq!(arn.as_str(), text);
            assert!(AccountId::parse(arn.account()).is_ok() && Region::parse(arn.region()).is_ok());
            let parts = (arn.partition(), arn.region(), arn.account(), arn.key_id());
            assert_eq!(
                text,
                format!("arn:{}:kms:{}:{}:key/{}", parts.0, parts.1, parts.2, parts.3)
            );
        }
        if let Ok(KeyRef::Arn(arn)) = KeyRef::parse(text) {
            assert_eq!(arn.as_str(), text);
        }
        if let Ok(grantee) = expand_grantee(text, &key) {
            assert!(is_grantee(grantee.as_str()));
            assert!(Principal::parse(grantee.as_str()).is_ok());
        }
        let _id = GrantId::parse(text).is_ok();
    });
}

/// What no pattern of a grantee ever names, however it is written.
const NEVER: [&str; 5] = [
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:role/RoleB",
    "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
    "arn:aws:iam::111122223333:role/grantd",
    "arn:aws:sts::111122223333:assumed-role/RoleB/me",
];

#[test]
fn a_glob_matches_in_bounds_and_never_whom_it_may_not() {
    let words = ["*", "**", "?", "{a,b}", "{", "}", "[a-z]", "[!x]", "\\\\", "/", "role/", ","];
    let make = |dice: &mut Dice| {
        let part = ["alias/", "key/*", "role/*", "role/**", "user/{a,b}"];
        let part = dice.one(&part);
        dice.damage(part, &words).replace(['"', '\n', '\r'], "")
    };
    let key = KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/1").unwrap();
    let aliases =
        ["alias/app".to_owned(), "alias/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab".to_owned()];
    let (keys, grantees) = (
        "\"alias/app/*\", \"arn:aws:kms:*:111122223333:key/*\"",
        "\"role/Role?\", \"role/team/**\", \"user/{a,b}\"",
    );
    each(6, make, |text| {
        let of_key = text.starts_with(['a', 'k']);
        let file = MINIMUM.replace(if of_key { keys } else { grantees }, &format!("{text:?}"));
        let Ok(config) = config::parse("f", &file, &Nobody) else { return };
        let policy = &config.policies[0];
        let _listed = lists_key(policy, &key, &aliases);
        let literal = policy.grantees.iter().all(|grantee| grantee.is_literal());
        for who in NEVER {
            assert!(literal || !lists_grantee(&config, policy, who, &key), "{who}");
        }
    });
}
