//! One idempotency key is one lease: through lost answers, restarts and many at once.

use kms_sandbox::{Act, Fault, Match, Op, When};
use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::Lease;
use crate::unknown::World;

fn ask_with_key(host: &Host, sandbox: &Sandbox, key: &str, ttl: &str) -> testbed::Ran {
    let alias = sandbox.story.alias;
    let grantee = ["--grantee", "role/RoleB", "--operations", "Decrypt", "--ttl", ttl];
    let safe = ["--idempotency-key", key, "--json"];
    host.grantd(&[&["create", "--key", alias][..], &grantee, &safe].concat())
}

#[test]
fn an_idempotency_key_asks_for_one_lease_through_lost_answers_and_restarts() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config { settle: "5s", ..Config::default() });
    let daemon = host.ready();
    Lease::make(&host, &sandbox, "1s").ends_on_time(&sandbox);
    let matching = Match { grantee: Some("RoleB".to_owned()), ..Match::op(Op::CreateGrant) };
    sandbox.handle().inject(Fault::new(matching, When::After, Act::Hold));
    let first = ask_with_key(&host, &sandbox, "ticket-1", "1min");
    assert_eq!(first.code, Some(75), "{first:?}");
    // Asked again while nobody knows, also of the next daemon: the same lease, and no second send.
    daemon.kill();
    sandbox.handle().clear();
    let _daemon = host.ready();
    let again = until("the lease is found", || {
        let again = ask_with_key(&host, &sandbox, "ticket-1", "1min");
        assert!(matches!(again.code, Some(0 | 75)), "{again:?}");
        (again.code == Some(0)).then_some(again)
    });
    assert_eq!(again.json()["repeated"], true, "{again:?}");
    let other = ask_with_key(&host, &sandbox, "ticket-1", "2min");
    assert_eq!(other.code, Some(64), "{other:?}");
    assert!(other.stdout.contains("idempotency-conflict"), "{other:?}");
    assert_eq!(sandbox.living().len(), 1);
    assert_eq!(sandbox.leased().len(), 2, "the warm-up's, and one");
}

#[test]
fn one_idempotency_key_at_once_from_many_is_one_lease() {
    let world = World::new("5s");
    let codes: Vec<_> = std::thread::scope(|scope| {
        let ask = || ask_with_key(&world.host, &world.sandbox, "ticket-2", "1min");
        let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    // A repeat that comes while the first is being sent is told that the outcome is not known yet.
    assert!(codes.iter().all(|ran| matches!(ran.code, Some(0 | 75))), "{codes:?}");
    let made = |ran: &&testbed::Ran| ran.code == Some(0) && ran.json()["repeated"] == false;
    assert_eq!(codes.iter().filter(made).count(), 1, "{codes:?}");
    assert_eq!(world.sandbox.living().len(), 1);
}
