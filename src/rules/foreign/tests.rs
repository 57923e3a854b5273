//! The corpus has every documented form of a service's grant, each service's real example
//! (kms-facts 6), look-alikes that show one sign alone, and what people make.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::Deserialize;

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
revoke-role-arn = "arn:aws:iam::111122223333:role/grantd-revoke"
regions = ["ap-northeast-1"]
[[account]]
id = "444455556666"
retiring-principal = "arn:aws:iam::444455556666:role/grantd"
revoke-role-arn = "arn:aws:iam::444455556666:role/grantd-revoke"
regions = ["ap-northeast-1"]
[[policy]]
name = "unnamed"
keys = ["alias/app"]
grantees = ["role/Unnamed"]
operations = ["Decrypt"]
callers = ["user:1000"]
default-ttl = "4h"
max-ttl = "8h"
adopt = "enforce"
adopt-unnamed = true
[[policy]]
name = "off"
keys = ["alias/app"]
grantees = ["role/Off"]
operations = ["Decrypt"]
callers = ["user:1000"]
max-ttl = "8h"
[[policy]]
name = "wide"
keys = ["alias/app"]
grantees = ["role/**", "user/alice", "role/service-role/Written", "arn:aws:iam::444455556666:role/RoleB",
  "arn:aws:sts::111122223333:assumed-role/RoleB/alice",
  "arn:aws:sts::111122223333:assumed-role/LambdaRole/my-function"]
operations = ["Decrypt"]
callers = ["user:1000"]
default-ttl = "2h"
max-ttl = "8h"
adopt = "report"
"#;

const KEY: &str = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd";
const CREATED: &str = "2026-11-23T10:00:00Z";

fn config(text: &str) -> Config {
    parse("grantd.toml", text, &Nobody).unwrap()
}

fn at(text: &str) -> Time {
    Time::parse(text).unwrap()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    what: String,
    class: String,
    fate: String,
    #[serde(default)]
    grantee: String,
    #[serde(default)]
    retiring: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    subset: BTreeMap<String, String>,
    #[serde(default)]
    equals: BTreeMap<String, String>,
    source: Option<String>,
    #[serde(default)]
    unknown: Vec<String>,
    created: Option<Time>,
    #[serde(default)]
    no_date: bool,
    key: Option<String>,
    #[serde(default)]
    aws_managed: bool,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("corpus.json")).unwrap()
    }

    fn listed(&self) -> Listed {
        let constraints = match (self.subset.is_empty(), self.equals.is_empty()) {
            (true, true) => Constraints::None,
            (false, _) => Constraints::Subset(self.subset.clone()),
            (true, false) => Constraints::Equals(self.equals.clone()),
        };
        Listed {
            key_arn: KEY.to_owned(),
            id: GrantId::parse("ab12").unwrap(),
            name: self.name.clone(),
            created: self.created.or((!self.no_date).then(|| at(CREATED))),
            grantee: self.grantee.clone(),
            retiring_principal: self.retiring.clone(),
            issuing_account: self.issuer.clone(),
            operations: self.operations.clone(),
            constraints,
            source_arn: self.source.clone(),
            unknown: self.unknown.clone(),
        }
    }

    fn verdict<'c>(&self, config: &'c Config) -> Verdict<'c> {
        let (_, lane) = config.lanes().next().unwrap();
        let alias = self.key.clone().unwrap_or_else(|| "app".to_owned());
        let aliases = [format!("alias/{alias}")];
        let key = Seen { aliases: &aliases, aws_managed: self.aws_managed };
        judge(config, &lane, key, &self.listed(), at(CREATED))
    }

    fn why_not_by_hand(&self, config: &Config) -> Vec<String> {
        let (_, lane) = config.lanes().next().unwrap();
        let aliases = ["alias/app".to_owned()];
        let key = Seen { aliases: &aliases, aws_managed: self.aws_managed };
        by_hand(config, &lane, key, &self.listed(), at(CREATED)).err().unwrap_or_default()
    }
}

