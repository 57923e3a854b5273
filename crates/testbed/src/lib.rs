//! A host for the real `grantd` binary, and the KMS it talks to: for end-to-end tests.
//!
//! [`Host`] is a machine in a temporary directory: configuration, state directory, socket, log. It
//! starts [`Daemon`]s, kills them, and runs commands as a person would. [`Sandbox`] is the embedded
//! KMS with the story in it, whose journal says what really happened and when; [`Foreign`] is a KMS
//! that we did not write (MiniStack, moto), from a Python environment that [`venv`] makes once.
//! Between a daemon and its clients stands a [`Relay`], which holds what they say against the API's
//! document ([`contract`]).
//!
//! Nothing here knows grantd's code: what is tested is what a person installs.

pub mod contract;
mod daemon;
mod foreign;
mod host;
pub mod load;
mod notify;
mod proxy;
mod relay;
mod sandbox;
pub mod venv;
mod wait;

pub use daemon::Daemon;
pub use foreign::Foreign;
pub use host::{Host, Ran, Reply};
pub use notify::NotifySocket;
pub use proxy::Proxy;
pub use relay::Relay;
pub use sandbox::{Config, Sandbox};
pub use wait::{PATIENCE, Turn, now_ms, until, until_within};
