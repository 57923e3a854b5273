use super::*;

fn matches(pattern: &str, slash: bool, text: &str) -> bool {
    Glob::new(pattern, slash).unwrap().matches(text)
}

#[test]
fn in_aliases_a_star_crosses_slashes() {
    assert!(matches("alias/app*", false, "alias/app/a/b"));
    assert!(matches("alias/*", false, "alias/a/b"));
    assert!(matches("alias/{a,b}-?", false, "alias/b-1"));
    assert!(!matches("alias/app", false, "alias/app/a"));
    assert!(!matches("alias/App*", false, "alias/app"));
}

#[test]
fn in_grantees_nothing_but_two_stars_crosses_a_slash() {
    assert!(matches("role/*", true, "role/a"));
    assert!(matches("role/t/**", true, "role/t/a/b"));
    for pattern in ["role/*", "role/a?b", "role/{a*,b}", "role/a*b"] {
        assert!(!matches(pattern, true, "role/a/b"), "{pattern}");
    }
    assert!(Glob::new("role/a[!x]b", true).is_err());
}

#[test]
fn what_would_take_forever_to_build_is_refused() {
    assert!(Glob::new(&"a".repeat(513), true).is_err());
    // Alternatives multiply nothing here: the matcher is an automaton, bounded in size.
    assert!(Glob::new(&"{a,b}*?".repeat(73), true).is_ok());
}

fn grantee(glob: &str, scope: Option<&str>) -> GranteePattern {
    GranteePattern {
        text: glob.to_owned(),
        scope: scope.map(|account| GranteeScope {
            head: format!("arn:aws:iam::{account}:"),
            account: account.to_owned(),
        }),
        glob: Glob::new(glob, true).unwrap(),
    }
}

#[test]
fn the_widest_pattern_names_no_service_no_root_and_no_other_account() {
    let key = KeyArn::parse("arn:aws:kms:eu-west-1:111122223333:key/1").unwrap();
    let own = |resource: &str| format!("arn:aws:iam::111122223333:{resource}");
    let wide = grantee("role/**", None);
    assert!(wide.matches(&own("role/a/b"), &key));
    for other in [
        own("role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        own("root"),
        own("user/a"),
        "arn:aws:iam::444455556666:role/a".to_owned(),
        "arn:aws-cn:iam::111122223333:role/a".to_owned(),
        "arn:aws:sts::111122223333:assumed-role/a/b".to_owned(),
        "AROAEXAMPLE".to_owned(),
    ] {
        assert!(!wide.matches(&other, &key), "{other}");
    }
    let abroad = "arn:aws:iam::444455556666:role/a";
    assert!(!grantee("role/*", Some("444455556666")).matches(abroad, &key));
    assert!(grantee("role/a", Some("444455556666")).matches(abroad, &key));
}

#[test]
fn a_pattern_covers_what_it_plainly_matches_and_no_more() {
    let covers = |wide: &str, narrow: &str, slash| {
        Glob::new(wide, slash).unwrap().covers(&Glob::new(narrow, slash).unwrap())
    };
    for (wide, narrow, slash, yes) in [
        ("alias/a", "alias/a", false, true),
        ("alias/a", "alias/b", false, false),
        ("alias/*", "alias/a/b", false, true),
        ("alias/*", "alias/a/*", false, true),
        ("alias/a*", "alias/*", false, false),
        ("alias/{a,b}", "alias/a", false, true),
        ("alias/{a,b}*", "alias/a*", false, false),
        ("role/*", "role/a", true, true),
        ("role/*", "role/a*", true, true),
        ("role/*", "role/a/b", true, false),
        ("role/*", "role/{a/b,c}", true, false),
        ("role/*", "role/**", true, false),
        ("role/**", "role/a/*", true, true),
        ("role/**", "role/*", true, true),
        ("role**", "role/a/*", true, false),
    ] {
        assert_eq!(covers(wide, narrow, slash), yes, "{wide} {narrow}");
    }
}
