//! grantd: temporary access to AWS KMS keys that really ends.
//!
//! KMS grants have no expiry. grantd records each grant with a deadline before the request leaves
//! this host, and ends it then, whatever happens in between. The way of the data:
//!
//! ```text
//! grantd create ─► api ─► desk ─► policy (pure) ─► ledger: intent + history, one commit
//!      reply ◄─ ledger: active + history ◄─ kms: CreateGrant(Name) ◄──┘
//! clock, new work ─► due ─► lane (pacing, who waits) ─► kms: RetireGrant ─► ledger ─► look
//! ```
//!
//! Nothing calls upward. Three threads: engine, API, ledger; so a flood on the socket cannot delay
//! an ending, and the simulation runs the very same futures on one thread.
//!
//! # Invariants
//! - `rules` decides and does nothing else: no I/O, no clock, no chance. `now` is an argument.
//! - Only `kms::aws` knows the SDK, only `ledger` knows SQL, only `api` and `client` know HTTP.
//! - There is no CreateGrant without an [`ledger::Intent`], which only a commit makes; no end
//!   without a [`ledger::Warrant`], which only a row of ours makes.
//! - No change of a row without [`rules::life::step`]; no change of state without a history row.
//! - "Not found" and an empty or partial listing prove nothing until a row is settled.
//! - The config makes grants; the ledger alone ends them.
//! - Only `clock` reads a clock; deadlines are judged by [`rules::clocks`].
//!
//! # Modules, in reading order
//! Words: [`ids`], [`terms`], [`wire`], [`fault`]. Decisions: [`rules`] (begin with
//! [`rules::life`]). The outside: [`clock`], [`rng`], [`kms`], [`ledger`], [`config`]. The work:
//! [`engine`]. The doors: [`api`], [`client`], [`cli`]. What wires them: [`daemon`], [`run`].
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
