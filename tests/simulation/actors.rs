//! Those who ask: they create, repeat, change their minds, hang up, and remember what they were
//! told.

use std::rc::Rc;

use grantd::engine::Command;
use grantd::fault::{Fault, Kind};
use grantd::ids::Ref;
use grantd::rules::time::SECOND;
use grantd::wire::{
    CreateLease, ExtendLease, Lease, LeaseExtended, LeaseMade, LiftFreeze, NewFreeze, Reload,
    Reloaded, Scope, Status,
};
use tokio::sync::oneshot;

use crate::clock::pause;
use crate::stage::caller;
use crate::world::World;

/// What an asker was told, and may hold grantd to.
pub(crate) enum Told {
    /// The lease is live.
    Made(Ref),
    /// The outcome is unknown; the lease is recorded.
    Recorded(Ref),
}

/// What somebody asks for; an odd `ttl` goes by the ARN, an even one by the alias.
fn wanted(world: &World, ttl: i64) -> CreateLease {
    CreateLease {
        key: if ttl % 2 == 0 { world.alias.clone() } else { world.key_arn.clone() },
        grantee: "role/RoleB".to_owned(),
        operations: vec!["Decrypt".to_owned(), "DescribeKey".to_owned()],
        ttl: Some(format!("{ttl}s")),
        until: None,
        reason: Some("simulated".to_owned()),
        constraints: grantd::terms::Constraints::None,
        region: None,
        token: ttl % 5 == 0,
        hold: false,
    }
}

/// A lease; who gave an idempotency key asks again, and must not get a second one.
pub(crate) async fn create(
    world: &Rc<World>,
    uid: u32,
    ttl: i64,
    key: Option<u64>,
    hangs_up: Option<i64>,
) {
    let idempotency = key.map(|key| format!("{key:016x}"));
    for _ in 0..3 {
        let asked = send(world, |reply| Command::Create {
            caller: caller(uid),
            request: wanted(world, ttl),
            idempotency: idempotency.clone(),
            reply,
        });
        let answer = match hangs_up {
            Some(ms) => tokio::select! {
                biased;
                answer = asked => answer,
                () = pause(ms) => None,
            },
            None => asked.await,
        };
        match answer {
            Some(Ok(LeaseMade { lease, .. })) => {
                world.told(uid, key, Told::Made(lease.reference));
            }
            Some(Err(Fault { kind: Kind::OutcomeUnknown, lease: Some(lease), .. })) => {
                world.told(uid, key, Told::Recorded(lease));
            }
            Some(Err(fault)) => {
                world.refused(&fault);
                return;
            }
            // A crash swallowed the answer, or the asker did not wait for it.
            None => {}
        }
        if key.is_none() {
            return;
        }
        pause(SECOND).await;
    }
}

/// Another deadline, later or earlier as it comes; under a key, and then repeated.
pub(crate) async fn extend(world: &Rc<World>, uid: u32, nth: usize, ttl: i64, key: Option<u64>) {
    let Some(reference) = world.nth(uid, nth) else { return };
    world.changed.borrow_mut().insert(reference.to_string());
    let request = ExtendLease { ttl: Some(format!("{ttl}s")), ..ExtendLease::default() };
    for _ in 0..2 {
        let answer = send(world, |reply| Command::Extend {
            caller: caller(uid),
            reference: reference.to_string(),
            request: request.clone(),
            idempotency: key.map(|key| format!("{key:016x}")),
            reply,
        });
        match answer.await {
            Some(Ok(LeaseExtended { repeated, .. })) => world.extended(!repeated),
            Some(Err(fault)) => world.refused(&fault),
            None => {}
        }
        if key.is_none() {
            break;
        }
        pause(SECOND).await;
    }
}

