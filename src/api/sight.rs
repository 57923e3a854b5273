//! Who is shown what: reads go to the ledger without the engine, so they are judged here.

use std::sync::Arc;

use super::call::Calls;
use super::peer::Peer;
use super::route::Action;
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::rules::access;
use crate::wire::{Lease, ListHistory, ListLeases, Status};

impl Calls {
    /// Refuse what shows more than the caller's own leases to one who may see no more.
    pub(super) async fn may_read(&self, peer: &Peer, action: &Action) -> Result<(), Fault> {
        if access::sees_all(self.config().as_deref(), &peer.nameless()) {
            return Ok(());
        }
        let what = match action {
            // Those of a policy that shares its leases are all its callers' own.
            Action::Leases(ListLeases { policy: Some(name), .. })
                if access::owns(self.config().as_deref(), &peer.nameless(), Some(name), None) =>
            {
                return Ok(());
            }
            Action::Leases(filter) if !filter.mine => "the leases of others",
            Action::History(ListHistory { reference: Some(prefix), .. }) => {
                let lease = self.ledger(self.backend.ledger.lease(prefix)).await?;
                return self.is_shown(peer, &lease);
            }
            Action::History(_) | Action::Verify => "the whole history",
            // Why the daemon only ends leases is for everybody to see.
            Action::Status if self.config().is_none() => return Ok(()),
            Action::Status => "the status",
            Action::Metrics => "the metrics",
            Action::Freezes => "the freezes",
            // A single lease is judged by its owner, once it is known.
            Action::Leases(_)
            | Action::Lease(_)
            | Action::Health
            | Action::Document
            | Action::Create
            | Action::Extend(_)
            | Action::Revoke(_)
            | Action::RevokeMany
            | Action::Freeze
            | Action::Lift(_)
            | Action::Reload
            | Action::Prove
            | Action::Adopt
            | Action::Resume
            | Action::Search
            | Action::AcceptAlias
            | Action::Hold(_) => return Ok(()),
        };
        Err(Fault::new(Kind::ReadDenied, format!("you may not see {what}")))
    }

    pub(super) fn is_shown(&self, peer: &Peer, lease: &Lease) -> Result<(), Fault> {
        let owner = lease.asker.as_ref().map(|asker| asker.uid);
        let (config, peer) = (self.config(), peer.nameless());
        let own = access::owns(config.as_deref(), &peer, lease.policy.as_deref(), owner);
        if own || access::sees(config.as_deref(), &peer, owner) {
            return Ok(());
        }
        let text = format!("lease {} is not yours", lease.reference);
        Err(Fault::new(Kind::ReadDenied, text).about(lease.reference.clone()))
    }

    /// The status without lines of the file, whose mode says who may read it.
    pub(super) fn as_shown(&self, peer: &Peer, status: Status) -> Status {
        let all = access::sees_all(self.config().as_deref(), &peer.nameless());
        let config_problem = status.config_problem.filter(|_| all);
        Status { config_problem, ..status }
    }

    fn config(&self) -> Option<Arc<Config>> {
        self.backend.config.borrow().clone()
    }
}
