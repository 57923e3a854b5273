//! What decides. Nothing here does I/O, reads a clock or draws a random number: `now` is an argument.

pub mod life;
pub mod time;
