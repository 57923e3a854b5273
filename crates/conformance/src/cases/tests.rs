use std::collections::BTreeSet;

use super::all;
use crate::case::{Server, Truth};

#[test]
fn no_two_cases_have_one_name() {
    let mut seen = BTreeSet::new();
    for case in all() {
        assert!(seen.insert(case.name), "{} is there twice", case.name);
    }
}

/// The lab's table A of what moto does otherwise (measured 2026-11-23) has 32 rows.
#[test]
fn every_row_of_the_lab_has_its_case() {
    let rows: BTreeSet<u8> = all().filter_map(|case| case.row).collect();
    let missing: Vec<u8> = (1..=32).filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "no case for rows {missing:?}");
}

#[test]
fn every_case_says_where_it_is_known_from() {
    for case in all() {
        let (Truth::Documented(source, _)
        | Truth::Recorded(source, _)
        | Truth::Unconfirmed(source, _)) = case.truth;
        assert!(!source.is_empty(), "{}", case.name);
        if let Truth::Unconfirmed(_, answers) = case.truth {
            assert!(!answers.is_empty(), "{}: no answer", case.name);
        }
    }
}

/// A departure that is none would hide that an emulator follows AWS.
#[test]
fn a_departure_departs() {
    for case in all() {
        for server in [Server::MiniStack, Server::Moto] {
            let Some(says) = case.departure(server) else { continue };
            let of_aws: Vec<&str> = match case.truth {
                Truth::Documented(_, says) | Truth::Recorded(_, says) => vec![says],
                Truth::Unconfirmed(_, answers) => answers.iter().map(|a| a.says).collect(),
            };
            assert!(!of_aws.contains(&says), "{}: {} says what AWS says", case.name, server.name());
            assert!(case.sandbox_only.is_none(), "{}: nobody asks {}", case.name, server.name());
        }
    }
}
