//! What no policy file, in whatever order, may ever allow.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::config::parse;
use crate::config::tests::Nobody;
use crate::rules::time::{HOUR, MINUTE};

const ROLES: [&str; 4] = ["role/a", "role/b", "role/t/c", "role/grantd"];
const ALIASES: [&str; 3] = ["alias/x", "alias/y", "alias/x/y"];

/// One policy as text, with what a test needs to know of it: its operations, uids and maximum in
/// minutes.
#[derive(Debug, Clone)]
struct Rule {
    operations: Vec<Operation>,
    uids: Vec<u32>,
    max: i64,
    lead: i64,
    key: &'static str,
    grantee: &'static str,
    redelegate: bool,
    min: i64,
    reason: bool,
    context: bool,
}

fn rule() -> impl Strategy<Value = Rule> {
    let operations = subsequence(Operation::ALL.to_vec(), 1..19);
    let uids = subsequence(vec![1_u32, 2, 3, 4], 1..4);
    let key = select(vec!["alias/x", "alias/*", "alias/y", "alias/nothing"]);
    let grantee = select(vec!["role/a", "role/*", "role/**", "role/b"]);
    let times = (4..600_i64).prop_flat_map(|max| (Just(max), 0..max.min(60) - 2));
    let times = times.prop_flat_map(|(max, lead)| (Just((max, lead)), lead + 1..max.min(60)));
    let flags = (any::<bool>(), proptest::bool::weighted(0.3), proptest::bool::weighted(0.3));
    (operations, uids, times, key, grantee, flags).prop_map(
        |(operations, uids, ((max, lead), min), key, grantee, (redelegate, reason, context))| {
            let fits = |op: &Operation| redelegate || !op.redelegates();
            let mut operations: Vec<_> = operations.into_iter().filter(fits).collect();
            if operations.is_empty() {
                operations.push(Operation::Decrypt);
            }
            Rule { operations, uids, max, lead, key, grantee, redelegate, min, reason, context }
        },
    )
}

/// The rules in the order of `order`, each under its own name.
fn file(rules: &[Rule], order: &[usize]) -> String {
    let mut text = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
"#
    .to_owned();
    for (i, rule) in order.iter().map(|i| (i, &rules[*i])) {
        let callers: Vec<_> = rule.uids.iter().map(|uid| format!("user:{uid}")).collect();
        let operations: Vec<_> = rule.operations.iter().map(|op| op.as_str()).collect();
        let Rule { key, grantee, max, lead, redelegate, min, .. } = rule;
        let mut require = Vec::new();
        require.extend(rule.reason.then_some("\"reason\""));
        require.extend(rule.context.then_some("{ encryption-context = { team = \"a*\" } }"));
        let require = require.join(", ");
        text.push_str(&format!(
            "[[policy]]\nname = \"p{i}\"\nkeys = [{key:?}]\ngrantees = [{grantee:?}]\n\
             operations = {operations:?}\ncallers = {callers:?}\nmax-ttl = \"{max}m\"\n\
             lead = \"{lead}m\"\nallow-redelegation = {redelegate}\nmin-ttl = \"{min}m\"\n\
             require = [{require}]\n"
        ));
    }
    text
}

fn until() -> impl Strategy<Value = Until> {
    prop_oneof![
        Just(Until::Default),
        (-HOUR..12 * HOUR).prop_map(Until::Ttl),
        any::<i64>().prop_map(Until::Ttl),
        (-HOUR..12 * HOUR).prop_map(|ms| Until::At(NOW.plus(ms))),
        any::<i64>().prop_map(|ms| Until::At(Time(ms))),
    ]
}

const NOW: Time = Time(1_795_435_200_123);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_allowed_beyond_the_first_policy_that_matches(
        rules in proptest::collection::vec(rule(), 1..6),
        uid in 0_u32..6,
        role in select(ROLES.to_vec()),
        alias in select(ALIASES.to_vec()),
        operations in subsequence(Operation::ALL.to_vec(), 0..3),
        until in until(),
        reason in select(vec![None, Some(""), Some("because")]),
        team in select(vec![None, Some("a-team"), Some("b-team")]),
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let order: Vec<usize> = order.into_iter().filter(|i| *i < rules.len()).collect();
        let config = parse("f", &file(&rules, &order), &Nobody).unwrap();
        let pairs = team.map(|team| BTreeMap::from([("team".to_owned(), team.to_owned())]));
        let constraints = pairs.map_or(Constraints::None, Constraints::Subset);
        let arn = KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/1").unwrap();
        let key = KeyFacts {
            arn: arn.clone(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            usage: "UNKNOWN".to_owned(),
            state: "Enabled".to_owned(),
            manager: "CUSTOMER".to_owned(),
        };
        let grantee = expand_grantee(role, &arn).unwrap();
        let ask = Ask {
            caller: &Caller { uid, gid: 100, groups: Vec::new(), name: "someone".to_owned() },
            key: &key,
            aliases: &[alias.to_owned()],
            grantee: &grantee,
            operations: &operations,
            until,
            reason,
            constraints: &constraints,
            now: NOW,
        };
        if let Decision::Grant(terms) = decide(&config, &ask) {
            let index: usize = terms.policy[1..].parse().unwrap();
            let rule = &rules[index];
            prop_assert!(rule.uids.contains(&uid));
            prop_assert!(terms.operations.iter().all(|op| rule.operations.contains(op)));
            prop_assert!(rule.redelegate || !terms.operations.iter().any(|op| op.redelegates()));
            prop_assert!(terms.deadline <= terms.latest);
            prop_assert_eq!(terms.latest, NOW.plus(rule.max * MINUTE));
            prop_assert!(terms.deadline.plus(-rule.lead * MINUTE) > NOW);
            prop_assert_eq!(terms.deadline, terms.deadline.floor_second());
            prop_assert_ne!(role, "role/grantd");
            prop_assert!(terms.deadline >= NOW.floor_second().plus(rule.min * MINUTE));
            prop_assert!(!rule.reason || reason.is_some_and(|reason| !reason.is_empty()));
            prop_assert!(!rule.context || team == Some("a-team"));
            let place = order.iter().position(|i| *i == index).unwrap();
            for earlier in order[..place].iter().map(|i| &rules[*i]) {
                let same_key = earlier.key == alias || earlier.key == "alias/*";
                let same_grantee = earlier.grantee == role || earlier.grantee == "role/**"
                    || (earlier.grantee == "role/*" && role.matches('/').count() == 1);
                let asks = earlier.uids.contains(&uid);
                prop_assert!(!(same_key && same_grantee && asks), "an earlier policy matched too");
            }
            // No order makes more of it: the policy that decides gives the same terms alone.
            let alone = parse("f", &file(&rules, &[index]), &Nobody).unwrap();
            let own = decide(&alone, &ask).terms().unwrap();
            prop_assert_eq!(own, Terms { place: "f:7:1".to_owned(), ..terms });
        }
    }
}
