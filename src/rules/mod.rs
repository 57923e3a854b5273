//! What decides. Nothing here does I/O, reads a clock or draws a random number: `now` is an
//! argument.

pub mod access;
pub mod brake;
pub mod clocks;
pub mod convention;
pub mod extend;
pub mod forecast;
pub mod foreign;
pub mod found;
pub mod freeze;
pub mod iam;
pub mod keyref;
pub mod life;
pub mod name;
pub mod pace;
pub mod policy;
pub mod refusals;
pub mod same;
pub mod suppose;
pub mod time;
pub mod wait;
