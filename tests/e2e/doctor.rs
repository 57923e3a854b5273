//! `check --online` and `doctor` against each thing that can be wrong: the line, how bad it is, and
//! what to do; and that neither makes a grant.

use kms_sandbox::{Act, Fault, IamPolicy, Match, Op, When};
use serde_json::{Value, json};
use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::Lease;

const ROLE: &str = "arn:aws:iam::111122223333:role/grantd";

/// A machine whose daemon assumes the role grantd, unless `account` says otherwise.
fn world(account: &str) -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let identity = &sandbox.story.grantd_host;
    let host = Host::new(GRANTD).credentials(&identity.access_key_id, &identity.secret_access_key);
    let config = Config { account: account.to_owned(), ..Config::default() };
    host.configure(&sandbox.config(&config));
    (sandbox, host)
}

fn assumed() -> String {
    format!("role-arn = \"{ROLE}\"")
}

/// What `doctor` found, and its exit code.
struct Told {
    code: i32,
    findings: Vec<Value>,
}

impl Told {
    fn doctor(host: &Host) -> Self {
        Self::run(host, &[])
    }

    fn run(host: &Host, more: &[&str]) -> Self {
        let (config, state) = (host.config(), host.state_dir());
        let (config, state) = (config.display().to_string(), state.display().to_string());
        let args = ["doctor", "--json", "--config", &config, "--state-dir", &state];
        let ran = host.grantd(&[&args[..], more].concat());
        let document = ran.json();
        let findings = document["findings"].as_array().unwrap().clone();
        Self { code: ran.code.unwrap(), findings }
    }

    fn online(host: &Host) -> Self {
        let config = host.config().display().to_string();
        let ran = host.grantd(&["check", "--json", "--online", &config]);
        let document = ran.json();
        Self { code: ran.code.unwrap(), findings: document["online"].as_array().unwrap().clone() }
    }

    /// The level of the finding about `what`, whose words must hold `words`.
    #[track_caller]
    fn level(&self, what: &str, words: &str) -> &str {
        let about = |finding: &&Value| finding["what"].as_str().unwrap().starts_with(what);
        let found = self.findings.iter().find(about);
        let found = found.unwrap_or_else(|| panic!("nothing about {what}: {:#?}", self.findings));
        assert!(found.to_string().contains(words), "{found:#}");
        let level = found["level"].as_str().unwrap();
        assert_eq!(level == "ok", found["remedy"].is_null(), "what is wrong has a remedy: {found}");
        level
    }
}

#[test]
fn all_is_well_and_nothing_is_made_by_looking() {
    let (sandbox, host) = world(&assumed());
    let daemon = host.ready();
    Lease::make(&host, &sandbox, "1min");
    until("the probe is ended", || {
        let ended = sandbox.grants().iter().any(|grant| grant.ended_at_ms.is_some());
        ended.then_some(())
    });
    let before = sandbox.grants().len();
    let told = Told::doctor(&host);
    for (what, words) in [
        ("configuration", "loads"),
        ("daemon", "is well"),
        ("history", "their chain is whole"),
        ("disk", "MiB free"),
        ("ballast", "in place"),
        ("unit", ""),
        (
            "credentials 111122223333 ap-northeast-1",
            "(assumed arn:aws:iam::111122223333:role/grantd)",
        ),
        ("clock against AWS", "0 s ahead"),
        ("ways out", "one: retire"),
        ("alias/my-kms-grant-example-key of policy readers", "111122223333 ap-northeast-1"),
        ("key arn:", "Enabled, SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT"),
        ("grants of arn:", "1 of 50000"),
        ("way out of arn:", "proven"),
        ("guard", "iam-policy --guard"),
    ] {
        assert_eq!(told.level(what, words), "ok", "{what}");
    }
    assert!(told.code <= 1, "only the socket's group may be amiss here: {:#?}", told.findings);
    let online = Told::online(&host);
    assert_eq!((online.code, online.level("key arn:", "Enabled")), (0, "ok"));
    assert_eq!(sandbox.grants().len(), before, "doctor and check make no grant");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_silent_daemon_is_3_and_the_ledger_is_read_from_its_file() {
    let (sandbox, host) = world(&assumed());
    let told = Told::doctor(&host);
    assert_eq!(told.code, 3);
    assert_eq!(told.level("daemon", "there is no socket"), "failure");
    assert_eq!(told.level("history", "ledger.db"), "warning");
    assert_eq!(told.level("way out of", "nobody else may make the grant"), "warning");
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "1s");
    lease.closes(&host);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(Told::doctor(&host).level("history", "their chain is whole"), "ok");
    let broken = host.state_dir().join("ledger.db.broken-20261123T180000Z");
    std::fs::write(broken, "").unwrap();
    assert_eq!(Told::doctor(&host).level("corrupt ledger", "docs/recovery.md"), "failure");
}

