//! The tables, in the order of kms-facts.

mod constraints;
mod key_id;
mod name;
mod operations;
mod principals;

use crate::case::Case;

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [key_id::CASES, operations::CASES, principals::CASES, constraints::CASES, name::CASES]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests;
