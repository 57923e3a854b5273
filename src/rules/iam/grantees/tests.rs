use super::*;

fn said(pattern: &str) -> String {
    alternatives(pattern).join(" ")
}

#[test]
fn the_files_patterns_are_said_as_iams() {
    for (ours, iams) in [
        ("alias/app", "alias/app"),
        ("alias/app/*", "alias/app/*"),
        ("role/team/**", "role/team/*"),
        ("role/{a,b}", "role/a role/b"),
        ("role/{a,b{c,d}}-?", "role/a-? role/bc-? role/bd-?"),
        ("alias/a[bc]d", "alias/a?d"),
        ("alias/a[!]x]d", "alias/a?d"),
        ("alias/a[]", "alias/a?"),
        ("a\\*b\\c", "a${*}bc"),
    ] {
        let mut told: Vec<_> = said(ours).split(' ').map(str::to_owned).collect();
        told.sort_unstable();
        assert_eq!(told.join(" "), iams, "{ours}");
    }
}

#[test]
fn what_lies_beyond_the_slash_is_taken_out_again() {
    assert_eq!(beyond("role/*"), ["role/*/*"]);
    assert_eq!(beyond("role/a?b*"), ["role/a/b*", "role/a?b*/*"]);
    assert!(beyond("role/team/**").is_empty());
}

#[test]
fn a_pattern_with_too_many_branches_stays_within_bounds() {
    let wide = format!("role/{}", "{a,b,c,d,e,f,g,h}".repeat(20));
    let told = alternatives(&wide);
    assert!(told.len() <= 2 * ALTERNATIVES_MAX, "{}", told.len());
    assert!(told.iter().all(|one| !one.contains(['{', '}'])));
}
