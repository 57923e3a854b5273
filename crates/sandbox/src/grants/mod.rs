//! The four operations on grants, and the tokens.

pub(crate) mod create;
mod end;
mod list;
mod plant;
mod terms;
mod token;

#[cfg(test)]
mod tests;
