//! More ends together than can be sent in time: foreseen, told to who asks, and refused where the
//! policy says so.

use jiff::Timestamp;
use serde_json::{Value, json};
use testbed::{Config, Host, Reply, Sandbox, now_ms};

use crate::GRANTD;
use crate::lease::request;

/// One end a second: of five, four are kept for those that a person asks for.
const ONE_A_SECOND: u32 = 5;

fn create(host: &Host, sandbox: &Sandbox, until: &Timestamp) -> Reply {
    let mut body = request(sandbox, "30min");
    body.as_object_mut().unwrap().remove("ttl");
    body["until"] = json!(until.to_string());
    host.post("/v1/leases", &body)
}

fn in_half_an_hour() -> Timestamp {
    Timestamp::from_second(now_ms() / 1_000 + 1_800).unwrap()
}

fn late_ms(reply: &Reply) -> Option<i64> {
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.body["late-ms"].as_i64()
}

#[test]
fn a_burst_is_foreseen_and_who_adds_to_it_is_told() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config { end_rate: ONE_A_SECOND, ..Config::default() });
    let daemon = host.ready();
    let quiet = host.grantd(&["status", "--forecast"]);
    assert_eq!(quiet.code, Some(0), "{quiet:?}");
    let together = in_half_an_hour();
    let late: Vec<_> = (0..4).map(|_| late_ms(&create(&host, &sandbox, &together))).collect();
    assert_eq!(late, [None, Some(1_000), Some(2_000), Some(3_000)]);

    let told = host.grantd(&["status", "--forecast", "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let lane = &told.json()["lanes"][0];
    assert_eq!(lane["ends-per-second"], 1, "{lane}");
    let ends = |lane: &Value| {
        let shares = lane["ends"].as_array().unwrap().iter();
        shares.map(|share| share["count"].as_i64().unwrap()).sum::<i64>()
    };
    // The proof of the way out may be among them.
    assert!((4..=5).contains(&ends(lane)), "{lane}");
    let burst = &lane["bursts"][0];
    assert_eq!((&burst["late"], &burst["latest-ms"]), (&json!(3), &json!(3_000)), "{lane}");
    assert_eq!(burst["from"], together.to_string());
    let shown = host.grantd(&["status", "--forecast"]);
    assert!(shown.stdout.contains("3 ends are late, the last by 3 s"), "{shown:?}");

    let until = together.to_string();
    let alias = sandbox.story.alias;
    let words = ["create", "--key", alias, "--grantee", "role/RoleB", "--operations", "Decrypt"];
    let made = host.grantd(&[&words[..], &["--until", &until]].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains("this lease would end 4 s late"), "{made:?}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_policy_takes_so_much_lateness_and_no_more() {
    let sandbox = Sandbox::start();
    let config = Config { end_rate: ONE_A_SECOND, ..Config::default() };
    let host = sandbox.host(GRANTD, &config);
    host.configure(&format!("{}max-late = \"1s\"\n", sandbox.config(&config)));
    let daemon = host.ready();
    let together = in_half_an_hour();
    assert_eq!(late_ms(&create(&host, &sandbox, &together)), None);
    assert_eq!(late_ms(&create(&host, &sandbox, &together)), Some(1_000));
    let refused = create(&host, &sandbox, &together);
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (403, &json!("ends-crowded")),
        "{refused:?}"
    );
    assert_eq!(sandbox.leased().len(), 2);
    let later = Timestamp::from_second(together.as_second() + 5).unwrap();
    assert_eq!(late_ms(&create(&host, &sandbox, &later)), None);
    assert_eq!(daemon.stop(), Some(0));
}
