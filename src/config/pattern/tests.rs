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
