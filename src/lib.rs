//! grantd: temporary access to AWS KMS keys that really ends.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod engine;
pub mod fault;
pub mod ids;
pub mod kms;
pub mod ledger;
pub mod logging;
pub mod notify;
pub mod rng;
pub mod rules;
pub mod run;
pub mod terms;
pub mod wire;
