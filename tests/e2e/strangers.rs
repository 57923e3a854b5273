//! Somebody names our role on his own keys, tens of thousands of times, under Names like ours: it
//! costs us listings, and nothing else.

use std::time::Duration;

use kms_sandbox::{Core, Handle, IamPolicy, Op, Running, system_clock};
use serde_json::json;
use testbed::{Host, now_ms, until, until_within};

use crate::GRANTD;
use crate::accounts::{self, OURS, ROLE, SESSION, THEIRS};
use crate::lease::instant;

/// As many as `GRANTD_STRANGERS` says (`.ci/long` has 50,000).
const STRANGERS: usize = 10_000;
/// 500 pages at the default pace of listings are 10 s; the sandbox takes longer to make them.
const BOUND: Duration = Duration::from_secs(120);
/// Whatever their number: the daemon without them has a little more than half of it.
const MEMORY_MAX_KIB: u64 = 64 << 10;

fn strangers() -> usize {
    std::env::var("GRANTD_STRANGERS").map_or(STRANGERS, |n| n.parse().unwrap())
}

/// A key of the account, with an alias.
fn key(core: &mut Core, account: &str, alias: &str) -> String {
    let admin = format!("arn:aws:iam::{account}:user/admin");
    core.put_user(&admin, IamPolicy::allow(["kms:*"]));
    let admin = core.caller(&admin).unwrap();
    let made = core.call(&admin, Op::CreateKey, &json!({}), now_ms()).unwrap();
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let alias = json!({ "AliasName": alias, "TargetKeyId": arn });
    core.call(&admin, Op::CreateAlias, &alias, now_ms()).unwrap();
    arn
}

/// The most memory that the process ever had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn tens_of_thousands_of_strangers_cost_listings_and_nothing_else() {
    let mut core = accounts::two();
    let grantee = format!("arn:aws:iam::{OURS}:role/RoleB");
    core.put_role(&grantee, IamPolicy::allow([""; 0]), &[], None);
    let own_key = key(&mut core, OURS, "alias/app");
    let their_key = key(&mut core, THEIRS, "alias/theirs");
    let stranger = json!({
        "KeyId": their_key, "GranteePrincipal": grantee, "RetiringPrincipal": ROLE,
        "Operations": ["Decrypt"], "Name": "grantd/test/g-000000000000/1/2020-01-01T00:00:00Z",
    });
    let strangers = strangers();
    core.plant(&stranger, strangers, now_ms()).unwrap();
    let server = Running::start(Handle::new(core, system_clock())).unwrap();

    let host = Host::new(GRANTD).credentials(SESSION.0, SESSION.1);
    let uid = rustix::process::getuid().as_raw();
    host.configure(&format!(
        "group = \"test\"\ndaemon = {{ settle = \"1s\" }}\n\
         [[account]]\nid = \"{OURS}\"\nretiring-principal = \"{ROLE}\"\n\
         regions = [\"ap-northeast-1\"]\nendpoint-url = \"{}\"\n\
         [[policy]]\nname = \"readers\"\nkeys = [\"alias/app\"]\ngrantees = [\"role/RoleB\"]\n\
         operations = [\"Decrypt\"]\ncallers = [\"user:{uid}\"]\nmax-ttl = \"1h\"\n",
        server.url()
    ));
    let daemon = host.ready();
    let status = until_within(BOUND, "all of them are counted", || {
        let status = host.get("/v1/status").body;
        (status["strangers"] == strangers).then_some(status)
    });
    let alarms = status["alarms"].as_array().unwrap().iter();
    let about = alarms.filter(|alarm| alarm.as_str().unwrap().contains("floods it")).count();
    assert_eq!((about, &status["unproven"]), (1, &json!(0)), "one alarm: {status}");

    let words = ["create", "-q", "--key", "alias/app", "--grantee", "role/RoleB"];
    let made = host.grantd(&[&words[..], &["--operations", "Decrypt", "--ttl", "3s"]].concat());
    let reference = made.ok().stdout.trim().to_owned();
    let closed = until("our own lease ends", || {
        let lease = host.get(&format!("/v1/leases/{reference}")).body;
        lease["closed-at"].is_string().then_some(lease)
    });
    let grant = &closed["grants"][0];
    let late = instant(&grant["accepted-at"]) - instant(&closed["deadline"]);
    assert!(late < 10_000, "on time, {late} ms");
    let all = host.get("/v1/leases?all=true").body;
    let stored: Vec<_> = all["items"].as_array().unwrap().iter().collect();
    assert!(stored.iter().all(|lease| lease["key-arn"] == own_key), "nothing is stored: {all}");
    let alive = server.handle().with(|core| core.grants_alive(now_ms()));
    let living = alive.iter().filter(|grant| grant.key_arn == their_key).count();
    assert_eq!(living, strangers, "hands off");
    let peak = peak_kib(daemon.pid());
    assert!(peak < MEMORY_MAX_KIB, "{peak} KiB");
    assert_eq!(daemon.stop(), Some(0));
}
