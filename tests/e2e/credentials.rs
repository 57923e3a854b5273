//! Whose credentials: assumed roles and profiles against the sandbox's STS, sessions that end, a
//! role that is made again while leases live, and the revoke role.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use kms_sandbox::{Act, Entry, Fault, IamPolicy, Match, Op, When};
use serde_json::Value;
use testbed::{Config, Daemon, Host, PATIENCE, Sandbox, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, request};

const ROLE: &str = "arn:aws:iam::111122223333:role/grantd";
const REVOKER: &str = "arn:aws:iam::111122223333:role/grantd-revoker";
/// More than one try at a time could end while anybody waits.
const MANY: usize = 50;
/// What the story's role may do.
const ROLE_MAY: [&str; 5] = [
    "kms:CreateGrant",
    "kms:ListGrants",
    "kms:ListRetirableGrants",
    "kms:DescribeKey",
    "kms:ListAliases",
];

struct World {
    sandbox: Sandbox,
    host: Host,
}

impl World {
    /// A machine with the credentials of `user/grantd-host`, which may assume the role grantd and
    /// the revoke role; `account` are more keys of the account.
    fn new(account: &str) -> Self {
        let sandbox = Sandbox::start();
        let host_user = sandbox.story.grantd_host.arn.clone();
        sandbox.handle().with(|core| {
            let may = IamPolicy::allow(["kms:RevokeGrant"]);
            core.put_role(REVOKER, may, &[&host_user], None);
        });
        let identity = &sandbox.story.grantd_host;
        let host =
            Host::new(GRANTD).credentials(&identity.access_key_id, &identity.secret_access_key);
        let mut world = Self { sandbox, host };
        // What must not be in the log must not be there at any level.
        world.host.set("GRANTD_LOG", "trace");
        world.configure(&format!("role-arn = \"{ROLE}\"\n{account}"));
        world
    }

    /// Writes the configuration with these keys of the account.
    fn configure(&self, account: &str) {
        let config = Config { account: account.to_owned(), ..Config::default() };
        self.host.configure(&self.sandbox.config(&config));
    }

    /// The trust policy of the role: with an external id.
    fn ask_for_external_id(&self, id: &str) {
        let host_user = self.sandbox.story.grantd_host.arn.clone();
        self.sandbox.handle().with(|core| {
            core.put_role(ROLE, IamPolicy::allow(ROLE_MAY), &[&host_user], Some(id));
        });
    }

    fn journal(&self, op: Op) -> Vec<Entry> {
        self.sandbox
            .handle()
            .with(|core| core.journal().iter().filter(|entry| entry.op == op).cloned().collect())
    }

    fn lane(&self) -> Value {
        self.host.get("/v1/status").body["lanes"][0].clone()
    }

    /// No secret of the sandbox's is in the log or in any file of the state directory.
    #[track_caller]
    fn keeps_its_secrets(&self, more: &[&str]) {
        let mut places = vec![("log".to_owned(), self.host.log().into_bytes())];
        for entry in std::fs::read_dir(self.host.state_dir()).unwrap() {
            let path = entry.unwrap().path();
            places.push((path.display().to_string(), std::fs::read(path).unwrap()));
        }
        let mut secrets = self.sandbox.handle().with(|core| core.secrets());
        secrets.extend(more.iter().map(|secret| (*secret).to_owned()));
        assert!(secrets.len() > 6, "the story's and at least one session");
        for (place, bytes) in &places {
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{place} holds a secret");
            }
        }
    }
}

#[test]
fn a_role_is_assumed_under_a_name_that_says_who_it_is() {
    let world = World::new("external-id = \"prod-7\"\nsession-name = \"grantd-host-a\"");
    world.ask_for_external_id("prod-7");
    let _daemon = world.host.ready();
    let mut wanted = request(&world.sandbox, "2s");
    wanted["token"] = true.into();
    let made = world.host.post("/v1/leases", &wanted);
    let token = made.body["token"].as_str().unwrap().to_owned();
    let lease = Lease::of(&made, 201);
    lease.ends_on_time(&world.sandbox);
    let made = world.sandbox.accepted(Op::CreateGrant);
    let session = "arn:aws:sts::111122223333:assumed-role/grantd/grantd-host-a";
    assert_eq!(made[0].caller, session);
    lease.closes(&world.host);
    world.keeps_its_secrets(&[&token]);
}