fn fate(verdict: &Verdict<'_>) -> (String, String) {
    match verdict {
        Verdict::Ours { name, .. } => (format!("ends {}", name.deadline()), String::new()),
        Verdict::Adoptable(Adoption { policy, deadline, notes, .. }) => {
            (format!("adopt {deadline}"), format!("by {}: {}", policy.name, notes.join("; ")))
        }
        Verdict::HandsOff { reasons, .. } => ("hands off".to_owned(), reasons.join("; ")),
    }
}

#[test]
fn the_corpus_is_told_apart_with_its_reasons() {
    let config = config(CONFIG);
    let mut lines = Vec::new();
    for case in Case::all() {
        let verdict = case.verdict(&config);
        let (told, why) = fate(&verdict);
        let (class, what) = (verdict.kind().to_string(), &case.what);
        assert_eq!((class.as_str(), told.as_str()), (&*case.class, &*case.fate), "{what}: {why}");
        lines.push(format!("{what}: {class}, {told}: {why}"));
    }
    assert!(lines.len() >= 60, "{}", lines.len());
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn behind_an_endpoint_of_this_host_what_emulators_leave_out_is_passed_over() {
    let config = config(CONFIG);
    let (_, mut lane) = config.lanes().next().unwrap();
    lane.endpoint = Some("http://127.0.0.1:4566".to_owned());
    let bare = Case::all().into_iter().find(|case| case.what == "no issuer").unwrap();
    let key = Seen { aliases: &["alias/app".to_owned()], aws_managed: false };
    let verdict = judge(&config, &lane, key, &bare.listed(), at(CREATED));
    assert!(matches!(verdict, Verdict::Adoptable(_)), "{verdict:?}");
}

/// By hand it takes no policy that adopts; all else keeps its hands off as it does by itself.
#[test]
fn by_hand_the_policies_words_are_no_reason_and_every_sign_is() {
    let config =
        config(&CONFIG.replace("adopt = \"enforce\"\n", "").replace("\"report\"", "\"off\""));
    for case in Case::all() {
        let why = case.why_not_by_hand(&config);
        let adoptable = case.fate.starts_with("adopt");
        assert!(!adoptable || why.is_empty(), "{}: {why:?}", case.what);
        let person = matches!(case.class.as_str(), "person-made" | "unknown");
        assert!(person || !why.is_empty(), "{} is {}", case.what, case.class);
    }
}

#[test]
fn what_one_look_finds_comes_apart_within_the_grace() {
    let hour = crate::rules::time::HOUR;
    let spans: BTreeSet<i64> = (0..500)
        .map(|n| spread(&crate::ids::GrantId::parse(format!("{n:064}")).unwrap(), hour))
        .collect();
    assert!(spans.iter().all(|span| (0..hour).contains(span)), "{spans:?}");
    assert_eq!(spans.len(), 500);
    let quarters = [0, 1, 2, 3].map(|n| spans.range(n * hour / 4..(n + 1) * hour / 4).count());
    assert!(quarters.iter().all(|n| (75..175).contains(n)), "{quarters:?}");
    assert_eq!(spread(&crate::ids::GrantId::parse("a").unwrap(), 0), 0);
}

/// A config that reaches as far as one can, or less far: whatever it says, no sign is overruled.
fn any_config() -> impl Strategy<Value = String> {
    let adopt = prop_oneof![Just("off"), Just("report"), Just("enforce")];
    let grantees = prop_oneof![
        Just(r#"["role/**", "user/**"]"#),
        Just(r#"["arn:aws:iam::111122223333:role/aws-service-role/**"]"#),
        Just(r#"["arn:aws:sts::111122223333:assumed-role/LambdaRole/my-function"]"#),
        Just(r#"["role/RoleB"]"#),
    ];
    (adopt, any::<bool>(), grantees, any::<bool>()).prop_map(|(adopt, unnamed, grantees, local)| {
        let head = CONFIG.split("[[policy]]").next().unwrap();
        let head = match local {
            true => {
                head.replace("regions =", "endpoint-url = \"http://127.0.0.1:4566\"\nregions =")
            }
            false => head.to_owned(),
        };
        format!(
            "{head}[[policy]]\nname = \"any\"\nkeys = [\"alias/*\"]\ngrantees = {grantees}\n\
             operations = [\"Decrypt\"]\ncallers = [\"user:1000\"]\nmax-ttl = \"365d\"\n\
             adopt = \"{adopt}\"\nadopt-unnamed = {unnamed}\ngrace = \"0s\"\n"
        )
    })
}

/// One sign of a service, laid over what a person or grantd made.
fn any_sign() -> impl Strategy<Value = fn(&mut Case)> {
    let signs: [fn(&mut Case); 16] = [
        |case| case.grantee = "ec2.ap-northeast-1.amazonaws.com".to_owned(),
        |case| case.grantee = "AWS Internal".to_owned(),
        |case| case.retiring = "rds.ap-northeast-1.amazonaws.com".to_owned(),
        |case| case.retiring = "AWS Internal".to_owned(),
        |case| case.issuer = "medical-imaging.ap-northeast-1.amazonaws.com".to_owned(),
        |case| case.grantee = "arn:aws:sts::111122223333:assumed-role/aws:x/i-1".to_owned(),
        |case| {
            case.grantee =
                "arn:aws:sts::111122223333:assumed-role/LambdaRole/my-function".to_owned();
            case.retiring = case.grantee.clone();
        },
        |case| {
            let role = "aws-service-role/a.amazonaws.com/AWSServiceRoleForA";
            case.retiring = format!("arn:aws:iam::111122223333:role/{role}");
        },
        |case| case.source = Some("arn:aws:s3:::b".to_owned()),
        |case| case.aws_managed = true,
        |case| {
            let pair = ("aws:ebs:id".to_owned(), "vol-1".to_owned());
            case.subset = BTreeMap::from([pair]);
            case.retiring.clear();
        },
        |case| {
            let role = "aws-service-role/a.amazonaws.com/AWSServiceRoleForA";
            case.grantee = format!("arn:aws:iam::111122223333:role/{role}");
            case.retiring.clear();
        },
        |case| {
            let pair = ("Aws-Crypto-Public-Key".to_owned(), "x".to_owned());
            case.equals = BTreeMap::from([pair]);
            case.subset.clear();
            case.retiring.clear();
        },
        |case| {
            case.unknown = vec!["Constraints.SourceAccount".to_owned()];
            case.retiring.clear();
        },
        |case| {
            case.unknown = vec!["GrantType".to_owned()];
            case.retiring.clear();
        },
        |case| {
            case.operations = vec!["Decrypt".to_owned(), "FutureOperation".to_owned()];
            case.retiring.clear();
        },
    ];
    (0..signs.len()).prop_map(move |n| signs[n])
}

proptest! {
    /// Whatever the config: a grant with a sign of a service is never ended. (A proof of ours needs
    /// our own role as retiring principal; what the asker of a lease of ours may have named, a
    /// context or a service-linked grantee, does not undo it.)
    #[test]
    fn no_grant_with_a_sign_of_a_service_is_ever_ended(
        text in any_config(),
        case in prop::sample::select(Case::all()),
        sign in any_sign(),
    ) {
        let config = config(&text);
        let mut case = case;
        sign(&mut case);
        let verdict = case.verdict(&config);
        prop_assert!(matches!(verdict, Verdict::HandsOff { .. }), "{verdict:?} of {case:?}");
        prop_assert!(!case.why_not_by_hand(&config).is_empty(), "nor by hand: {case:?}");
    }

    /// Nor is one of the corpus that has a sign of its own, whatever its Name says.
    #[test]
    fn the_services_own_examples_are_left_alone(
        text in any_config(),
        case in prop::sample::select(Case::all()),
        name in prop_oneof![Just("ttl:1s"), Just("until:2020-01-01T00:00:00Z"), Just("")],
    ) {
        let services = ["service-made", "service-linked", "internal", "aws-managed-key"];
        prop_assume!(services.contains(&case.class.as_str()));
        let (config, mut case) = (config(&text), case);
        case.name = name.to_owned();
        let verdict = case.verdict(&config);
        prop_assert!(matches!(verdict, Verdict::HandsOff { .. }), "{verdict:?} of {case:?}");
    }
}
