use std::collections::BTreeSet;

use super::all;

#[test]
fn no_two_cases_have_one_name() {
    let mut seen = BTreeSet::new();
    for case in all() {
        assert!(seen.insert(case.name), "{} is there twice", case.name);
    }
}