#[test]
fn a_wrong_external_id_is_told_before_anything_is_promised() {
    let world = World::new("external-id = \"test-7\"");
    world.ask_for_external_id("prod-7");
    let _daemon = world.host.ready();
    let refused = world.host.post("/v1/leases", &request(&world.sandbox, "2s"));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.body["type"], "credentials", "{refused:?}");
    let words = refused.body["detail"].as_str().unwrap();
    assert!(words.contains(&format!("cannot assume {ROLE}: AccessDenied")), "{words}");
    let told = until("status tells it", || world.lane()["unrefreshed"].as_str().map(str::to_owned));
    assert!(told.contains("sts:AssumeRole"), "{told}");
    assert!(world.journal(Op::CreateGrant).is_empty());
}

#[test]
fn sessions_are_renewed_ahead_of_need_and_a_silent_sts_delays_no_end() {
    let world = World::new("");
    // Renewed at half of it: 20 s before the end.
    world.sandbox.handle().with(|core| core.settings_mut().session_seconds = Some(40));
    let _daemon = world.host.ready();
    let first = Lease::make(&world.host, &world.sandbox, "2s");
    first.ends_on_time(&world.sandbox);
    first.closes(&world.host);
    // From now on STS accepts and never answers.
    let silent = Fault::new(Match::op(Op::AssumeRole), When::Before, Act::Hold);
    let silent = world.sandbox.handle().inject(silent);
    let tried = world.journal(Op::AssumeRole).len();
    until_held(&world, 1);
    assert_eq!(world.journal(Op::AssumeRole).len(), tried, "held before its effect");
    // The old session has half of its life before it, and serves.
    let made = world.host.post("/v1/leases", &request(&world.sandbox, "2s"));
    let second = Lease::of(&made, 201);
    until("it is ended", || world.sandbox.living().is_empty().then_some(()));
    let end = world.sandbox.accepted(Op::RetireGrant).pop().unwrap();
    let late = end.at_ms - second.deadline_ms;
    assert!((0..5_000).contains(&late), "{late} ms: STS was waited for");
    // It is tried every ten seconds, and a try takes as long where nobody answers.
    let told = until_within(3 * PATIENCE, "status tells it", || {
        world.lane()["unrefreshed"].as_str().map(str::to_owned)
    });
    assert!(told.contains("STS does not answer"), "{told}");
    world.sandbox.handle().release(silent);
    until_within(3 * PATIENCE, "it is renewed", || {
        world.lane()["unrefreshed"].is_null().then_some(())
    });
    // Long after the first session is over, and without a wait at the deadline.
    let third = Lease::make(&world.host, &world.sandbox, "2s");
    until("it is ended", || world.sandbox.living().is_empty().then_some(()));
    let end = world.sandbox.accepted(Op::RetireGrant).pop().unwrap();
    assert!((0..5_000).contains(&(end.at_ms - third.deadline_ms)));
    world.keeps_its_secrets(&[]);
}

/// Waits until so many calls of STS are held: ahead of need, so within half a session.
fn until_held(world: &World, calls: usize) {
    testbed::until_within(3 * testbed::PATIENCE, "STS is asked ahead of need", || {
        (world.sandbox.handle().held().len() >= calls).then_some(())
    });
}

/// A lease lives when the role is deleted and made again.
fn made_again(world: &World) -> (Daemon, Lease) {
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "6s");
    assert!(world.sandbox.handle().with(|core| core.recreate_principal(ROLE)));
    (daemon, lease)
}

#[test]
fn a_role_that_was_made_again_freezes_and_its_grants_are_revoked_where_a_role_is_for_it() {
    let world = World::new(&format!("revoke-role-arn = \"{REVOKER}\""));
    let (_daemon, lease) = made_again(&world);
    let grant = lease.ends_on_time(&world.sandbox);
    let revoked = world.sandbox.accepted(Op::RevokeGrant);
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].grant_id.as_deref(), Some(grant.grant_id.as_str()));
    assert!(revoked[0].caller.contains("assumed-role/grantd-revoker/grantd"), "{revoked:?}");
    // Once all that the old role made is ended, the new one is the lane's: what was frozen closes.
    let closed = lease.closes(&world.host);
    assert_eq!(closed["grants"][0]["how"], "revoked", "{closed}");
    assert!(world.lane()["frozen"].is_null());
    let history = world.host.grantd(&["history", "--json"]).ok().stdout;
    assert!(history.contains("closings-frozen"), "{history}");
    assert!(history.contains("identity-accepted"), "{history}");
    // And what the new role makes is retired.
    let lease = Lease::make(&world.host, &world.sandbox, "2s");
    until("it is ended", || world.sandbox.living().is_empty().then_some(()));
    assert_eq!(lease.closes(&world.host)["grants"][0]["how"], "retired");
    world.keeps_its_secrets(&[]);
}

