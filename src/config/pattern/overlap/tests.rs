use super::overlap;

#[test]
fn two_patterns_meet_where_one_text_fits_both() {
    for (one, other) in [
        ("role/RoleB", "role/RoleB"),
        ("role/*", "role/RoleB"),
        ("role/R*", "role/*B"),
        ("role/**", "role/a/b"),
        ("role/**/b", "role/b"),
        ("role/a*/b", "role/**"),
        ("role/?", "role/*"),
        ("role/?", "role/a"),
        ("*", "RoleB"),
        ("role/{a,b}", "role/c"),
    ] {
        assert!(overlap(one, other), "{one} {other}");
        assert!(overlap(other, one), "{other} {one}");
    }
}

#[test]
fn two_patterns_without_a_common_text_do_not_meet() {
    for (one, other) in [
        ("role/RoleB", "role/RoleC"),
        ("role/*", "user/*"),
        ("role/*", "role/a/b"),
        ("role/a*", "role/b*"),
        ("role/*a", "role/*b"),
        ("role/?", "role/ab"),
        ("role/team/**", "role/*"),
        ("", "a"),
    ] {
        assert!(!overlap(one, other), "{one} {other}");
        assert!(!overlap(other, one), "{other} {one}");
    }
}
