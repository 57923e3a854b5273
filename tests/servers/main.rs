//! The real binary against servers that we did not write: MiniStack, and moto as a second opinion,
//! looked at with the AWS CLI. Both come from a Python environment under `target/`; where that
//! cannot be made, the trials are shown as ignored, with the reason, and with `CI=true` they fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use testbed::{Daemon, Foreign, Host, PATIENCE, now_ms, until, until_within, venv};

const ACCOUNT: &str = "000000000000";

struct World {
    server: Foreign,
    key: String,
    host: Host,
}

impl World {
    fn new(server: Foreign, probe: bool) -> Self {
        let key = server.create_key();
        let account = key.split(':').nth(4).unwrap_or(ACCOUNT).to_owned();
        let host = Host::new(env!("CARGO_BIN_EXE_grantd")).credentials("testing", "testing");
        host.configure(&format!(
            "group = \"test\"\n\n[daemon]\nsettle = \"1s\"\n\n\
             [[account]]\nid = \"{account}\"\n\
             retiring-principal = \"arn:aws:iam::{account}:role/grantd\"\n\
             regions = [\"ap-northeast-1\"]\nendpoint-url = \"{}\"\nprobe = {probe}\n\n\
             [[policy]]\nname = \"readers\"\nkeys = [\"{key}\"]\ngrantees = [\"role/RoleB\"]\n\
             operations = [\"Decrypt\"]\ncallers = [\"user:{}\"]\nmax-ttl = \"1h\"\n\
             adopt = \"report\"\n",
            server.url(),
            rustix::process::getuid().as_raw(),
        ));
        Self { server, key, host }
    }

    /// Makes a lease with the command, as a person would, and gives its deadline and Name.
    fn lease(&self, ttl: &str) -> (i64, String) {
        let ran = self.host.grantd(&[
            "create",
            "--key",
            &self.key,
            "--grantee",
            "role/RoleB",
            "--operations",
            "Decrypt",
            "--ttl",
            ttl,
            "--json",
        ]);
        let made = ran.ok().json();
        let lease = &made["lease"];
        let deadline = lease["deadline"].as_str().unwrap();
        let name = lease["grants"][0]["name"].as_str().unwrap().to_owned();
        let reference = lease["ref"].as_str().unwrap();
        assert_eq!(name, format!("grantd/test/{reference}/1/{deadline}"));
        let at: jiff::Timestamp = deadline.parse().unwrap();
        (at.as_millisecond(), name)
    }

    /// The Names of all grants of the key, as the AWS CLI shows them.
    fn names(&self) -> Vec<Value> {
        let grants = self.server.list_grants(&self.key);
        grants["Grants"].as_array().unwrap().iter().map(|grant| grant["Name"].clone()).collect()
    }

    /// Waits until the AWS CLI shows no grant, which must not be before the deadline.
    fn ends(&self, deadline_ms: i64) {
        let left = u64::try_from(deadline_ms - now_ms()).unwrap_or(0);
        let bound = std::time::Duration::from_millis(left) + PATIENCE;
        until_within(bound, "the AWS CLI shows no grant", || {
            let begun = now_ms();
            let empty = self.server.list_grants(&self.key) == json!({ "Grants": [] });
            assert!(!empty || now_ms() >= deadline_ms, "ended early, seen at {begun}");
            empty.then_some(())
        });
    }
}

/// A lease shows with our Name, and is gone after its deadline.
fn a_lease_is_made_and_ended(world: &World) -> Daemon {
    let daemon = world.host.ready();
    let (deadline, name) = world.lease("5s");
    until("the AWS CLI shows the lease", || (world.names() == [json!(name)]).then_some(()));
    world.ends(deadline);
    daemon
}

/// Killed between making and ending; the next start ends it.
fn killed_between_and_restarted(world: &World) {
    let daemon = world.host.ready();
    let (deadline, name) = world.lease("8s");
    daemon.kill();
    assert_eq!(world.names(), [json!(name)]);
    let _daemon = world.host.ready();
    world.ends(deadline);
    let shown = world.host.grantd(&["history", "verify"]).ok();
    assert!(!shown.stdout.is_empty(), "{shown:?}");
}

/// Grants made by the AWS CLI and by boto3: told apart, and only ours are swept.
fn what_others_made_is_told_apart_and_ours_is_swept(world: &World) {
    let World { server, key, host } = world;
    let account = key.split(':').nth(4).unwrap();
    let arn = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let (role, own) = (arn("RoleB"), arn("grantd"));
    let late = jiff::Timestamp::from_second(now_ms() / 1_000 - 60).unwrap();
    let ours = format!("grantd/test/g-111111111111/1/{late}");
    for (name, retiring) in [("ttl:20m/by-the-aws-cli", &role), ("ttl:soon", &role), (&ours, &own)]
    {
        let words = ["kms", "create-grant", "--key-id", key, "--operations", "Decrypt"];
        let who = ["--grantee-principal", &role, "--retiring-principal", retiring, "--name", name];
        assert_eq!(server.aws(&[words, who].concat()).code, Some(0));
    }
    let made = server.python(&format!(
        "import boto3\n\
         kms = boto3.client('kms', endpoint_url='{}')\n\
         kms.create_grant(KeyId='{key}', GranteePrincipal='{role}', Operations=['Decrypt'],\
         Name='until:2020-01-01T00:00:00Z/boto3')\n",
        server.url(),
    ));
    assert_eq!(made.code, Some(0), "{made:?}");
    let config = host.config().display().to_string();
    let fates = || {
        let scanned = host.grantd(&["scan", "--json", "--config", &config]).ok().json();
        let grants = scanned["grants"].as_array().unwrap().iter();
        let fate = |grant: &Value| (grant["name"].clone(), grant["fate"].clone());
        let mut fates: Vec<_> = grants.map(fate).collect();
        fates.sort_by_key(|(name, _)| name.to_string());
        fates
    };
    let others = [
        (json!("ttl:20m/by-the-aws-cli"), json!("would-end")),
        (json!("ttl:soon"), json!("left-alone")),
        (json!("until:2020-01-01T00:00:00Z/boto3"), json!("would-end")),
    ];
    assert_eq!(fates(), [&[(json!(ours), json!("ends"))], &others[..]].concat());
    let swept = host.grantd(&["sweep", "--config", &config]).ok();
    assert!(swept.stdout.contains("ended: 1, overdue and left: 0"), "{swept:?}");
    assert_eq!(fates(), others);
}

