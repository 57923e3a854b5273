//! The engine: one thread that makes, keeps and ends leases. Commands come in by a channel; nothing
//! calls upward.
//!
//! One loop looks at the guarded clock, sends what is due within the pace of each lane, and starts
//! everything else as tasks beside it. It takes no input from a restart: what is due stands in the
//! ledger, and the first load finds it. A crash at any point leaves rows whose next act is a look
//! or an end.
//!
//! Reading order: `run` (the loop), `due` and `look` (what it sends), `record` (what it writes),
//! `lane` and `agenda` (what it remembers), `desk`, `resolve`, `send`, `prove` and `census`
//! (creates), `extend` and `revoke` (another end than was asked for), `find` (our grants without a
//! row), `adopt` and `adopt_now` (grants of others), `pins` and `drift` (what is not as it was),
//! `hold` (leases that live by being held), `reload` (another configuration), `refusals` (what was
//! refused), `metrics` (what is counted), `keep` (chores).

mod adopt;
mod adopt_now;
mod agenda;
mod audit;
mod census;
mod context;
mod crowd;
mod desk;
mod drift;
mod due;
mod extend;
mod find;
mod freeze;
mod hold;
mod keep;
mod lane;
mod look;
mod meant;
mod metrics;
mod pins;
mod prove;
mod prove_now;
mod record;
mod refusals;
mod reload;
mod resolve;
mod revoke;
mod revoke_many;
mod run;
mod send;
mod status;
mod survey;
mod timekeeper;

use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;
use crate::wire;

pub use crate::rules::access::Caller;
pub(crate) use context::is_current;
pub use refusals::Refusals;
pub use reload::{Load, other_group};
pub use run::{Beat, Engine, Ports};

/// Why the daemon only ends leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndOnly {
    /// In one line, for whoever asks for a lease.
    pub why: String,
    /// All problems of the file, where it is the file.
    pub problem: Option<String>,
    /// Where no other configuration helps: a broken ledger lies in the state directory, and moving
    /// it away is the administrator's word.
    pub lasting: bool,
}

/// What the API asks of the engine. Reads that only need the ledger go to the ledger.
#[derive(Debug)]
pub enum Command {
    /// Make a lease.
    Create {
        /// Who asks.
        caller: Caller,
        /// For what.
        request: wire::CreateLease,
        /// The caller's key for a safe repeat, scoped to the uid.
        idempotency: Option<String>,
        /// Where the answer goes. `Kind::OutcomeUnknown` (with the ref) means recorded, not yet
        /// known.
        reply: oneshot::Sender<Result<wire::LeaseMade, Fault>>,
    },
    /// Give a lease another deadline.
    Extend {
        /// Who asks.
        caller: Caller,
        /// Any unique prefix of a ref.
        reference: String,
        /// Until when.
        request: wire::ExtendLease,
        /// The caller's key for a safe repeat, scoped to the uid.
        idempotency: Option<String>,
        /// Where the answer goes. `Kind::OutcomeUnknown` means recorded, not yet known.
        reply: oneshot::Sender<Result<wire::LeaseExtended, Fault>>,
    },
    /// End a lease before its deadline.
    Revoke {
        /// Who asks.
        caller: Caller,
        /// Any unique prefix of a ref.
        reference: String,
        /// Why, in the asker's words.
        reason: Option<String>,
        /// The lease, once KMS accepted the end or 10 s have passed.
        reply: oneshot::Sender<Result<wire::Lease, Fault>>,
    },
    /// End many leases before their deadlines, or none of them.
    RevokeMany {
        /// Who asks.
        caller: Caller,
        /// Which, why, or only whether.
        request: wire::RevokeLeases,
        /// The leases, once the wish is recorded.
        reply: oneshot::Sender<Result<wire::Page<wire::Lease>, Fault>>,
    },
    /// Keep leases of some kind from being made.
    Freeze {
        /// Who asks.
        caller: Caller,
        /// Which, and why.
        request: wire::NewFreeze,
        /// The freeze, once it is on the disk.
        reply: oneshot::Sender<Result<wire::Freeze, Fault>>,
    },
    /// Let them be made again.
    Lift {
        /// Who asks.
        caller: Caller,
        /// Which freeze.
        id: i64,
        /// Why.
        request: wire::LiftFreeze,
        /// The freeze that stood.
        reply: oneshot::Sender<Result<wire::Freeze, Fault>>,
    },
    /// Hold a lease that was made to be held.
    Hold {
        /// Who asks.
        caller: Caller,
        /// Any unique prefix of a ref.
        reference: String,
        /// The lease as it is, now and then. Dropping the receiver ends the lease.
        reply: oneshot::Sender<Result<mpsc::Receiver<wire::HeldLease>, Fault>>,
    },
    /// Take the configuration's file anew, or leave everything as it is.
    Reload {
        /// Who asks; none: whoever may send the daemon a signal.
        caller: Option<Caller>,
        /// Whether, or only what would change.
        request: wire::Reload,
        /// What has changed, once it is on the disk and in force.
        reply: oneshot::Sender<Result<wire::Reloaded, Fault>>,
    },
    /// Prove the way out of a key now.
    Prove {
        /// Who asks.
        caller: Caller,
        /// Which key.
        request: wire::Prove,
        /// Once the grant that proves it is ended, or is known to stay.
        reply: oneshot::Sender<Result<wire::Proven, Fault>>,
    },
    /// Put a grant of somebody else under a deadline.
    Adopt {
        /// Who asks.
        caller: Caller,
        /// Which, and until when.
        request: wire::AdoptGrant,
        /// The lease, once a grant of ours stands in for the original.
        reply: oneshot::Sender<Result<wire::LeaseExtended, Fault>>,
    },
    /// Let go on what is held of the grants of others.
    Resume {
        /// Who asks.
        caller: Caller,
        /// What.
        request: wire::Resume,
        /// What was held.
        reply: oneshot::Sender<Result<wire::Page<wire::AdoptionHold>, Fault>>,
    },
    /// Let an alias point where it points.
    AcceptAlias {
        /// Who asks.
        caller: Caller,
        /// Which.
        request: wire::AcceptAlias,
        /// What had moved.
        reply: oneshot::Sender<Result<wire::Page<wire::MovedAlias>, Fault>>,
    },
    /// Search the keys now.
    Search {
        /// Who asks.
        caller: Caller,
        /// Once it has begun.
        reply: oneshot::Sender<Result<wire::Searching, Fault>>,
    },
    /// Tell what is counted, for Prometheus.
    Metrics {
        /// OpenMetrics text.
        reply: oneshot::Sender<Result<String, Fault>>,
    },
    /// Describe the daemon.
    Status {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<wire::Status, Fault>>,
    },
}
