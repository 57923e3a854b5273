//! What administrators ask, and no asker of leases.

use grantd::engine::Command;
use grantd::wire::{ExtendLease, Searching};

use super::shelf::{NextFault, holds, moved, proven, reloaded};
use super::support::{extended, freeze, who};

/// The engine of these tests, for what administrators ask of it.
pub(crate) fn administer(command: Command, note: &dyn Fn(String), next_fault: &NextFault) {
    match command {
        Command::Freeze { caller, request, reply } => {
            note(format!("freeze for {}: {request:?}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(freeze()))));
        }
        Command::Lift { caller, id, request, reply } => {
            note(format!("lift {id} for {}: {request:?}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(freeze()))));
        }
        Command::Reload { caller, request, reply } => {
            let who = caller.as_ref().map(who);
            note(format!("reload for {who:?}: {request:?}"));
            drop(reply.send(next_fault.or(Ok(reloaded(request.dry_run)))));
        }
        Command::Prove { caller, request, reply } => {
            note(format!("prove for {}: {request:?}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(proven()))));
        }
        Command::Adopt { caller, request, reply } => {
            note(format!("adopt for {}: {request:?}", who(&caller)));
            let asked = ExtendLease {
                ttl: request.ttl,
                until: request.until,
                reason: request.reason,
                beyond_policy: false,
                token: false,
            };
            drop(reply.send(next_fault.or(extended("g-7k", &asked))));
        }
        Command::Resume { caller, request, reply } => {
            note(format!("resume for {}: {request:?}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(holds()))));
        }
        Command::AcceptAlias { caller, request, reply } => {
            note(format!("accept an alias for {}: {request:?}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(moved()))));
        }
        Command::Search { caller, reply } => {
            note(format!("search for {}", who(&caller)));
            drop(reply.send(next_fault.or(Ok(Searching { lanes: 2 }))));
        }
        other @ (Command::Create { .. }
        | Command::Extend { .. }
        | Command::Revoke { .. }
        | Command::RevokeMany { .. }
        | Command::Hold { .. }
        | Command::Metrics { .. }
        | Command::Status { .. }) => note(format!("not for administrators: {other:?}")),
    }
}