/// An end before the deadline.
pub(crate) async fn revoke(world: &Rc<World>, uid: u32, nth: usize) {
    let Some(reference) = world.nth(uid, nth) else { return };
    world.revoked.borrow_mut().insert(reference.to_string());
    let command = |reply| Command::Revoke {
        caller: caller(uid),
        reference: reference.to_string(),
        reason: None,
        reply,
    };
    let answer: Option<Result<Lease, Fault>> = send(world, command).await;
    let untold = |fault: &Fault| {
        matches!(fault.kind, Kind::Io | Kind::DiskFull | Kind::OutcomeUnknown | Kind::KmsSilent)
    };
    if answer.as_ref().is_none_or(|answer| answer.as_ref().is_err_and(untold)) {
        world.unanswered.borrow_mut().insert(reference);
    }
    if let Some(Err(fault)) = answer {
        world.refused(&fault);
    }
}

/// What no policy allows, or means nothing: refused, and no harm done.
pub(crate) async fn nonsense(world: &Rc<World>, uid: u32, kind: usize) {
    let mut request = wanted(world, 61);
    let mut who = caller(uid);
    match kind % 8 {
        0 => request.key = "alias/no-such-key".to_owned(),
        1 => request.key = "\u{0}; DROP TABLE lease; --".to_owned(),
        2 => request.grantee = "arn:aws:iam::999999999999:role/Elsewhere".to_owned(),
        3 => request.operations = vec!["CreateGrant".to_owned()],
        4 => request.ttl = Some("-5s".to_owned()),
        5 => request.ttl = Some("9999999999999999999y".to_owned()),
        6 => who = caller(9),
        _ => request.operations = Vec::new(),
    }
    let command = |reply| Command::Create { caller: who, request, idempotency: None, reply };
    let answer: Option<Result<LeaseMade, Fault>> = send(world, command).await;
    match answer {
        Some(Ok(made)) => panic!("seed {}: nonsense {kind} was granted: {made:?}", world.seed),
        Some(Err(fault)) => world.refused(&fault),
        None => {}
    }
}

/// Another configuration; what lives goes on, whatever it says.
pub(crate) async fn reload(world: &Rc<World>, max_ttl: &'static str) {
    world.max_ttl.set(max_ttl);
    let request = Reload { dry_run: false };
    let answer: Option<Result<Reloaded, Fault>> =
        send(world, |reply| Command::Reload { caller: None, request, reply }).await;
    match answer {
        Some(Ok(_)) => world.reloaded(),
        Some(Err(fault)) => world.refused(&fault),
        None => {}
    }
}

/// An administrator has the daemon search the keys now.
pub(crate) async fn search(world: &Rc<World>) {
    let search = |reply| Command::Search { caller: caller(0), reply };
    if let Some(Err(fault)) = send(world, search).await {
        world.refused(&fault);
    }
}

/// Something is frozen for a while.
pub(crate) async fn freeze(world: &Rc<World>, scope: usize, lasts: i64) {
    let scope = match scope % 4 {
        0 => Scope { key: Some(world.alias.clone()), ..Scope::default() },
        1 => Scope { caller: Some(1), ..Scope::default() },
        2 => Scope { grantee: Some("role/RoleB".to_owned()), ..Scope::default() },
        _ => Scope::default(),
    };
    let all = scope.is_everything();
    let request = NewFreeze { scope, all, reason: "simulated".to_owned() };
    let frozen = send(world, |reply| Command::Freeze { caller: caller(0), request, reply });
    // A crash may swallow the answer: then it stands, and the last one lifts it.
    let Some(Ok(freeze)) = frozen.await else { return };
    pause(lasts).await;
    for id in 1..=freeze.id {
        let request = LiftFreeze::default();
        let lift = |reply| Command::Lift { caller: caller(0), id, request, reply };
        if let Some(Err(fault)) = send(world, lift).await {
            world.refused(&fault);
        }
    }
}

/// How the daemon says it is; `None` while it is down.
pub(crate) async fn status(world: &Rc<World>) -> Option<Status> {
    send(world, |reply| Command::Status { reply }).await?.ok()
}

/// `None` when the daemon was down, or died before it answered.
pub(crate) async fn send<T>(
    world: &Rc<World>,
    command: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Command,
) -> Option<Result<T, Fault>> {
    let (reply, answer) = oneshot::channel();
    let engine = world.engine.borrow().clone()?;
    engine.send(command(reply)).await.ok()?;
    drop(engine);
    answer.await.ok()
}
