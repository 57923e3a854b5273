//! The proof of the way out, before the way in: by id, as a lease is ended at its deadline.

use kms_sandbox::{Act, Fault, Match, Op, Propagation, When};
use serde_json::Value;
use testbed::{Config, Host, Sandbox, now_ms};

use crate::GRANTD;
use crate::lease::{Lease, request};

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config { settle: "30s", ..Config::default() });
    (sandbox, host)
}

fn proofs(host: &Host) -> Vec<Value> {
    let page = host.get("/v1/leases?all=true").body;
    let items = page["items"].as_array().unwrap();
    items.iter().filter(|lease| lease["origin"] == "probe").cloned().collect()
}

/// KMS takes the token of whoever has it; at the deadline there is none.
#[test]
fn a_way_out_by_token_alone_is_none() {
    let (sandbox, host) = world();
    let by_id = Match { key: Some("key/".to_owned()), ..Match::op(Op::RetireGrant) };
    let denied = sandbox.handle().inject(Fault::new(by_id, When::Before, Act::Deny));
    let _daemon = host.ready();
    let refused = host.post("/v1/leases", &request(&sandbox, "1min"));
    assert_eq!(refused.body["type"], "no-way-out", "{refused:?}");
    assert!(sandbox.leased().is_empty(), "no proof, no lease");
    sandbox.handle().release(denied);
    Lease::of(&host.post("/v1/leases", &request(&sandbox, "1min")), 201);
    assert_eq!(proofs(&host).len(), 2);
}

/// Where the views lag, nobody is refused for it: the token proves for ten minutes.
#[test]
fn a_probe_that_is_not_seen_yet_is_ended_by_its_token() {
    let (sandbox, host) = world();
    sandbox.handle().with(|core| core.settings_mut().propagation = Propagation::fixed(60_000));
    let _daemon = host.ready();
    let before = now_ms();
    Lease::of(&host.post("/v1/leases", &request(&sandbox, "1min")), 201);
    assert!(now_ms() - before >= 5_000, "by id it was tried first");
    Lease::of(&host.post("/v1/leases", &request(&sandbox, "1min")), 201);
    assert_eq!(proofs(&host).len(), 1, "not at each lease anew");
}
