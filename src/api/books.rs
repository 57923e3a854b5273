//! The reading side of the ledger, as the API needs it.

use futures_util::future::BoxFuture;

use crate::fault::Fault;
use crate::wire::{HistoryRow, Lease, ListHistory, ListLeases, Page, Verified};

/// What the API reads without asking the engine. Every answer is bounded: long ones come in pages.
pub trait Books: Send + Sync + 'static {
    /// The one lease whose ref begins with `prefix`.
    ///
    /// Faults: `RefUnknown`, `RefAmbiguous`.
    fn lease<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Lease, Fault>>;

    /// A page of leases, by deadline. `uid` is the caller's, for the filter `mine`.
    fn leases(&self, filter: ListLeases, uid: u32) -> BoxFuture<'_, Result<Page<Lease>, Fault>>;

    /// A page of the history, oldest first.
    fn history(&self, filter: ListHistory) -> BoxFuture<'_, Result<Page<HistoryRow>, Fault>>;

    /// Walk the whole chain.
    fn verify(&self) -> BoxFuture<'_, Result<Verified, Fault>>;
}
