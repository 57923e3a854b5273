//! `kill -9` at each point of an extension and of a shortening, and a restart: both deadlines are
//! kept, and the shorter one wins once KMS has it.

use kms_sandbox::{Act, Fault, FaultId, GrantTruth, Match, Op, When};
use serde_json::{Value, json};
use testbed::{Config, Daemon, Host, PATIENCE, Sandbox, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies, instant};

struct World {
    sandbox: Sandbox,
    host: Host,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::start();
        let host = sandbox.host(GRANTD, &Config::default());
        Self { sandbox, host }
    }

    fn hold(&self, op: Op, when: When) -> FaultId {
        let matching = Match { op: Some(op), ..Match::default() };
        self.sandbox.handle().inject(Fault::new(matching, when, Act::Hold))
    }

    /// Asks for another deadline, and kills the daemon while the rule holds the call that this
    /// leads to; what was held never goes on.
    fn kill_while_held(&self, daemon: Daemon, lease: &Lease, ttl: &str, rule: FaultId) {
        let target = format!("/v1/leases/{}/extend", lease.reference);
        std::thread::scope(|scope| {
            let asker = scope.spawn(|| self.host.try_post(&target, &json!({ "ttl": ttl })));
            until("a call is held", || {
                let held = self.sandbox.handle().held();
                held.iter().any(|call| call.fault == rule).then_some(())
            });
            daemon.kill();
            assert!(asker.join().unwrap().is_err(), "a dead daemon answered");
        });
        self.sandbox.handle().discard(rule);
    }

    /// The grants of the lease at KMS, by serial, with their deadlines.
    fn grants(&self) -> Vec<(GrantTruth, i64)> {
        let mut grants: Vec<_> = self
            .sandbox
            .leased()
            .into_iter()
            .map(|grant| {
                let deadline = grant.name.as_deref().unwrap().rsplit('/').next().unwrap();
                let deadline = instant(&json!(deadline));
                (grant, deadline)
            })
            .collect();
        grants.sort_by_key(|(grant, _)| grant.created_at_ms);
        grants
    }

    /// Waits until every grant has ended, each at its own deadline and not before.
    #[track_caller]
    fn each_ends_at_its_own_deadline(&self, lease: &Lease) -> Value {
        let closed = lease.closes(&self.host);
        for (grant, deadline) in self.grants() {
            let late = grant.ended_at_ms.unwrap() - deadline;
            let bound = i64::try_from(PATIENCE.as_millis()).unwrap();
            assert!((0..=bound).contains(&late), "{late} ms late: {grant:?}");
        }
        history_verifies(&self.host);
        closed
    }

    /// Waits until the old grant is ended: well before its deadline, and after the new one came.
    #[track_caller]
    fn the_new_grant_replaces_the_old(&self, lease: &Lease) {
        until("the old grant is ended", || self.grants()[0].0.ended_at_ms);
        let grants = self.grants();
        let [(old, old_deadline), (new, new_deadline)] = grants.as_slice() else {
            panic!("two grants: {grants:?}");
        };
        let ended = old.ended_at_ms.unwrap();
        assert!(new.created_at_ms <= ended && ended < *old_deadline, "{grants:?}");
        let now = lease.now(&self.host);
        assert_eq!(instant(&now["deadline"]), *new_deadline, "{now}");
        let shorter = Lease { deadline_ms: *new_deadline, ..lease.clone() };
        shorter.closes(&self.host);
        let late = self.grants()[1].0.ended_at_ms.unwrap() - new_deadline;
        assert!((0..=i64::try_from(PATIENCE.as_millis()).unwrap()).contains(&late), "{late}");
        history_verifies(&self.host);
    }
}

#[test]
fn extended_killed_before_the_answer() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "10s");
    let rule = world.hold(Op::CreateGrant, When::After);
    world.kill_while_held(daemon, &lease, "20s", rule);
    let _daemon = world.host.ready();
    until("the next start has found the new grant", || {
        let now = lease.now(&world.host);
        (now["grants"][1]["state"] == "active").then_some(())
    });
    let deadline_ms = instant(&lease.now(&world.host)["deadline"]);
    assert!(deadline_ms > lease.deadline_ms);
    let longer = Lease { deadline_ms, ..lease };
    world.each_ends_at_its_own_deadline(&longer);
}

#[test]
fn extended_killed_before_the_send_takes_effect_and_it_never_does() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "2min");
    let rule = world.hold(Op::CreateGrant, When::Before);
    world.kill_while_held(daemon, &lease, "10min", rule);
    let _daemon = world.host.ready();
    // A look that comes before the create is settled is followed by one half a minute later.
    until_within(4 * PATIENCE, "it is known that the new grant never was", || {
        let now = lease.now(&world.host);
        (now["grants"][1]["how"] == "never-existed").then_some(())
    });
    let now = lease.now(&world.host);
    assert_eq!(instant(&now["deadline"]), lease.deadline_ms, "{now}");
    assert_eq!((now["state"].as_str(), world.sandbox.living().len()), (Some("active"), 1));
    history_verifies(&world.host);
}

#[test]
fn shortened_killed_before_the_answer() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "10min");
    let rule = world.hold(Op::CreateGrant, When::After);
    world.kill_while_held(daemon, &lease, "8s", rule);
    let _daemon = world.host.ready();
    world.the_new_grant_replaces_the_old(&lease);
}

#[test]
fn shortened_killed_before_the_old_grant_is_ended() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "10min");
    let rule = world.hold(Op::RetireGrant, When::Before);
    world.kill_while_held(daemon, &lease, "8s", rule);
    assert_eq!(world.sandbox.living().len(), 2, "the end was lost on the way");
    let _daemon = world.host.ready();
    world.the_new_grant_replaces_the_old(&lease);
}

/// The command, from a person's hands to KMS.
#[test]
fn the_command_extends_and_shortens() {
    let world = World::new();
    let _daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "1min");
    let said = world.host.grantd(&["extend", &lease.reference, "--ttl", "10min", "--json"]).ok();
    let made = said.json();
    assert_eq!(made["lease"]["grants"].as_array().unwrap().len(), 2, "{made}");
    assert!(made.get("gap").is_none(), "this KMS propagates at once: {made}");
    let said = world.host.grantd(&["extend", &lease.reference, "--ttl", "2s"]).ok();
    assert!(said.stdout.contains("access may be refused"), "{said:?}");
    until_within(2 * PATIENCE, "all three grants have ended", || {
        world.sandbox.living().is_empty().then_some(())
    });
    let again = world.host.grantd(&["extend", &lease.reference, "--ttl", "10min"]);
    assert_eq!(again.code, Some(64), "{again:?}");
    history_verifies(&world.host);
}
