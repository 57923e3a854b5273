//! The API over a real socket, with a real client and hostile ones. The engine and the ledger are
//! played: what they do is tested where they live.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail, and measures real time at a real socket"
)]

mod administer;
mod calls;
mod document;
mod hold;
mod hostile;
mod log;
#[path = "../support/redact.rs"]
mod redact;
mod replies;
mod shelf;
mod sight;
mod stop;
mod support;