/// Grants made by the AWS CLI and by boto3 come under the deadlines of their Names once the policy
/// is resumed, and one without a deadline is taken up by hand.
fn what_others_made_is_adopted_and_revoked(world: &World) {
    let World { server, key, host } = world;
    let account = key.split(':').nth(4).unwrap();
    let arn = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let (role, revoker) = (arn("RoleB"), arn("grantd-revoker"));
    let config = std::fs::read_to_string(host.config()).unwrap();
    let config = config.replace("adopt = \"report\"", "adopt = \"enforce\"");
    host.configure(
        &config.replace("probe =", &format!("revoke-role-arn = \"{revoker}\"\nprobe =")),
    );
    let at = now_ms() / 1_000 + 25;
    let until_name = format!("until:{}/boto3", jiff::Timestamp::from_second(at).unwrap());
    let words = ["kms", "create-grant", "--key-id", key, "--operations", "Decrypt"];
    let cli = |name: &str| {
        let more = ["--grantee-principal", &role, "--name", name];
        assert_eq!(server.aws(&[&words[..], &more].concat()).code, Some(0));
    };
    cli("ttl:1s/by-the-aws-cli");
    let made = server.python(&format!(
        "import boto3\n\
         kms = boto3.client('kms', endpoint_url='{}')\n\
         kms.create_grant(KeyId='{key}', GranteePrincipal='{role}', Operations=['Decrypt'],\
         Name='{until_name}')\n",
        server.url(),
    ));
    assert_eq!(made.code, Some(0), "{made:?}");
    cli("for-ever");
    let daemon = host.ready();
    let status = || host.get("/v1/status").body;
    until("both are held", || (status()["adoptable"] == 2).then_some(()));
    assert_eq!(world.names().len(), 3, "nothing ends before somebody has looked");
    assert_eq!(host.grantd(&["resume", "--policy", "readers", "--yes"]).code, Some(0));
    let lives = |name: &str| world.names().contains(&json!(name));
    until("what was overdue is ended", || (!lives("ttl:1s/by-the-aws-cli")).then_some(()));
    let left = u64::try_from(at * 1_000 - now_ms()).unwrap_or(0);
    let bound = std::time::Duration::from_millis(left) + PATIENCE;
    until_within(bound, "the other one, too", || {
        let ended = !lives(&until_name);
        assert!(!ended || now_ms() >= at * 1_000, "ended early");
        ended.then_some(())
    });

    let grants = server.list_grants(key);
    let id = grants["Grants"][0]["GrantId"].as_str().unwrap().to_owned();
    let adopted = host.grantd(&["adopt", &id, "--key", key, "--ttl", "6s", "--json"]).ok().json();
    let deadline = adopted["lease"]["deadline"].as_str().unwrap();
    let deadline: jiff::Timestamp = deadline.parse().unwrap();
    until("ours stands in for it", || {
        let names = world.names();
        let ours = names.iter().filter(|name| name.as_str().unwrap().starts_with("grantd/test/"));
        (names.len() == 1 && ours.count() == 1).then_some(())
    });
    world.ends(deadline.as_millisecond());
    assert_eq!(daemon.stop(), Some(0));
}

fn trials(missing: Option<&str>) -> Vec<Trial> {
    type Start = fn() -> Result<Foreign, String>;
    type Test = fn(&World);
    // moto gives two grants for two identical named creates, and acts on DryRun; a probe there
    // proves nothing.
    let servers: [(&str, Start, bool); 2] =
        [("ministack", Foreign::ministack, true), ("moto", Foreign::moto, false)];
    let tests: [(&str, Test); 4] = [
        ("a_lease_is_made_and_ended", |world| drop(a_lease_is_made_and_ended(world))),
        ("killed_between_and_restarted", killed_between_and_restarted),
        (
            "what_others_made_is_told_apart_and_ours_is_swept",
            what_others_made_is_told_apart_and_ours_is_swept,
        ),
        ("what_others_made_is_adopted_and_revoked", what_others_made_is_adopted_and_revoked),
    ];
    let mut trials = Vec::new();
    for (server, start, probe) in servers {
        for (name, test) in tests {
            let name = match missing {
                Some(reason) => format!("{server}::{name} (not run: {reason})"),
                None => format!("{server}::{name}"),
            };
            let run = move || {
                let server = start().map_err(Failed::from)?;
                test(&World::new(server, probe));
                Ok(())
            };
            let ignored = missing.is_some() && !venv::required();
            trials.push(Trial::test(name, run).with_ignored_flag(ignored));
        }
    }
    trials
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    // Whoever only lists the tests waits for no installation.
    let missing = if args.list { None } else { venv::missing() };
    libtest_mimic::run(&args, trials(missing.as_deref())).exit_code()
}
