//! Those who ask: they create, repeat, revoke, and remember what they were told.

use std::rc::Rc;

use grantd::engine::Command;
use grantd::fault::{Fault, Kind};
use grantd::ids::Ref;
use grantd::rng::Rng;
use grantd::rules::time::{MINUTE, SECOND};
use grantd::wire::{
    CreateLease, ExtendLease, Lease, LeaseExtended, LeaseMade, LiftFreeze, NewFreeze, Scope,
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

/// One asker's day.
pub(crate) async fn ask_around(world: Rc<World>, uid: u32) {
    let mut mine: Vec<Ref> = Vec::new();
    while world.net.clock.now() < world.active_until {
        pause(world.rng.between(SECOND, 90 * SECOND)).await;
        if mine.is_empty() || world.rng.chance(600) {
            create(&world, uid, &mut mine).await;
        } else if world.rng.chance(600) {
            let i = world.rng.up_to(i64::try_from(mine.len()).unwrap() - 1);
            let reference = mine[usize::try_from(i).unwrap()].clone();
            extend(&world, uid, &reference).await;
        } else {
            let i = usize::try_from(world.rng.up_to(i64::try_from(mine.len()).unwrap() - 1));
            revoke(&world, uid, mine.swap_remove(i.unwrap())).await;
        }
    }
}

/// The administrators' day: now and then something is frozen for a while.
pub(crate) async fn govern(world: Rc<World>) {
    while world.net.clock.now() < world.active_until {
        pause(world.rng.between(MINUTE, 8 * MINUTE)).await;
        let mut scope = Scope::default();
        match world.rng.up_to(3) {
            0 => scope.key = Some(world.alias.clone()),
            1 => scope.caller = u32::try_from(world.rng.between(1, 3)).ok(),
            2 => scope.grantee = Some("role/RoleB".to_owned()),
            _ => {}
        }
        let all = scope.is_everything();
        let request = NewFreeze { scope, all, reason: "simulated".to_owned() };
        let frozen = send(&world, |reply| Command::Freeze { caller: caller(0), request, reply });
        // A crash may swallow the answer: then it stands, and the last one lifts it.
        let Some(Ok(freeze)) = frozen.await else { continue };
        pause(world.rng.between(SECOND, 2 * MINUTE)).await;
        for id in 1..=freeze.id {
            let request = LiftFreeze::default();
            let lift = |reply| Command::Lift { caller: caller(0), id, request, reply };
            if let Some(Err(fault)) = send(&world, lift).await {
                world.refused(&fault);
            }
        }
    }
}

async fn create(world: &Rc<World>, uid: u32, mine: &mut Vec<Ref>) {
    let ttl = match world.rng.up_to(3) {
        0 => world.rng.between(2, 30),
        1 => world.rng.between(30, 300),
        _ => world.rng.between(300, 1_200),
    };
    let request = CreateLease {
        key: if world.rng.chance(500) { world.alias.clone() } else { world.key_arn.clone() },
        grantee: "role/RoleB".to_owned(),
        operations: vec!["Decrypt".to_owned(), "DescribeKey".to_owned()],
        ttl: Some(format!("{ttl}s")),
        until: None,
        reason: Some("simulated".to_owned()),
        constraints: grantd::terms::Constraints::None,
        region: None,
        token: world.rng.chance(200),
        hold: false,
    };
    let key = world.rng.chance(500).then(|| format!("{:016x}", world.rng.next_u64()));
    let mut first: Option<Ref> = None;
    // A crash swallows the answer: who gave a key asks again, and must not get a second lease.
    for _ in 0..3 {
        let answer = send(world, |reply| Command::Create {
            caller: caller(uid),
            request: request.clone(),
            idempotency: key.clone(),
            reply,
        });
        let reference = match answer.await {
            Some(Ok(LeaseMade { lease, .. })) => {
                world.told(Told::Made(lease.reference.clone()));
                Some(lease.reference)
            }
            Some(Err(Fault { kind: Kind::OutcomeUnknown, lease: Some(lease), .. })) => {
                world.told(Told::Recorded(lease.clone()));
                Some(lease)
            }
            Some(Err(fault)) => {
                world.refused(&fault);
                return;
            }
            None => None,
        };
        if let (Some(first), Some(again)) = (&first, &reference) {
            assert_eq!(first, again, "one idempotency key, two leases");
        }
        first = first.or(reference);
        if key.is_none() || (first.is_some() && !world.rng.chance(300)) {
            break;
        }
        pause(SECOND).await;
    }
    mine.extend(first);
}

/// Another deadline, later or earlier as it comes; half of them under a key, and then repeated.
async fn extend(world: &Rc<World>, uid: u32, reference: &Ref) {
    let ttl = match world.rng.up_to(2) {
        0 => world.rng.between(2, 60),
        1 => world.rng.between(60, 600),
        _ => world.rng.between(600, 1_200),
    };
    let request = ExtendLease { ttl: Some(format!("{ttl}s")), ..ExtendLease::default() };
    let key = world.rng.chance(500).then(|| format!("{:016x}", world.rng.next_u64()));
    for _ in 0..2 {
        let answer = send(world, |reply| Command::Extend {
            caller: caller(uid),
            reference: reference.to_string(),
            request: request.clone(),
            idempotency: key.clone(),
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

async fn revoke(world: &Rc<World>, uid: u32, reference: Ref) {
    world.revoked.borrow_mut().insert(reference.to_string());
    let command = |reply| Command::Revoke {
        caller: caller(uid),
        reference: reference.to_string(),
        reason: None,
        reply,
    };
    let answer: Option<Result<Lease, Fault>> = send(world, command).await;
    if let Some(Err(fault)) = answer {
        world.refused(&fault);
    }
}

/// `None` when the daemon was down, or died before it answered.
async fn send<T>(
    world: &Rc<World>,
    command: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Command,
) -> Option<Result<T, Fault>> {
    let (reply, answer) = oneshot::channel();
    let engine = world.engine.borrow().clone()?;
    engine.send(command(reply)).await.ok()?;
    drop(engine);
    answer.await.ok()
}
