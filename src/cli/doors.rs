//! Opens the way to the answers that a command needs: the daemon's socket, or a ledger file.

use std::path::Path;

use super::source::{Asked, Daemon, Source};
use crate::client::Client;
use crate::fault::Fault;
use crate::ledger::{Ledger, OpenError, Walk};
use crate::rules::time::Time;
use crate::wire::{
    AcceptAlias, AdoptGrant, AdoptionHold, CreateLease, ExtendLease, Freeze, HeldLease, HistoryRow,
    Lease, LeaseExtended, LeaseMade, LiftFreeze, ListHistory, ListLeases, MovedAlias, NewFreeze,
    Page, Reload, Reloaded, Resume, RevokeLease, RevokeLeases, Searching, Status, Verified,
};

/// The daemon on its socket. It is first spoken to when something is asked of it.
pub(super) fn daemon(socket: &Path) -> Box<dyn Daemon> {
    Box::new(Client::connect(socket))
}

/// Where list, show and history read: the file, if one is named.
///
/// # Errors
/// When the file cannot be read as a ledger.
pub(super) fn source(
    ledger: Option<&Path>,
    socket: &Path,
    now: Time,
) -> Result<Box<dyn Source>, Fault> {
    let Some(file) = ledger else { return Ok(Box::new(Client::connect(socket))) };
    let ledger = Ledger::read_copy(file).map_err(|error| {
        let held = matches!(error, OpenError::Held(_));
        let fault = Fault::from(error);
        if held { fault.hint("the daemon runs: leave out --ledger to ask it") } else { fault }
    })?;
    Ok(Box::new(Copy { ledger, now }))
}

/// A copy of a ledger, read in place of the daemon.
struct Copy {
    ledger: Ledger,
    now: Time,
}

/// An answer that is there already.
fn ready<T, E>(answer: Result<T, E>) -> Asked<'static, T>
where
    T: 'static,
    Fault: From<E>,
{
    Box::pin(std::future::ready(answer.map_err(Fault::from)))
}

impl Copy {
    fn walk(&self) -> Result<Verified, Fault> {
        let walk = self.ledger.verify()?;
        let Walk { rows, head, broken, done: _ } = walk;
        Ok(Verified { rows, seq: head.seq, head: head.hex(), broken })
    }
}

impl Source for Copy {
    fn leases<'a>(&'a self, query: &'a ListLeases) -> Asked<'a, Page<Lease>> {
        let uid = rustix::process::getuid().as_raw();
        ready(self.ledger.leases(query, Some(uid), self.now))
    }

    fn lease<'a>(&'a self, reference: &'a str) -> Asked<'a, Lease> {
        ready(self.ledger.lease(reference))
    }

    fn history<'a>(&'a self, query: &'a ListHistory) -> Asked<'a, Page<HistoryRow>> {
        ready(self.ledger.history(query))
    }

    fn verify(&self) -> Asked<'_, Verified> {
        ready(self.walk())
    }
}

impl Source for Client {
    fn leases<'a>(&'a self, query: &'a ListLeases) -> Asked<'a, Page<Lease>> {
        Box::pin(Client::leases(self, query))
    }

    fn lease<'a>(&'a self, reference: &'a str) -> Asked<'a, Lease> {
        Box::pin(Client::lease(self, reference))
    }

    fn history<'a>(&'a self, query: &'a ListHistory) -> Asked<'a, Page<HistoryRow>> {
        Box::pin(Client::history(self, query))
    }

    fn verify(&self) -> Asked<'_, Verified> {
        Box::pin(Client::verify(self))
    }
}

impl Daemon for Client {
    fn create<'a>(
        &'a self,
        request: &'a CreateLease,
        idempotency: Option<&'a str>,
    ) -> Asked<'a, LeaseMade> {
        Box::pin(Client::create(self, request, idempotency))
    }

    fn extend<'a>(
        &'a self,
        reference: &'a str,
        request: &'a ExtendLease,
        idempotency: Option<&'a str>,
    ) -> Asked<'a, LeaseExtended> {
        Box::pin(Client::extend(self, reference, request, idempotency))
    }

    fn revoke<'a>(&'a self, reference: &'a str, request: &'a RevokeLease) -> Asked<'a, Lease> {
        Box::pin(Client::revoke(self, reference, request))
    }

    fn revoke_many<'a>(&'a self, request: &'a RevokeLeases) -> Asked<'a, Page<Lease>> {
        Box::pin(Client::revoke_many(self, request))
    }

    fn freeze<'a>(&'a self, request: &'a NewFreeze) -> Asked<'a, Freeze> {
        Box::pin(Client::freeze(self, request))
    }

    fn lift<'a>(&'a self, id: i64, request: &'a LiftFreeze) -> Asked<'a, Freeze> {
        Box::pin(Client::lift(self, id, request))
    }

    fn freezes(&self) -> Asked<'_, Page<Freeze>> {
        Box::pin(Client::freezes(self))
    }

    fn hold<'a>(&'a self, reference: &'a str, told: &'a mut dyn FnMut(HeldLease)) -> Asked<'a, ()> {
        Box::pin(Client::hold(self, reference, told))
    }

    fn reload<'a>(&'a self, request: &'a Reload) -> Asked<'a, Reloaded> {
        Box::pin(Client::reload(self, request))
    }

    fn adopt<'a>(&'a self, request: &'a AdoptGrant) -> Asked<'a, LeaseExtended> {
        Box::pin(Client::adopt(self, request))
    }

    fn resume<'a>(&'a self, request: &'a Resume) -> Asked<'a, Page<AdoptionHold>> {
        Box::pin(Client::resume(self, request))
    }

    fn accept_alias<'a>(&'a self, request: &'a AcceptAlias) -> Asked<'a, Page<MovedAlias>> {
        Box::pin(Client::accept_alias(self, request))
    }

    fn search(&self) -> Asked<'_, Searching> {
        Box::pin(Client::search(self))
    }

    fn status(&self) -> Asked<'_, Status> {
        Box::pin(Client::status(self))
    }
}