#[test]
fn a_role_that_cannot_be_assumed_is_told_and_nothing_else_is_asked() {
    let (sandbox, host) = world(&assumed());
    let text = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&text.replace("role/grantd\"", "role/RoleA\""));
    let told = Told::online(&host);
    assert_eq!((told.code, told.level("credentials", "cannot assume")), (1, "failure"));
    assert!(told.findings.iter().all(|f| !f["what"].as_str().unwrap().starts_with("key")));
    let (trusting, host) = world(&format!("{}\nexternal-id = \"wrong\"", assumed()));
    let host_user = trusting.story.grantd_host.arn.clone();
    trusting.handle().with(|core| {
        core.put_role(ROLE, IamPolicy::allow(["kms:*"]), &[&host_user], Some("right"));
    });
    assert_eq!(Told::online(&host).level("credentials", "external-id"), "failure");
    // Whoever runs it without the role is not the one who retires.
    let stranger = &sandbox.story.role_a;
    let other = Host::new(GRANTD).credentials(&stranger.access_key_id, &stranger.secret_access_key);
    other.configure(&sandbox.config(&Config::default()));
    let told = Told::online(&other);
    assert_eq!(told.level("credentials", "grants are retired by"), "failure");
}

#[test]
fn a_silent_sts_a_wrong_clock_and_a_role_without_rights_are_told() {
    let (sandbox, host) = world(&assumed());
    let silent = Fault::new(Match::op(Op::AssumeRole), When::Before, Act::Hold);
    let silent = sandbox.handle().inject(silent);
    let told = Told::online(&host);
    assert_eq!(told.level("credentials", "STS does not answer"), "failure");
    sandbox.handle().release(silent);
    sandbox.handle().set_date_skew(-120_000);
    assert_eq!(Told::online(&host).level("clock against AWS", "s ahead"), "failure");
    sandbox.handle().set_date_skew(0);
    let host_user = sandbox.story.grantd_host.arn.clone();
    sandbox.handle().with(|core| {
        core.put_role(ROLE, IamPolicy::allow(["kms:ListAliases"]), &[&host_user], None);
    });
    let told = Told::online(&host);
    assert_eq!(told.level("credentials", "assumed"), "ok");
    assert_eq!(told.level("key arn:", "kms:DescribeKey"), "failure");
    assert_eq!(told.level("key arn:", "grantd iam-policy"), "failure");
}

#[test]
fn keys_and_aliases_that_are_not_as_the_file_says_are_told() {
    let (sandbox, host) = world(&assumed());
    let admin = sandbox.story.admin.caller.clone();
    let (key, now) = (json!({ "KeyId": sandbox.story.key_id }), testbed::now_ms());
    sandbox.handle().with(|core| core.call(&admin, Op::DisableKey, &key, now)).unwrap();
    let told = Told::online(&host);
    assert_eq!((told.code, told.level("key arn:", "Disabled")), (1, "failure"));
    let text = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&text.replace("alias/my-kms-grant-example-key", "alias/nothing"));
    let told = Told::online(&host);
    let what = "alias/nothing of policy readers";
    assert_eq!((told.code, told.level(what, "no such alias")), (1, "failure"));
    host.configure(&text.replace("\"DescribeKey\"", "\"Sign\""));
    sandbox.handle().with(|core| core.call(&admin, Op::EnableKey, &key, now)).unwrap();
    let told = Told::online(&host);
    assert_eq!(told.level("key arn:", "it cannot do Sign of policy readers"), "warning");
}

#[test]
fn a_proof_that_was_refused_is_told_with_what_to_do() {
    let (sandbox, host) = world(&assumed());
    let host_user = sandbox.story.grantd_host.arn.clone();
    let look = ["kms:ListAliases", "kms:DescribeKey", "kms:ListGrants", "kms:ListRetirableGrants"];
    sandbox.handle().with(|core| {
        core.put_role(ROLE, IamPolicy::allow(look), &[&host_user], None);
    });
    let _daemon = host.ready();
    assert_eq!(Told::doctor(&host).level("way out of", "not proven yet"), "warning");
    let body = json!({ "key": sandbox.story.alias, "grantee": "role/RoleB",
        "operations": ["Decrypt"], "ttl": "1min" });
    assert_eq!(host.post("/v1/leases", &body).body["type"], "kms-denied");
    let told = Told::doctor(&host);
    assert_eq!(told.level("way out of", "KMS made no grant"), "failure");
    assert_eq!(told.level("way out of", "grantd iam-policy"), "failure");
    assert_eq!(told.code, 2);
}

