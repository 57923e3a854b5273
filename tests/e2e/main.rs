//! The real binary against the embedded KMS, whose journal says what really happened and when.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod adopt;
mod agree;
mod backup;
mod clock;
mod command;
mod crash;
mod credentials;
mod doctor;
mod explain;
mod extend;
mod forecast;
mod freeze;
mod grammar;
mod idempotency;
mod lease;
mod limits;
mod many;
mod metrics;
mod proof;
mod proxy;
mod rebuild;
mod refusals;
mod reload;
mod service;
mod standin;
mod start;
mod stop;
mod strangers;
mod sweep;
mod unknown;
mod unknown_ends;

/// The program under test.
const GRANTD: &str = env!("CARGO_BIN_EXE_grantd");
