//! The production engine and ledger on one thread, under a simulated clock, against the sandbox's
//! core. A seed is a day: a script of what people ask for, what goes wrong at KMS and on the host,
//! and the chances in between. It replays to the letter; `tests/README.md` says how to read one
//! that failed.
#![expect(clippy::unwrap_used, reason = "a test panics where its world is not as it must be")]
#![expect(clippy::disallowed_methods, reason = "the simulated clock is tokio's paused one")]
#![expect(clippy::print_stderr, reason = "the figures of a run are for the one who runs it")]

mod actors;
mod adopt;
mod chain;
mod check;
mod clock;
mod disk;
mod drift;
mod extend;
mod figures;
mod file;
mod foreign;
mod forger;
mod good;
mod guests;
mod happen;
mod hold;
mod host;
mod hostile;
mod jumps;
mod kms;
mod many;
mod people;
mod power;
mod retries;
mod runner;
mod scenarios;
mod script;
mod seeds;
mod settings;
mod shapes;
mod sleep;
mod stage;
mod standby;
mod strangers;
mod switches;
mod vfs;
mod world;
