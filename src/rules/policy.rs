//! Whether a lease may be made, and on which terms. Pure: the config, the question and the time decide.

mod span;

pub use span::{BadSpan, parse_span, show_span};
