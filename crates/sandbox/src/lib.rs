//! An embedded AWS KMS that enforces grants.
//!
//! Written from the AWS documentation alone; it shares no code with what is tested against it, so
//! that both cannot agree in the same mistake. Where AWS's answer is not known, a switch in
//! [`Unconfirmed`] chooses; the table of all switches is at the end of this page.
//!
//! Three layers, each usable without the next:
//!
//! 1. [`Core`]: `(caller, operation, body, now)` → answer. Pure and deterministic: no I/O, no
//!    clock, chance from a seed. [`Core::journal`] tells what happened and when.
//! 2. [`Handle`]: a shared core with a clock, and around each call the faults of [`Faults`]:
//!    throttle, fail, delay, drop the answer, or `hold` the call before or after it takes effect
//!    until released.
//! 3. [`Server`]: HTTP on loopback for any AWS SDK or CLI, with SigV4 verified, KMS and STS on one
//!    port, and the control surface of the faults under `/_sandbox/`.
//!
//! [`Story`] is a ready world: a key with an alias, RoleA whom the key policy lets decrypt, RoleB
//! whom nothing lets, the role `grantd`, and an administrator.
//!
//! ```
//! use kms_sandbox::{Op, Story, StoryOptions};
//! use serde_json::json;
//!
//! let now = 1_795_000_000_000;
//! let mut story = Story::new(StoryOptions::default(), now);
//! let secret = story.encrypt("the data", now);
//! let body = json!({ "CiphertextBlob": secret });
//! let refused = story.core.call(&story.role_b.caller, Op::Decrypt, &body, now);
//! assert_eq!(refused.unwrap_err().code, "AccessDeniedException");
//!
//! let grant = json!({
//!     "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn, "Operations": ["Decrypt"],
//! });
//! story.core.call(&story.grantd.caller, Op::CreateGrant, &grant, now).expect("grantd may");
//! assert!(story.core.call(&story.role_b.caller, Op::Decrypt, &body, now).is_ok());
//! ```
//!
#![doc = include_str!("../SWITCHES.md")]

// In reading order: words, state, decisions, operations, and what lies around the core.
mod error;
mod op;
mod settings;

mod arn;
mod keyspec;
mod model;
mod params;
mod policy;
mod principals;
mod rng;
mod time;

mod authorise;
mod core;
mod inspect;
mod journal;

mod aliases;
mod crypto;
mod grants;
mod keys;
mod sts;

mod faults;
mod handle;
mod http;

mod story;

#[cfg(test)]
mod testing;

pub use crate::core::{Core, Tally};
pub use crate::error::KmsError;
pub use crate::faults::{Act, Caught, Fault, FaultId, Faults, Match, When};
pub use crate::handle::{Clock, Failure, Handle, Held, system_clock};
pub use crate::http::{Running, Server};
pub use crate::inspect::GrantTruth;
pub use crate::journal::{Entry, Journal};
pub use crate::model::{End, KeyState};
pub use crate::op::{Op, UnknownOp};
pub use crate::principals::{Caller, Credential, IamPolicy};
pub use crate::settings::{
    EndUnseen, ListUnknown, NewPrincipals, Propagation, RepeatAfterEnd, Settings, Unconfirmed,
};
pub use crate::story::{Identity, Story, StoryOptions};
