//! What AWS KMS answers about grants, case by case, asked of every server that stands in for it.
//!
//! The tables under `cases/` are the specification. A case reads:
//!
//! ```text
//! Case::documented(
//!     "create-grant/name/repeat",                 // what is asked
//!     "API CreateGrant",                          // where AWS says so
//!     "same id, another token",                   // what AWS answers
//!     |w| { … },                                  // the calls, through the AWS SDK, over HTTP
//! )
//! .moto("another id, another token")              // an emulator that departs, and how
//! .row(1)                                         // row 1 of the lab's table of departures
//! ```
//!
//! - **documented**: AWS's documentation or service model says so. **recorded**: somebody asked AWS
//!   and published the answer. **UNCONFIRMED**: no source tells; the sandbox has a switch, and is
//!   asked under every answer.
//! - The embedded KMS (`crates/sandbox`) follows AWS: it has no departures. Those of MiniStack and
//!   moto are asserted as well, so that an emulator that mends one, or departs in another way, is
//!   noticed when its version is raised.
//! - `refused` stands where AWS refuses, but no source names the code.
//!
//! Sources: *API* is the service model (botocore 1.44.5, kms 2014-11-01) and the API reference;
//! *guide* is the AWS KMS Developer Guide, by page; *LocalStack* is its test-suite's recordings of
//! AWS; *Terraform* is the AWS provider's code, by what it treats as AWS's answer.
//!
//! Run it with `cargo test -p conformance`; with a part of a name for a few cases
//! (`cargo test -p conformance lab-a-09`, `… ::moto`), with `-- --list` for all names.

pub mod case;
pub mod cases;
pub mod words;
pub mod world;

pub use case::{Answer, Case, Seen, Server, Truth};
pub use world::World;
