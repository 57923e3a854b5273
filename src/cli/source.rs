//! Where a command gets its answers: from the daemon, or, for reading, from a ledger file.

use futures_util::future::LocalBoxFuture;

use crate::fault::Fault;
use crate::wire::{
    AcceptAlias, AdoptGrant, AdoptionHold, CreateLease, ExtendLease, Freeze, HeldLease, HistoryRow,
    Lease, LeaseExtended, LeaseMade, LiftFreeze, ListHistory, ListLeases, MovedAlias, NewFreeze,
    Page, Reload, Reloaded, Resume, RevokeLease, RevokeLeases, Searching, Status, Verified,
};

/// What is asked for.
pub type Asked<'a, T> = LocalBoxFuture<'a, Result<T, Fault>>;

/// What can be read, with or without the daemon.
pub trait Source {
    /// One page of leases.
    fn leases<'a>(&'a self, query: &'a ListLeases) -> Asked<'a, Page<Lease>>;
    /// One lease, by any unique beginning of its ref.
    fn lease<'a>(&'a self, reference: &'a str) -> Asked<'a, Lease>;
    /// One page of the history.
    fn history<'a>(&'a self, query: &'a ListHistory) -> Asked<'a, Page<HistoryRow>>;
    /// Walk the chain of the history.
    fn verify(&self) -> Asked<'_, Verified>;
}

/// What only the daemon can do.
pub trait Daemon: Source {
    /// Make a lease.
    fn create<'a>(
        &'a self,
        request: &'a CreateLease,
        idempotency: Option<&'a str>,
    ) -> Asked<'a, LeaseMade>;
    /// Give a lease another deadline.
    fn extend<'a>(
        &'a self,
        reference: &'a str,
        request: &'a ExtendLease,
        idempotency: Option<&'a str>,
    ) -> Asked<'a, LeaseExtended>;
    /// End a lease before its deadline.
    fn revoke<'a>(&'a self, reference: &'a str, request: &'a RevokeLease) -> Asked<'a, Lease>;
    /// End many leases, or none of them.
    fn revoke_many<'a>(&'a self, request: &'a RevokeLeases) -> Asked<'a, Page<Lease>>;
    /// Keep leases of some kind from being made.
    fn freeze<'a>(&'a self, request: &'a NewFreeze) -> Asked<'a, Freeze>;
    /// Let them be made again.
    fn lift<'a>(&'a self, id: i64, request: &'a LiftFreeze) -> Asked<'a, Freeze>;
    /// The freezes that stand.
    fn freezes(&self) -> Asked<'_, Page<Freeze>>;
    /// Hold a lease for as long as the answer goes on; `told` hears how it is.
    fn hold<'a>(&'a self, reference: &'a str, told: &'a mut dyn FnMut(HeldLease)) -> Asked<'a, ()>;
    /// Take the configuration's file anew.
    fn reload<'a>(&'a self, request: &'a Reload) -> Asked<'a, Reloaded>;
    /// Put a grant of somebody else under a deadline.
    fn adopt<'a>(&'a self, request: &'a AdoptGrant) -> Asked<'a, LeaseExtended>;
    /// Let go on what is held.
    fn resume<'a>(&'a self, request: &'a Resume) -> Asked<'a, Page<AdoptionHold>>;
    /// Let an alias point where it points.
    fn accept_alias<'a>(&'a self, request: &'a AcceptAlias) -> Asked<'a, Page<MovedAlias>>;
    /// Search the keys now.
    fn search(&self) -> Asked<'_, Searching>;
    /// Describe itself.
    fn status(&self) -> Asked<'_, Status>;
}
