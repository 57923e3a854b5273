//! The ledger on real files. `fixture` builds what the other modules put in.

mod adopt;
mod backup;
mod doubt;
mod drift;
mod extend;
mod fixture;
mod found;
mod freeze;
mod history;
mod hold;
mod life;
mod limits;
mod lists;
mod memos;
mod opening;
mod plans;
mod processes;
mod pump;
mod refusals;
mod round_trip;