/// It may be the last way out, and nobody would miss it before.
#[test]
fn the_revoke_role_is_assumed_and_what_keeps_it_is_told() {
    const REVOKER: &str = "arn:aws:iam::111122223333:role/grantd-revoker";
    let (sandbox, host) = world(&format!("{}\nrevoke-role-arn = \"{REVOKER}\"", assumed()));
    let told = Told::online(&host);
    assert_eq!((told.code, told.level("ways out", "grantd-revoker does not work")), (1, "failure"));
    assert_eq!(told.level("ways out", "iam-policy --revoke-role"), "failure");
    let host_user = sandbox.story.grantd_host.arn.clone();
    sandbox.handle().with(|core| {
        core.put_role(REVOKER, IamPolicy::allow(["kms:RevokeGrant"]), &[&host_user], None);
        let all = ["kms:*", "sts:*"];
        core.put_user(&host_user, IamPolicy::allow(all));
    });
    let told = Told::online(&host);
    assert_eq!((told.code, told.level("ways out", "two: retire, and revoke as")), (0, "ok"));
}

#[test]
fn a_ballast_that_was_given_up_is_told() {
    let (_sandbox, host) = world(&assumed());
    let ballast = |told: &Told| {
        let about = |finding: &&Value| finding["what"] == "ballast";
        told.findings.iter().find(about).map(|finding| finding["level"].clone())
    };
    assert_eq!(ballast(&Told::doctor(&host)), None, "the first start puts it there");
    assert_eq!(host.ready().stop(), Some(0));
    assert_eq!(ballast(&Told::doctor(&host)), Some(json!("ok")));
    std::fs::remove_file(host.state_dir().join("ballast")).unwrap();
    assert_eq!(ballast(&Told::doctor(&host)), Some(json!("warning")));
}

/// Asked for by an administrator, made and recorded by the daemon as any proof is.
#[test]
fn a_probe_proves_anew_on_each_key_or_says_what_is_lacking() {
    let (sandbox, host) = world(&assumed());
    let daemon = host.ready();
    let probe = |host: &Host| Told::run(host, &["--probe"]);
    for grants in 1..=2 {
        assert_eq!(probe(&host).level("way out of arn:", "proven just now"), "ok");
        let made = sandbox.grants();
        assert_eq!(made.len(), grants, "whatever an earlier proof says");
        assert!(made.iter().all(|grant| grant.ended_at_ms.is_some()), "{made:#?}");
    }
    let history = host.grantd(&["history", "--json"]).ok().stdout;
    assert_eq!(history.matches("\"kind\":\"proof-asked\"").count(), 2, "{history}");
    assert_eq!(history.matches("\"kind\":\"requested\"").count(), 2, "{history}");
    let key = json!({ "key": format!("{}0", &sandbox.story.key_arn) });
    assert_eq!(host.post("/v1/proofs", &key).body["type"], "key-not-found");
    let host_user = sandbox.story.grantd_host.arn.clone();
    let look = ["kms:ListAliases", "kms:DescribeKey", "kms:ListGrants", "kms:ListRetirableGrants"];
    sandbox.handle().with(|core| {
        core.put_role(ROLE, IamPolicy::allow(look), &[&host_user], None);
    });
    let told = probe(&host);
    assert_eq!((told.code, told.level("way out of arn:", "kms:CreateGrant")), (2, "failure"));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(probe(&host).level("way out of arn:", "no daemon answers"), "warning");
}

/// Nothing is made on a key that no policy names, nor where the file wants no proof.
#[test]
fn a_probe_stays_within_the_file() {
    let (sandbox, host) = world(&assumed());
    let text = std::fs::read_to_string(host.config()).unwrap();
    let asked = json!({ "key": sandbox.story.key_arn });
    host.configure(&text.replace("alias/my-kms-grant-example-key", "alias/nothing"));
    let daemon = host.ready();
    let refused = host.post("/v1/proofs", &asked);
    assert_eq!((refused.status, &refused.body["type"]), (403, &json!("no-policy")), "{refused:?}");
    assert_eq!(daemon.stop(), Some(0));
    host.configure(&text.replace("probe = true", "probe = false"));
    let _daemon = host.ready();
    let refused = host.post("/v1/proofs", &asked);
    assert_eq!((refused.status, &refused.body["type"]), (400, &json!("bad-argument")));
    assert!(sandbox.grants().is_empty());
}
