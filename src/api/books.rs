//! The reading side of the ledger, as the API needs it.

use futures_util::future::{BoxFuture, FutureExt};

use crate::fault::{Fault, Kind};
use crate::ledger::{Handle, Ledger, LedgerError, Urgency};
use crate::rules::access::Sight;
use crate::rules::time::Time;
use crate::wire::{Freeze, HistoryRow, Lease, ListHistory, ListLeases, Page, Verified};

/// Rows of one slice of a verification: some milliseconds of the ledger's thread.
const SLICE: u32 = 1_000;

/// What the API reads without asking the engine. Every answer is bounded: long ones come in pages.
pub trait Books: Send + Sync + 'static {
    /// The one lease whose ref begins with `prefix`, of those that `sight` takes in.
    ///
    /// Faults: `RefUnknown`, `RefAmbiguous`.
    fn lease<'a>(&'a self, prefix: &'a str, sight: Sight) -> BoxFuture<'a, Result<Lease, Fault>>;

    /// A page of leases, by deadline. `uid` is the caller's, for the filter `mine`.
    fn leases(&self, filter: ListLeases, uid: u32) -> BoxFuture<'_, Result<Page<Lease>, Fault>>;

    /// A page of the history, oldest first.
    fn history(&self, filter: ListHistory) -> BoxFuture<'_, Result<Page<HistoryRow>, Fault>>;

    /// The freezes that stand; all on one page.
    fn freezes(&self) -> BoxFuture<'_, Result<Page<Freeze>, Fault>>;

    /// Walk the whole chain.
    fn verify(&self) -> BoxFuture<'_, Result<Verified, Fault>>;
}

/// The books of a [`Handle`].
pub struct LedgerBooks {
    ledger: Handle,
    now: Box<dyn Fn() -> Time + Send + Sync>,
}

impl LedgerBooks {
    /// The books of `ledger`. `now` is the clock port's present, by which "overdue" is judged.
    pub fn new(ledger: Handle, now: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self { ledger, now: Box::new(now) }
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Fault> {
        self.ledger.run(Urgency::Read, job).await.map_err(fault)
    }

    /// Slice by slice, so that an ending never waits for more than one of them.
    async fn walk(&self) -> Result<Verified, Fault> {
        let (mut rows, mut after) = (0, None);
        loop {
            let slice = self.read(move |ledger| ledger.verify_slice(after, SLICE)).await?;
            rows += slice.rows;
            after = Some(slice.head);
            if slice.done {
                let (seq, head) = (slice.head.seq, slice.head.hex());
                return Ok(Verified { rows, seq, head, broken: slice.broken });
            }
        }
    }
}

/// Nothing was to be written, so nothing can be in doubt: what failed is the reading.
fn fault(error: LedgerError) -> Fault {
    match error {
        LedgerError::InDoubt(why) => {
            Fault::new(Kind::Io, format!("the ledger cannot be read: {why}"))
        }
        other @ (LedgerError::Full
        | LedgerError::Unavailable(_)
        | LedgerError::Corrupt(_)
        | LedgerError::Illegal(_)
        | LedgerError::NoRow(_)
        | LedgerError::Repeated(_)
        | LedgerError::Fault(_)
        | LedgerError::Busy
        | LedgerError::Stopped
        | LedgerError::Sql(_)) => other.into(),
    }
}

impl Books for LedgerBooks {
    fn lease<'a>(&'a self, prefix: &'a str, sight: Sight) -> BoxFuture<'a, Result<Lease, Fault>> {
        let prefix = prefix.to_owned();
        self.read(move |ledger| ledger.seen(&prefix, &sight)).boxed()
    }

    fn leases(&self, filter: ListLeases, uid: u32) -> BoxFuture<'_, Result<Page<Lease>, Fault>> {
        let now = (self.now)();
        self.read(move |ledger| ledger.leases(&filter, Some(uid), now)).boxed()
    }

    fn history(&self, filter: ListHistory) -> BoxFuture<'_, Result<Page<HistoryRow>, Fault>> {
        self.read(move |ledger| ledger.history(&filter)).boxed()
    }

    fn freezes(&self) -> BoxFuture<'_, Result<Page<Freeze>, Fault>> {
        self.read(|ledger| Ok(Page { items: ledger.freezes()?, next: None })).boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verified, Fault>> {
        self.walk().boxed()
    }
}

#[cfg(test)]
mod tests;
