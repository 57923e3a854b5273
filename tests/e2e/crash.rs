//! `kill -9` at each point of a create and of an end, and a restart: nothing is lost, nothing is
//! doubled, and it ends on time. Where the daemon stands when it dies is known: a rule of the
//! sandbox holds the call.

use std::time::Duration;

use kms_sandbox::{Act, Fault, FaultId, Match, Op, When};
use serde_json::Value;
use testbed::{Config, Daemon, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, ends, history_verifies, instant, request};

/// Long enough for a restart on a busy machine, short enough to wait for.
const TTL: &str = "8s";

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

    fn hold(&self, op: Op, when: When, matching: Match) -> FaultId {
        let matching = Match { op: Some(op), ..matching };
        self.sandbox.handle().inject(Fault::new(matching, when, Act::Hold))
    }

    /// A hold on what is done for RoleB: grantd's probe passes.
    fn hold_create(&self, when: When) -> FaultId {
        let for_role_b = Match { grantee: Some("RoleB".to_owned()), ..Match::default() };
        self.hold(Op::CreateGrant, when, for_role_b)
    }

    /// A hold on the next end. (By token or by id: the call does not always say which grant.) The
    /// probe was ended before the lease was made.
    fn hold_end(&self, when: When) -> FaultId {
        self.hold(Op::RetireGrant, when, Match::default())
    }

    /// Waits until the rule keeps a call.
    #[track_caller]
    fn held(&self, rule: FaultId) {
        until("a call is held", || {
            let held = self.sandbox.handle().held();
            held.iter().any(|call| call.fault == rule).then_some(())
        });
    }

    /// Asks for a lease, and kills the daemon while the rule holds the call that this leads to.
    fn kill_while_held(&self, daemon: Daemon, rule: FaultId) {
        std::thread::scope(|scope| {
            let asker = scope.spawn(|| {
                // The daemon dies before it can answer.
                self.host.try_post("/v1/leases", &request(&self.sandbox, TTL))
            });
            self.held(rule);
            daemon.kill();
            assert!(asker.join().unwrap().is_err(), "a dead daemon answered");
        });
    }

    /// The lease ends on time, is closed, and stays one grant.
    #[track_caller]
    fn all_is_well_with(&self, lease: &Lease) -> Value {
        lease.ends_on_time(&self.sandbox);
        let closed = lease.closes(&self.host);
        assert_eq!(self.sandbox.leased().len(), 1);
        assert_eq!(ends(&self.sandbox).len(), 1, "one end was accepted");
        history_verifies(&self.host);
        closed
    }
}

#[test]
fn killed_before_anything_is_recorded() {
    let world = World::new();
    let rule = world.hold(Op::ListAliases, When::Before, Match::default());
    let daemon = world.host.ready();
    world.kill_while_held(daemon, rule);
    world.sandbox.handle().discard(rule);
    let _daemon = world.host.ready();
    assert!(Lease::all(&world.host).is_empty(), "nobody was promised anything");
    assert!(world.sandbox.leased().is_empty());
}

#[test]
fn killed_while_the_way_out_is_proven() {
    let world = World::new();
    let for_itself = Match { grantee: Some("role/grantd".to_owned()), ..Match::default() };
    let rule = world.hold(Op::CreateGrant, When::After, for_itself);
    let daemon = world.host.ready();
    world.kill_while_held(daemon, rule);
    world.sandbox.handle().release(rule);
    let _daemon = world.host.ready();
    // A probe is a grant like any other: recorded before it was sent, and with a deadline of its
    // own.
    let probe = until("the next start has taken up the probe", || {
        let page = world.host.get("/v1/leases?all=true");
        let items = page.body["items"].as_array().unwrap();
        items.iter().find(|lease| lease["state"] == "active").cloned()
    });
    let left = instant(&probe["deadline"]) - testbed::now_ms();
    assert!((0..=600_000).contains(&left), "{probe}");
    assert!(world.sandbox.leased().is_empty(), "without proof there is no way in");
    history_verifies(&world.host);
}

#[test]
fn killed_before_the_send_takes_effect_and_it_never_does() {
    let world = World::new();
    let daemon = world.host.ready();
    let rule = world.hold_create(When::Before);
    world.kill_while_held(daemon, rule);
    world.sandbox.handle().discard(rule);
    let _daemon = world.host.ready();
    let lease = Lease::only(&world.host);
    let closed = lease.closes(&world.host);
    assert_eq!(closed["grants"][0]["how"], "never-existed", "{closed}");
    assert!(world.sandbox.leased().is_empty());
    history_verifies(&world.host);
}

#[test]
fn killed_before_the_send_takes_effect_and_it_does_later() {
    let world = World::new();
    // What is still on its way must be younger than `settle`, as it is at AWS.
    world.host.configure(&world.sandbox.config(&Config { settle: "30s", ..Config::default() }));
    let daemon = world.host.ready();
    let rule = world.hold_create(When::Before);
    world.kill_while_held(daemon, rule);
    let _daemon = world.host.ready();
    world.sandbox.handle().release(rule);
    let lease = Lease::only(&world.host);
    lease.ends_within(&world.sandbox, Duration::from_secs(45));
}

#[test]
fn killed_after_the_create_took_effect_and_before_its_answer() {
    let world = World::new();
    let daemon = world.host.ready();
    let rule = world.hold_create(When::After);
    world.kill_while_held(daemon, rule);
    assert_eq!(world.sandbox.living().len(), 1);
    world.sandbox.handle().discard(rule);
    let _daemon = world.host.ready();
    let lease = Lease::only(&world.host);
    world.all_is_well_with(&lease);
}

#[test]
fn killed_after_the_answer() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, TTL);
    daemon.kill();
    let _daemon = world.host.ready();
    let closed = world.all_is_well_with(&lease);
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
}

#[test]
fn killed_while_the_end_is_held_before_it_takes_effect() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "3s");
    let rule = world.hold_end(When::Before);
    world.held(rule);
    daemon.kill();
    world.sandbox.handle().discard(rule);
    assert_eq!(world.sandbox.living().len(), 1, "the end was lost on the way");
    let _daemon = world.host.ready();
    world.all_is_well_with(&lease);
}

#[test]
fn killed_while_the_answer_to_the_end_is_held() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "3s");
    let rule = world.hold_end(When::After);
    world.held(rule);
    daemon.kill();
    world.sandbox.handle().discard(rule);
    assert!(world.sandbox.living().is_empty(), "the end took effect");
    let _daemon = world.host.ready();
    world.all_is_well_with(&lease);
}

#[test]
fn down_over_the_deadline() {
    let world = World::new();
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "2s");
    daemon.kill();
    until("the deadline passes", || (testbed::now_ms() > lease.deadline_ms).then_some(()));
    assert_eq!(world.sandbox.living().len(), 1, "nobody is there to end it");
    let _daemon = world.host.ready();
    world.all_is_well_with(&lease);
}
