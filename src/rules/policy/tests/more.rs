//! Minimum, encryption context, groups of operations, other accounts' keys.

use super::*;

/// The caller and key that `team-a` alone lists; `pairs` bind the grant.
fn writes(pairs: &[(&str, &str)]) -> Case {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    alice_asks().to("role/Writer").with(|c| {
        c.uid = 1004;
        c.aliases = vec!["alias/team-a".to_owned()];
        c.constraints = Constraints::Subset(pairs.iter().map(own).collect());
        c.operations = Operation::WRITE.to_vec();
    })
}

const BOUND: [(&str, &str); 2] = [("aws:s3:arn", "arn:aws:s3:::team-a/x/y"), ("purpose", "audit")];

#[test]
fn what_binds_a_grant_to_an_encryption_context() {
    let exactly = |c: &mut Case| {
        if let Constraints::Subset(pairs) = c.constraints.clone() {
            c.constraints = Constraints::Equals(pairs);
        }
    };
    let shown = table(vec![
        ("both pairs", writes(&BOUND)),
        ("exactly both", writes(&BOUND).with(exactly)),
        ("and a third", writes(&[BOUND[0], BOUND[1], ("more", "x")])),
        ("no context", writes(&[]).with(|c| c.constraints = Constraints::None)),
        ("one of two", writes(&BOUND[..1])),
        ("another bucket", writes(&[("aws:s3:arn", "arn:aws:s3:::team-b/x"), BOUND[1]])),
        ("a bucket that begins alike", writes(&[("aws:s3:arn", "arn:aws:s3:::team-ab"), BOUND[1]])),
        ("a key in other letters", writes(&[("AWS:S3:ARN", BOUND[0].1), BOUND[1]])),
        ("a value that may not be empty", writes(&[BOUND[0], ("purpose", "")])),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn no_shorter_than_the_policy_gives() {
    let asks = |until: Until| writes(&BOUND).with(|c| c.until = until);
    let shown = table(vec![
        ("the minimum", asks(ttl("15m"))),
        ("below it by a millisecond", asks(Until::Ttl(899_999))),
        ("until the minimum", asks(until("2026-11-23T12:15:00Z"))),
        ("until a second less", asks(until("2026-11-23T12:14:59Z"))),
        ("the past is past, not short", asks(until("2026-11-23T11:00:00Z"))),
        ("the default", asks(Until::Default)),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_keys_of_another_account() {
    let arn = |text: &str| KeyArn::parse(text).unwrap();
    let theirs = || {
        alice_asks().of(Operation::READ).with(|c| {
            c.key.arn = arn("arn:aws:kms:eu-west-1:999988887777:key/1");
            c.aliases.clear();
        })
    };
    let shown = table(vec![
        ("a role of that account, in short", theirs().to("role/Guest")),
        ("one of ours, in full", theirs().to("arn:aws:iam::111122223333:role/RoleB")),
        ("our role in short is theirs", theirs()),
        (
            "a Region that the account between does not serve",
            theirs().with(|c| {
                c.key.arn = arn("arn:aws:kms:eu-west-2:999988887777:key/1");
            }),
        ),
        (
            "a third account",
            theirs().with(|c| {
                c.key.arn = arn("arn:aws:kms:eu-west-1:999988886666:key/1");
            }),
        ),
    ]);
    insta::assert_snapshot!(shown);
    let config = config();
    let maker = |text: &str| config.account_of(&arn(text)).map(|account| account.id.to_string());
    let via = Some("444455556666".to_owned());
    assert_eq!(maker("arn:aws:kms:eu-west-1:999988887777:key/1"), via);
    assert_eq!(maker("arn:aws:kms:eu-west-1:444455556666:key/1"), via);
    assert_eq!(maker("arn:aws:kms:eu-west-1:999988886666:key/1"), None);
}

#[test]
fn the_terms_carry_how_many_may_live() {
    let max = |case: Case| match case.decide() {
        Decision::Grant(terms) => (terms.max_live.policy, terms.max_live.asker),
        Decision::Refuse(refusal) => panic!("{}", refusal.fault),
    };
    assert_eq!(max(ops_asks()), (100, 20));
    let theirs = alice_asks().of(&[Operation::Decrypt]).to("role/Guest").with(|c| {
        c.key.arn = KeyArn::parse("arn:aws:kms:eu-west-1:999988887777:key/1").unwrap();
        c.until = Until::Ttl(60_000);
    });
    assert_eq!(max(theirs), (7, 7));
}
