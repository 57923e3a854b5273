use std::collections::BTreeSet;

use super::{Fault, Kind, exit};
use crate::ids::Ref;
use crate::wire::Problem;

/// The exit codes that DESIGN 12 and grantd(1) document.
const DOCUMENTED: &[u8] = &[64, 65, 66, 69, 70, 73, 74, 75, 77, 78];

#[test]
fn every_fault_has_a_code_of_its_own() {
    let codes: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), Kind::ALL.len());
    for code in codes {
        let kebab = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(kebab, "{code} is no kebab-case word");
    }
}

#[test]
fn every_exit_code_is_documented_and_has_a_fault() {
    let used: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.exit()).collect();
    let documented: BTreeSet<_> = DOCUMENTED.iter().copied().collect();
    assert_eq!(used, documented);
    assert_eq!(exit::OK, 0);
}

#[test]
fn every_status_is_an_error_but_for_the_unknown_outcome() {
    for kind in Kind::ALL {
        let expected = if *kind == Kind::OutcomeUnknown { 202..=202 } else { 400..=599 };
        assert!(expected.contains(&kind.http()), "{kind:?}: {}", kind.http());
    }
}

#[test]
fn every_hint_is_one_line_that_says_what_to_do() {
    for kind in Kind::ALL {
        let hint = kind.hint();
        assert!(hint.len() >= 10, "{kind:?}: {hint:?}");
        assert!(!hint.ends_with('.') && !hint.contains('\n'), "{kind:?}: {hint:?}");
        let first = hint.chars().next().unwrap();
        assert!(!first.is_uppercase(), "{kind:?}: {hint:?}");
    }
}

#[test]
fn a_fault_survives_the_socket() {
    for kind in Kind::ALL {
        let plain = Fault::new(*kind, "what, where");
        assert_eq!(Fault::from(Problem::from(&plain)), plain);
    }
    let lease = Ref::parse("g-7k2m9x4p1q8z").unwrap();
    let full = Fault::new(Kind::OutcomeUnknown, "no answer").hint("wait").about(lease);
    assert_eq!(Fault::from(Problem::from(&full)), full);
}

#[test]
fn a_code_of_a_newer_version_keeps_its_exit_code_and_its_words() {
    for code in DOCUMENTED {
        let problem = Problem {
            code: "from-the-future".into(),
            status: 418,
            detail: "what, where".into(),
            hint: "do this".into(),
            exit: *code,
            reference: None,
        };
        let fault = Fault::from(problem);
        assert_eq!(fault.kind.exit(), *code);
        assert_eq!((fault.text.as_str(), fault.remedy()), ("what, where", "do this"));
    }
}

/// Each stands under the schema of its status, once.
#[test]
fn the_document_of_the_api_has_the_whole_table() {
    let document = include_str!("../../docs/openapi.json");
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let mut described = BTreeSet::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let refined = &schema["allOf"][1];
        let Some(status) = refined["properties"]["status"]["const"].as_u64() else { continue };
        for fault in refined["oneOf"].as_array().unwrap() {
            let constant = |field: &str| fault["properties"][field]["const"].clone();
            let row = format!("{} {status} {}", constant("type"), constant("exit"));
            assert!(described.insert(row), "twice in {name}: {fault}");
        }
    }
    let row = |kind: &Kind| format!("{:?} {} {}", kind.code(), kind.http(), kind.exit());
    let known: BTreeSet<String> = Kind::ALL.iter().map(row).collect();
    let difference: Vec<_> = known.symmetric_difference(&described).collect();
    assert!(difference.is_empty(), "only in src/fault.rs or in docs/openapi.json: {difference:?}");
}
