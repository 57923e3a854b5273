use super::*;

fn pairs(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn equals_admits_the_same_pairs_only() {
    let equals = Constraints { equals: Some(pairs(&[("a", "1")])), ..Constraints::default() };
    assert!(equals.admit(&pairs(&[("a", "1")]), false));
    assert!(!equals.admit(&pairs(&[("a", "1"), ("b", "2")]), false));
    assert!(!equals.admit(&pairs(&[]), false));
    assert!(!equals.admit(&pairs(&[("A", "1")]), false));
    assert!(equals.admit(&pairs(&[("A", "1")]), true));
    assert!(!equals.admit(&pairs(&[("a", "x")]), true));
}

#[test]
fn subset_admits_more_pairs() {
    let subset = Constraints { subset: Some(pairs(&[("a", "1")])), ..Constraints::default() };
    assert!(subset.admit(&pairs(&[("a", "1"), ("b", "2")]), false));
    assert!(!subset.admit(&pairs(&[("b", "2")]), false));
}

#[test]
fn a_child_is_never_laxer() {
    let one = pairs(&[("a", "1")]);
    let two = pairs(&[("a", "1"), ("b", "2")]);
    let subset =
        |p: &BTreeMap<_, _>| Constraints { subset: Some(p.clone()), ..Constraints::default() };
    let equals =
        |p: &BTreeMap<_, _>| Constraints { equals: Some(p.clone()), ..Constraints::default() };
    assert!(subset(&one).admit_child(&subset(&two)));
    assert!(subset(&one).admit_child(&equals(&two)));
    assert!(!subset(&two).admit_child(&subset(&one)));
    assert!(equals(&one).admit_child(&equals(&one)));
    assert!(!equals(&one).admit_child(&subset(&one)));
    assert!(!subset(&one).admit_child(&Constraints::default()));
    assert!(Constraints::default().admit_child(&Constraints::default()));
}