/// The role is deleted for good: no session of it can be had any more, and the lane's own
/// credentials hold up nothing that another role can still do.
#[test]
fn many_that_fall_due_when_the_role_is_gone_do_not_wait_behind_its_dead_credentials() {
    let world = World::new(&format!("revoke-role-arn = \"{REVOKER}\""));
    let _daemon = world.host.ready();
    let due = (testbed::now_ms() / 1_000 + 25) * 1_000;
    testbed::load::lend(&world.host, &world.sandbox, &[due; MANY]);
    assert!(world.sandbox.handle().with(|core| core.delete_principal(ROLE)));
    let left = u64::try_from(due - testbed::now_ms()).unwrap_or(0);
    let bound = Duration::from_millis(left) + PATIENCE;
    // At 24 a second: each is refused once and then revoked, 5 s in all.
    until_within(bound, "all are revoked", || world.sandbox.living().is_empty().then_some(()));
    assert_eq!(world.sandbox.accepted(Op::RevokeGrant).len(), MANY);
    // What the revoke role can do is no sign that the lane's own credentials are back.
    until("the alarm", || {
        let history = world.host.grantd(&["history", "--json"]).ok().stdout;
        history.contains("\"kind\":\"alarm\"").then_some(())
    });
    let status = world.host.get("/v1/status").body;
    assert_eq!(status["waits"][0]["class"], "credentials", "{status}");
}

#[test]
fn a_person_s_end_is_refused_only_when_both_ways_are() {
    let world = World::new(&format!("revoke-role-arn = \"{REVOKER}\""));
    let _daemon = world.host.ready();
    let [first, second] = [(); 2].map(|()| Lease::make(&world.host, &world.sandbox, "1h"));
    assert!(world.sandbox.handle().with(|core| core.recreate_principal(ROLE)));
    let ended = world.host.grantd(&["revoke", &first.reference]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.sandbox.living().len(), 1);
    assert!(world.sandbox.handle().with(|core| core.delete_principal(REVOKER)));
    let refused = world.host.grantd(&["revoke", &second.reference]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(refused.stderr.contains("UnrecognizedClient"), "not the revoker's words: {refused:?}");
}

#[test]
fn without_a_revoke_role_the_grants_are_loud_and_one_that_is_named_later_ends_them() {
    let world = World::new("");
    let (daemon, lease) = made_again(&world);
    let why = until("closings freeze, loud", || {
        let status = world.host.get("/v1/status").body;
        (status["overdue-count"] == 1).then_some(())?;
        assert_eq!(status["health"], 2, "{status}");
        status["lanes"][0]["frozen"].as_str().map(str::to_owned)
    });
    assert!(why.contains("set `revoke-role-arn`"), "{why}");
    assert_eq!(world.sandbox.living().len(), 1);
    // A lease of the new role does not wait behind the refusals of the old ones.
    let fresh = Lease::make(&world.host, &world.sandbox, "3s");
    let (key, name) = (world.sandbox.story.key_arn.clone(), fresh.reference.clone());
    until("the fresh one is ended", || {
        let lives = world.sandbox.living();
        (lives.len() == 1 && lives.iter().all(|g| g.key_arn == key)).then_some(())
    });
    let end = world.sandbox.accepted(Op::RetireGrant).pop().unwrap();
    assert!(end.name.as_deref().unwrap_or_default().contains(&name), "{end:?}");
    let late = end.at_ms - fresh.deadline_ms;
    assert!((0..2_000).contains(&late), "the fresh one was {late} ms late");
    // The remedy, as status says it: the old rows take to it, though they were born without.
    world.configure(&format!("role-arn = \"{ROLE}\"\nrevoke-role-arn = \"{REVOKER}\""));
    assert_eq!(daemon.stop(), Some(0));
    let revoke = Fault::new(Match::op(Op::RevokeGrant), When::Before, Act::Hold);
    let revoke = world.sandbox.handle().inject(revoke);
    let daemon = world.host.ready();
    until_held(&world, 1);
    daemon.kill();
    world.sandbox.handle().discard(revoke);
    assert_eq!(world.sandbox.living().len(), 1);
    // A config that breaks afterwards takes nothing away: the ledger has the role.
    world.host.configure("group = 7");
    let _daemon = world.host.ready();
    until("the old one is revoked", || world.sandbox.living().is_empty().then_some(()));
    lease.closes(&world.host);
}

#[test]
fn the_old_identity_lifts_the_freeze_again() {
    let sandbox = Sandbox::start();
    let mut host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "1h");
    let frozen = |host: &Host| host.get("/v1/status").body["lanes"][0]["frozen"].clone();
    assert_eq!(daemon.stop(), Some(0));
    // By mistake, somebody else of the same account.
    let admin = &sandbox.story.admin;
    host.set("AWS_ACCESS_KEY_ID", &admin.access_key_id);
    host.set("AWS_SECRET_ACCESS_KEY", &admin.secret_access_key);
    let daemon = host.ready();
    let why = until("it is noticed", || frozen(&host).as_str().map(str::to_owned));
    assert!(why.contains("the identity behind the credentials changed from AROA"), "{why}");
    assert!(why.contains("user/admin, which is not") && why.contains("credentials back"), "{why}");
    assert_eq!(daemon.stop(), Some(0));
    let grantd = &sandbox.story.grantd;
    host.set("AWS_ACCESS_KEY_ID", &grantd.access_key_id);
    host.set("AWS_SECRET_ACCESS_KEY", &grantd.secret_access_key);
    let _daemon = host.ready();
    let asked = || host.get("/v1/status").body["lanes"][0]["answered-at"].is_string();
    until("AWS is asked who we are", || asked().then_some(()));
    assert!(frozen(&host).is_null());
    let ended = host.grantd(&["revoke", &lease.reference]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    lease.closes(&host);
}

#[test]
fn a_lane_that_is_history_needs_no_credentials() {
    let world = World::new("");
    let daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "2s");
    lease.closes(&world.host);
    until("the probe is closed too", || {
        let counts = world.host.get("/v1/status").body["counts"].clone();
        (counts.as_object()?.len() == 1).then_some(())
    });
    assert_eq!(daemon.stop(), Some(0));
    // As the lane was, the role cannot be had any more.
    world.ask_for_external_id("next");
    world.configure(&format!("role-arn = \"{ROLE}\"\nexternal-id = \"next\""));
    let _daemon = world.host.ready();
    let lease = Lease::make(&world.host, &world.sandbox, "2s");
    lease.closes(&world.host);
    let status = world.host.get("/v1/status").body;
    let lanes = status["lanes"].as_array().unwrap();
    assert!(lanes.len() == 2 && lanes.iter().all(|lane| lane["unrefreshed"].is_null()), "{status}");
    assert_eq!(
        (&status["waits"], &status["health"]),
        (&Value::Array(vec![]), &0.into()),
        "{status}"
    );
}

