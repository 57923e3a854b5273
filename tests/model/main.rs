//! The protocol as a model, exhaustively: a lease with its extension, a network that delays,
//! repeats and loses, a KMS whose views lag, crashes, a ledger that is rolled back, a clock that
//! falls behind. What a row does is the production transition function (`rules::life::step`).
//!
//! Time is in units of a minute. A request may arrive for [`world::WINDOW`] after it was signed, a
//! change shows after [`world::LAG`]; `settle` is exactly their sum, without slack, so that
//! whatever closes a row a moment too soon is found.
//!
//! A rolled-back ledger does not know what was sent since: until a search must have shown it, its
//! grants may be without a row, and a row may be closed over one. That is found here, and bounded:
//! every grant ends all the same.
#![expect(clippy::unwrap_used, reason = "a model that cannot take its own step is wrong")]

mod act;
mod effect;
mod properties;
mod world;

use std::collections::BTreeSet;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use act::{Model, Variant};

/// Every property of the right protocol holds in every order of events.
fn holds(model: Model) -> usize {
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.threads(2).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

/// A naive variant breaks this property.
#[track_caller]
fn breaks(variant: Variant, property: &'static str) {
    let rollbacks = u8::from(variant == Variant::NeverSearch);
    let model = Model { variant, rollbacks, ..Model::default() };
    let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = model.checker().finish_when(found).threads(2).spawn_bfs().join();
    let found = checker.discovery(property);
    assert!(found.is_some(), "{variant:?} goes unnoticed by {property:?}");
}

#[test]
fn the_protocol_holds_with_crashes_and_lost_answers() {
    let model = Model { crashes: 2, faults: 2, rollbacks: 0, ..Model::default() };
    let states = holds(model);
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn the_protocol_holds_with_an_extension() {
    let model = Model { extends: true, rollbacks: 0, ..Model::default() };
    let states = holds(model);
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn the_protocol_holds_with_a_ledger_rolled_back_and_a_clock_set_back() {
    let model = Model { rollbacks: 1, set_back: true, ..Model::default() };
    let states = holds(model);
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn the_protocol_holds_with_all_of_it() {
    // A crash loses answers too; with lost ones and replays besides, it would take minutes.
    let bounds = Model { crashes: 2, faults: 0, replays: 0, ..Model::default() };
    let model = Model { extends: true, set_back: true, ..bounds };
    let states = holds(model);
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn to_create_first_and_record_after_leaves_a_grant_without_a_row() {
    breaks(Variant::RecordAfter, properties::ROW);
}

#[test]
fn to_trust_an_empty_listing_at_once_closes_over_what_still_arrives() {
    breaks(Variant::TrustAbsence, properties::CLOSED);
}

#[test]
fn to_replay_at_the_deadline_closes_over_what_still_arrives() {
    breaks(Variant::ReplayLate, properties::CLOSED);
}

#[test]
fn to_settle_from_the_first_send_closes_over_what_still_arrives() {
    breaks(Variant::SettleFromFirst, properties::CLOSED);
}

#[test]
fn to_ignore_twins_leaves_one_alive() {
    breaks(Variant::IgnoreTwins, properties::ENDS);
}

#[test]
fn not_to_search_after_a_rollback_leaves_a_grant_alive() {
    breaks(Variant::NeverSearch, properties::ENDS);
}

#[test]
fn to_close_when_kms_does_not_find_it_leaves_a_grant_alive() {
    breaks(Variant::TrustNotFound, properties::CLOSED);
}
