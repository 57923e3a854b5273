use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::cli::explain::Told;
use crate::config::parse;
use crate::config::tests::Nobody;
use crate::ids::KeyArn;
use crate::rules::policy::{Ask, parse_ttl};
use crate::rules::suppose::{Given, suppose};
use crate::terms::{Constraints, Operation};

#[test]
fn a_caller_is_whom_the_daemon_would_see() {
    let root = caller(Some("root")).unwrap();
    assert_eq!((root.uid, root.gid, root.name.as_str()), (0, 0, "root"));
    assert_eq!(caller(Some("0")).unwrap(), root);
    let stranger = caller(Some("3999999999")).unwrap();
    assert_eq!((stranger.uid, stranger.gid, stranger.groups.len()), (3_999_999_999, OVERFLOW, 0));
    let myself = caller(None).unwrap();
    assert_eq!(myself.uid, rustix::process::geteuid().as_raw());
    assert!(caller(Some("no-such-user")).unwrap_err().text.contains("no user \"no-such-user\""));
    assert!(caller(Some("65534")).unwrap_err().text.contains("refuses it at the socket"));
}

const NOW: Time = Time(1_795_435_200_123);
const ARN: &str = "arn:aws:kms:ap-northeast-1:111122223333:key/1";

/// A file of policies, each of which lists some of everything.
fn file() -> impl Strategy<Value = String> {
    let some = |all: &'static [&'static str]| subsequence(all.to_vec(), 1..=all.len());
    let policy = (
        some(&["alias/x", "alias/y*", "arn:aws:kms:*:111122223333:key/*"]),
        some(&["role/a", "role/b*", "user/u"]),
        some(&["Decrypt", "Encrypt", "DescribeKey", "Sign"]),
        some(&["user:1", "user:2", "group:10", "group:20"]),
        select(vec!["30m", "2h", "1d"]),
        any::<bool>(),
    );
    proptest::collection::vec(policy, 1..5).prop_map(|policies| {
        let mut text = "group = \"prod\"\n[[account]]\nid = \"111122223333\"\n\
                        role-arn = \"arn:aws:iam::111122223333:role/grantd\"\n\
                        regions = [\"ap-northeast-1\"]\n"
            .to_owned();
        for (i, (keys, grantees, operations, callers, max, reason)) in
            policies.into_iter().enumerate()
        {
            let require = if reason { "require = [\"reason\"]\n" } else { "" };
            text.push_str(&format!(
                "[[policy]]\nname = \"p{i}\"\nkeys = {keys:?}\ngrantees = {grantees:?}\n\
                 operations = {operations:?}\ncallers = {callers:?}\nmax-ttl = \"{max}\"\n{require}"
            ));
        }
        text
    })
}

fn request(
    key: &str,
    grantee: &str,
    operations: &[String],
    ttl: Option<&str>,
    reason: Option<&str>,
) -> CreateLease {
    CreateLease {
        key: key.to_owned(),
        grantee: grantee.to_owned(),
        operations: operations.to_vec(),
        ttl: ttl.map(str::to_owned),
        until: None,
        reason: reason.map(str::to_owned),
        constraints: Constraints::None,
        region: None,
        token: false,
        hold: false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What `explain` says is what `decide` says to the same words, asked as the desk asks.
    #[test]
    fn explain_and_decide_agree(
        file in file(),
        uid in 0_u32..4,
        gid in select(vec![10_u32, 30]),
        groups in subsequence(vec![20_u32, 40], 0..=2),
        key in select(vec!["alias/x", "alias/yy", ARN]),
        grantee in select(vec!["role/a", "role/bb", "role/grantd", "user/u", "nonsense"]),
        operations in subsequence(vec!["Decrypt", "Encrypt", "Sign", "Nothing"], 0..3),
        ttl in select(vec![None, Some("20m"), Some("3h"), Some("10d"), Some("0s"), Some("x")]),
        reason in select(vec![None, Some("ticket 7")]),
    ) {
        let config = parse("f", &file, &Nobody).unwrap();
        let supposed = suppose(&config, key, None, &Given::default()).unwrap();
        let names: Vec<String> = operations.iter().map(|text| (*text).to_owned()).collect();
        let question = Question {
            caller: Caller { uid, gid, groups, name: "someone".to_owned() },
            request: request(key, grantee, &names, ttl, reason),
            key: supposed.facts.clone(),
            aliases: supposed.aliases.clone(),
        };
        let explained = question.decide(&config, NOW);
        let told = Told { config: &config, question: &question, decision: &explained };
        let document = told.document(&[]);

        let read: Result<Vec<Operation>, _> = names.iter().map(|name| name.parse()).collect();
        let span = ttl.map(parse_ttl).transpose();
        let arn = KeyArn::parse(supposed.facts.arn.as_str()).unwrap();
        let decided = match (read, span, expand_grantee(grantee, &arn)) {
            (Ok(operations), Ok(span), Ok(grantee)) if !operations.is_empty() => {
                let until = span.map_or(Until::Default, Until::Ttl);
                decide(&config, &Ask {
                    caller: &question.caller, key: &supposed.facts, aliases: &supposed.aliases,
                    grantee: &grantee, operations: &operations,
                    until, reason, constraints: &Constraints::None, now: NOW,
                })
            }
            _ => {
                // What cannot be read is refused, by no policy.
                prop_assert_eq!(&document["decision"], "refuse");
                prop_assert_eq!(&document["fault"]["type"], "bad-argument");
                prop_assert!(document["policy"].is_null());
                return Ok(());
            }
        };
        prop_assert_eq!(&explained, &decided);
        match decided {
            Decision::Grant(terms) => {
                prop_assert_eq!(&document["decision"], "allow");
                prop_assert_eq!(&document["policy"], &terms.policy);
                prop_assert_eq!(&document["place"], &terms.place);
                prop_assert_eq!(&document["terms"]["deadline"], &terms.deadline.to_string());
            }
            Decision::Refuse(refusal) => {
                prop_assert_eq!(&document["decision"], "refuse");
                prop_assert_eq!(&document["fault"]["detail"], &refusal.fault.text);
                prop_assert_eq!(document["missed"].as_array().unwrap().len(), refusal.misses.len());
            }
        }
    }
}
