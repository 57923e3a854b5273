//! The same for what a policy says of times, numbers, contexts and other accounts' keys.

use super::{RIGHT, changed, said, table};

#[test]
fn how_long_how_many_and_whose() {
    let more = |rest: &str| format!("max-ttl = \"8h\"\n{rest}");
    let shown = table(&[
        ("max-ttl", &more("min-ttl = \"9h\"")),
        ("max-ttl", &more("min-ttl = \"3h\"")),
        ("max-ttl", &more("min-ttl = \"5min\"\nlead = \"5min\"")),
        ("max-ttl", &more("min-ttl = \"500ms\"")),
        ("max-ttl", &more("min-ttl = \"soon\"")),
        ("max-ttl", &more("max-late = \"500ms\"")),
        ("max-ttl", &more("max-late = \"11min\"")),
        ("max-ttl", &more("max-live = 0")),
        ("max-ttl", &more("max-live = 10001\nmax-live-per-asker = -1")),
        ("max-ttl", &more("max-live = \"many\"")),
        ("max-ttl", &more("max-live = 5\nmax-live-per-asker = 6")),
        ("max-ttl", &more("max-live-per-asker = 101")),
        ("max-ttl", &more("max-live = 5\nmax-live-per-asker = 5")),
        ("max-ttl", &more("own = \"polcy\"")),
        ("max-ttl", &more("own = \"alice\"")),
        ("max-ttl", &more("own = true")),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_may_be_required_of_an_encryption_context() {
    let context = |rest: &str| format!("require = [{{ encryption-context = {rest} }}]");
    let nine = (0..9).map(|n| format!("k{n} = \"v\"")).collect::<Vec<_>>().join(", ");
    let shown = table(&[
        ("require", &context("{ \"aws:s3:arn\" = \"arn:aws:s3:::team-a/*\" }")),
        ("require", &context("\"aws:s3:arn\"")),
        ("require", &context("{}")),
        ("require", &context("{ \"aws:s3:arn\" = [\"a\", \"b\"] }")),
        ("require", &context("{ \"aws:s3:arn\" = \"arn:[\" }")),
        ("require", &context("{ \"\" = \"x\" }")),
        ("require", &context(&format!("{{ {nine} }}"))),
        ("require", "require = [{ encription-context = { a = \"b\" } }]"),
        ("require", "require = [{}]"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_keys_of_other_accounts_go_via_one_of_ours() {
    let keys = |via: &str, key: &str| format!("via = \"{via}\"\nkeys = [\"{key}\"]");
    let theirs = "arn:aws:kms:ap-northeast-1:999988887777:key/*";
    let policy = &RIGHT[RIGHT.find("[[policy]]").unwrap_or(0)..];
    let account =
        &RIGHT[RIGHT.find("[[account]]").unwrap_or(0)..RIGHT.find("[[policy]]").unwrap_or(0)];
    let second = account.replace("1111", "5555");
    let one_way = |name: &str, via: &str| {
        let policy = policy.replace("s3-readers", name).replace("alias/app", theirs);
        format!("{policy}via = \"{via}\"\n")
    };
    let top = &RIGHT[..RIGHT.find("[[policy]]").unwrap_or(0)];
    let (one, other) = (one_way("one", "111122223333"), one_way("other", "555522223333"));
    let two_ways = format!("{top}{second}{one}{other}");
    let shown = [
        table(&[
            ("keys", &keys("111122223333", theirs)),
            ("keys", &keys("1111", theirs)),
            ("keys", &keys("444455556666", theirs)),
            ("keys", &keys("111122223333", "alias/app")),
            ("keys", &keys("111122223333", "arn:aws:kms:ap-northeast-1:999988887777:alias/app")),
            ("keys", &keys("111122223333", "arn:aws:kms:ap-northeast-1:111122223333:key/*")),
            ("keys", &keys("111122223333", "arn:aws:kms:eu-west-1:999988887777:key/*")),
            ("keys", &format!("{}\nadopt = \"report\"", keys("111122223333", theirs))),
            ("keys", &format!("{}\nadopt = \"off\"", keys("111122223333", theirs))),
            (
                "keys",
                &format!(
                    "{}\nadopt = \"report\"",
                    keys("111122223333", "arn:aws:kms:ap-northeast-1:999988887777:key/1234abcd")
                ),
            ),
            ("keys", "via = 111122223333\nkeys = [\"alias/app\"]"),
        ]),
        said(&two_ways),
    ]
    .join("\n\n----\n\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_said_of_the_grants_of_others() {
    let more = |rest: &str| format!("max-ttl = \"8h\"\n{rest}");
    let shown = table(&[
        ("max-ttl", &more("adopt = \"off\"")),
        ("max-ttl", &more("adopt = \"report\"")),
        (
            "max-ttl",
            &more(
                "adopt = \"enforce\"\nadopt-unnamed = true\ngrace = \"1d\"\nbrake = { count = 5 }",
            ),
        ),
        ("max-ttl", &more("adopt = \"enforced\"")),
        ("max-ttl", &more("adopt = \"yes\"")),
        ("max-ttl", &more("adopt-unnamed = true\ngrace = \"1d\"\nbrake = {}")),
        ("max-ttl", &more("adopt = \"report\"\ngrace = \"31d\"")),
        ("max-ttl", &more("adopt = \"report\"\nbrake = { count = 0, percent = 101, per-day = 1 }")),
        ("max-ttl", &more("adopt = \"report\"\nbrake = 10")),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_listed_twice_or_never_decides_is_a_warning() {
    let policy = &RIGHT[RIGHT.find("[[policy]]").unwrap_or(0)..];
    let below = |change: &dyn Fn(String) -> String, above: &dyn Fn(&str) -> String| {
        let second = change(policy.replace("s3-readers", "second"));
        said(&format!("{}{second}", above(RIGHT)))
    };
    let wide = |text: &str| {
        text.replace("alias/app", "alias/*").replace("role/RoleB", "role/*\", \"user/**")
    };
    let same = |text: &str| text.to_owned();
    let shown = [
        said(&changed("keys", "keys = [\"alias/app\", \"alias/b\", \"alias/app\"]")),
        said(&changed("callers", "callers = [\"group:ops\", \"group:ops\"]")),
        below(&|text| text, &same),
        below(&|text| text, &wide),
        below(&|text| text.replace("alias/app", "alias/app/{a,b}-*"), &wide),
        below(&|text| text.replace("role/RoleB", "role/Team*\", \"user/a/b"), &wide),
        // None of these is covered: each has a key, grantee or caller of its own.
        below(&|text| text.replace("group:ops", "user:alice"), &wide),
        below(&|text| text.replace("role/RoleB", "role/team/RoleB"), &wide),
        below(&|text| text.replace("role/RoleB", "role/aws-service-role/x"), &|text| {
            wide(text).replace("role/*", "role/**")
        }),
        below(&|text| text.replace("alias/app", "alias/*"), &same),
        below(
            &|text| text.replace("alias/app", "arn:aws:kms:ap-northeast-1:111122223333:key/1"),
            &wide,
        ),
    ]
    .join("\n\n----\n\n");
    insta::assert_snapshot!(shown);
}
