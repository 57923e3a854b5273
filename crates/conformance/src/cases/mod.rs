//! The tables, in the order of kms-facts.

mod accounts;
mod children;
mod consistency;
mod constraints;
mod key_id;
mod keys;
mod list;
mod name;
mod operations;
mod principals;
mod quotas;
mod response;
mod retirable;
mod retire;
mod revoke;
mod states;
mod using;
mod views;

use crate::case::Case;

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        key_id::CASES,
        operations::CASES,
        principals::CASES,
        constraints::CASES,
        name::CASES,
        response::CASES,
        states::CASES,
        children::CASES,
        list::CASES,
        retirable::CASES,
        revoke::CASES,
        retire::CASES,
        consistency::CASES,
        quotas::CASES,
        using::CASES,
        keys::CASES,
        accounts::CASES,
        views::CASES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