#[test]
fn a_profile_gives_the_credentials_and_nothing_of_the_environment_does() {
    let world = World::new("profile = \"work\"");
    let mut host = world.host;
    let identity = &world.sandbox.story.grantd_host;
    std::fs::create_dir(host.dir().join(".aws")).unwrap();
    let files = format!(
        "[profile work]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        identity.access_key_id, identity.secret_access_key
    );
    std::fs::write(host.dir().join(".aws/config"), files).unwrap();
    host.set("AWS_ACCESS_KEY_ID", "AKIDNOBODY");
    host.set("AWS_SECRET_ACCESS_KEY", "nothing");
    let _daemon = host.ready();
    let lease = Lease::make(&host, &world.sandbox, "2s");
    lease.ends_on_time(&world.sandbox);
}

#[test]
fn a_process_that_gives_undated_credentials_is_asked_again_when_they_are_refused() {
    let world = World::new("profile = \"work\"");
    let host = world.host;
    let dir = host.dir().join(".aws");
    std::fs::create_dir(&dir).unwrap();
    let script = dir.join("give");
    let answer = |id: &str, secret: &str| {
        let json = format!(
            "#!/bin/sh\necho '{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"}}'\n"
        );
        std::fs::write(&script, json).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    let profile = format!("[profile work]\ncredential_process = {}\n", script.display());
    std::fs::write(dir.join("config"), profile).unwrap();
    answer("AKIDNOBODY", "nothing");
    let _daemon = host.ready();
    let refused = host.post("/v1/leases", &request(&world.sandbox, "2s"));
    assert_eq!(refused.body["type"], "credentials", "{refused:?}");
    let identity = &world.sandbox.story.grantd_host;
    answer(&identity.access_key_id, &identity.secret_access_key);
    let made = until("it is asked again", || {
        let made = host.post("/v1/leases", &request(&world.sandbox, "2s"));
        (made.status == 201).then_some(made)
    });
    Lease::of(&made, 201).ends_on_time(&world.sandbox);
}
