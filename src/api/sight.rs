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
    /// What is read, for this caller: refuse what shows more than their own leases to one who may
    /// see no more. To them a ref means one of these.
    pub(super) async fn may_read(&self, peer: &Peer, action: Action) -> Result<Action, Fault> {
        if access::sees_all(self.config().as_deref(), &peer.nameless()) {
            return Ok(action);
        }
        let what = match &action {
            // Those of a policy that shares its leases are all its callers' own.
            Action::Leases(ListLeases { policy: Some(name), .. })
                if access::owns(self.config().as_deref(), &peer.nameless(), Some(name), None) =>
            {
                return Ok(action);
            }
            Action::Leases(filter) if !filter.mine => "the leases of others",
            Action::History(filter @ ListHistory { reference: Some(prefix), .. }) => {
                let reference = Some(self.meant(peer, prefix).await?.reference.to_string());
                return Ok(Action::History(ListHistory { reference, ..filter.clone() }));
            }
            Action::History(_) | Action::Verify => "the whole history",
            // Why the daemon only ends leases is for everybody to see.
            Action::Status if self.config().is_none() => return Ok(action),
            Action::Status => "the status",
            Action::Metrics => "the metrics",
            Action::Freezes => "the freezes",
            // A single lease is looked for among those that the caller may see.
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
            | Action::Hold(_) => return Ok(action),
        };
        Err(Fault::new(Kind::ReadDenied, format!("you may not see {what}")))
    }

    /// The lease that the caller means by `prefix`.
    pub(super) async fn meant(&self, peer: &Peer, prefix: &str) -> Result<Lease, Fault> {
        let sight = access::sight(self.config().as_deref(), &peer.nameless());
        self.ledger(self.backend.ledger.lease(prefix, sight)).await
    }

    /// Whether there may be such a lease, which is not shown: who looks for the leases of others by
    /// their refs stands in the history.
    pub(super) fn hides(&self, peer: &Peer, fault: &Fault) -> bool {
        let all = || access::sees_all(self.config().as_deref(), &peer.nameless());
        fault.kind == Kind::RefUnknown && !all()
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
