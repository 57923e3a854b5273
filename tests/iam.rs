//! The policies of `grantd iam-policy`, judged by an evaluator that we did not write: all that
//! grantd sends is allowed, and nothing beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use grantd::config::{Names, parse};
use grantd::ids::KeyArn;
use grantd::rules::iam;
use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal,
    PrincipalId,
};
use kms_sandbox::Op;
use proptest::prelude::*;
use proptest::sample::select;
use testbed::{Config, Sandbox};

const OWN: &str = "arn:aws:iam::111122223333:role/grantd";
const ROLE_B: &str = "arn:aws:iam::111122223333:role/RoleB";
const KEY: &str = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd";
const OTHER_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
/// Stands for `*`, which the evaluator takes for no resource: operations that are about no key.
const NOWHERE: &str = "arn:aws:kms:ap-northeast-1:111122223333:none/none";
const ALIAS: &str = "alias/my-kms-grant-example-key";

/// A request as KMS shows it to IAM (kms-facts 7).
#[derive(Debug, Clone)]
struct Call {
    action: &'static str,
    resource: String,
    aliases: Vec<String>,
    grantee: Option<String>,
    service: Option<String>,
    retires: Option<String>,
    operations: Option<Vec<String>>,
    context: Option<(&'static str, &'static str)>,
}

fn on_key(action: &'static str) -> Call {
    Call {
        action,
        resource: KEY.to_owned(),
        aliases: vec![ALIAS.to_owned()],
        grantee: None,
        service: None,
        retires: None,
        operations: None,
        context: None,
    }
}

fn create(grantee: &str, operations: &[&str]) -> Call {
    Call {
        grantee: Some(grantee.to_owned()),
        retires: Some(OWN.to_owned()),
        operations: Some(operations.iter().map(|op| (*op).to_owned()).collect()),
        ..on_key("kms:CreateGrant")
    }
}

/// Who calls, as AWS shows them: by themselves, and by `aws:PrincipalArn` where they have one.
type Caller<'a> = (Principal, Option<&'a str>);

fn session_of(role: &str) -> Caller<'_> {
    let (account, name) = role.split_once("iam::").unwrap().1.split_once(":role/").unwrap();
    let name = name.rsplit('/').next().unwrap();
    let session = format!("arn:aws:sts::{account}:assumed-role/{name}/grantd-7");
    (Principal::Aws(PrincipalId::String(session)), Some(role))
}

/// Whether `policy` allows `call` to grantd's role.
fn allows(policy: &str, call: &Call) -> bool {
    let own = Principal::Aws(PrincipalId::String(OWN.to_owned()));
    allow(&[policy], (own, None), call)
}

/// Whether all of `policies` together allow `call` to `who`.
fn allow(policies: &[&str], (who, role): Caller<'_>, call: &Call) -> bool {
    let mut context = Context::new();
    let mut put = |key: &str, value: Option<ContextValue>| {
        if let Some(value) = value {
            context.insert(key.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(ContextValue::String);
    let list = |all: &[String]| Some(ContextValue::StringList(all.to_vec()));
    put("kms:ResourceAliases", list(&call.aliases).filter(|_| !call.aliases.is_empty()));
    put("kms:GranteePrincipal", text(&call.grantee));
    put("kms:GranteeServicePrincipal", text(&call.service));
    put("kms:RetiringPrincipal", text(&call.retires));
    put("kms:GrantOperations", call.operations.as_deref().and_then(list));
    if let Some((key, value)) = call.context {
        let value = ContextValue::String(value.to_owned());
        put(&format!("kms:EncryptionContext:{key}"), Some(value));
    }
    put("aws:PrincipalArn", role.map(|role| ContextValue::String(role.to_owned())));
    let resource = Arn::parse(&call.resource).unwrap();
    let request = IAMRequest::new_with_context(who, call.action, resource, context);
    let policies = policies.iter().map(|policy| IAMPolicy::from_json(policy).unwrap()).collect();
    let answer = PolicyEvaluator::with_policies(policies).evaluate(&request);
    answer.unwrap().decision == Decision::Allow
}

/// The evaluator itself, on the points that our policies stand on (IAM user guide, "Multivalued
/// context keys" and "Condition operators").
#[test]
fn the_evaluator_knows_what_we_rely_on() {
    let policy = |condition: &str| {
        format!(
            "{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Allow\", \"Action\": \
             \"kms:CreateGrant\", \"Resource\": \"*\", \"Condition\": {condition}}}]}}"
        )
    };
    let all = policy(r#"{"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}"#);
    assert!(allows(&all, &create(ROLE_B, &["Decrypt"])));
    assert!(!allows(&all, &create(ROLE_B, &["Decrypt", "Encrypt"])));
    let silent = Call { operations: None, ..create(ROLE_B, &[]) };
    assert!(allows(&all, &silent), "a set operator is true where the key is absent");
    let there = policy(r#"{"Null": {"kms:GrantOperations": "false"}}"#);
    assert!(!allows(&there, &silent) && allows(&there, &create(ROLE_B, &["Decrypt"])));
    let any = policy(r#"{"ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/my-*"]}}"#);
    assert!(allows(&any, &create(ROLE_B, &[])));
    assert!(!allows(&any, &Call { aliases: vec![], ..create(ROLE_B, &[]) }));
    let crosses = policy(r#"{"StringLike": {"kms:GranteePrincipal": "arn:aws:iam::1*:role/*"}}"#);
    assert!(allows(&crosses, &create("arn:aws:iam::111122223333:role/a/b", &[])));
    let not = policy(r#"{"StringNotLike": {"kms:GranteePrincipal": ["*/RoleB", "*/RoleC"]}}"#);
    assert!(!allows(&not, &create(ROLE_B, &[])) && allows(&not, &create(OWN, &[])));
    let nobody = Call { grantee: None, ..create(ROLE_B, &[]) };
    assert!(allows(&not, &nobody), "a negated operator is true where the key is absent");
}

/// All that the daemon sent in the life of a lease, probe included, against the policy of its own
/// configuration.
#[test]
fn all_that_grantd_sends_is_allowed() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(env!("CARGO_BIN_EXE_grantd"), &Config::default());
    // The story itself made a key and its alias.
    let calls = |op: Op| {
        let tally = sandbox.handle().with(|core| core.tally(op));
        tally.accepted + tally.refused
    };
    let before: Vec<u64> = Op::ALL.iter().map(|op| calls(*op)).collect();
    let daemon = host.ready();
    let body = serde_json::json!({ "key": sandbox.story.alias, "grantee": "role/RoleB",
        "operations": ["Decrypt"], "ttl": "1s" });
    assert_eq!(host.post("/v1/leases", &body).status, 201);
    testbed::until("the lease is closed", || {
        let lease = host.get("/v1/leases?all=true").body["items"].as_array().unwrap().clone();
        lease.iter().all(|lease| lease["state"] == "closed").then_some(())
    });
    assert_eq!(daemon.stop(), Some(0));
    let config = host.config().display().to_string();
    let policy = host.grantd(&["iam-policy", &config]).ok().stdout;

    let mut sent = Vec::new();
    for (op, before) in Op::ALL.iter().zip(before) {
        if calls(*op) == before {
            continue;
        }
        let call = |resource: &str| Call { resource: resource.to_owned(), ..on_key(op.action()) };
        let calls = if *op == Op::CreateGrant {
            let grants = sandbox.grants().into_iter();
            let made = grants.map(|grant| Call {
                resource: grant.key_arn,
                retires: grant.retiring_principal,
                ..create(&grant.grantee, &grant.operations)
            });
            made.collect()
        } else if [Op::RetireGrant, Op::GetCallerIdentity].contains(op) {
            // The grant itself is the permission to retire it; who one is, anybody may ask.
            Vec::new()
        } else if [Op::ListAliases, Op::ListRetirableGrants].contains(op) {
            vec![call(NOWHERE)]
        } else {
            vec![call(&sandbox.story.key_arn)]
        };
        for call in calls {
            assert!(allows(&policy, &call), "{call:?}\n{policy}");
        }
        sent.push(op.action());
    }
    assert!(sent.contains(&"kms:CreateGrant") && sent.contains(&"kms:ListGrants"), "{sent:?}");
    assert_eq!(sandbox.grants().len(), 2, "the probe and the lease");
}

struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

fn config(key: &str, grantee: &str) -> String {
    format!(
        "group = \"prod\"\n[[account]]\nid = \"111122223333\"\nrole-arn = \"{OWN}\"\n\
         regions = [\"ap-northeast-1\"]\n[[policy]]\nname = \"p\"\nkeys = [\"{key}\"]\n\
         grantees = [\"{grantee}\"]\noperations = [\"Decrypt\", \"DescribeKey\"]\n\
         callers = [\"user:1\"]\nmax-ttl = \"1h\"\n"
    )
}

fn role_policy(key: &str, grantee: &str) -> String {
    let config = parse("f", &config(key, grantee), &Nobody).unwrap();
    serde_json::to_string(&iam::role(&config, &config.accounts[0])).unwrap()
}

#[test]
fn near_misses_are_denied() {
    let policy = role_policy(ALIAS, "role/RoleB");
    let lease = create(ROLE_B, &["Decrypt"]);
    let probe = create(OWN, &["DescribeKey"]);
    for call in [&lease, &probe, &create(ROLE_B, &["Decrypt", "DescribeKey"])] {
        assert!(allows(&policy, call), "{call:?}");
    }
    let some = |text: &str| Some(text.to_owned());
    let service = "s3.ap-northeast-1.amazonaws.com";
    let denied = [
        create("arn:aws:iam::111122223333:role/RoleA", &["Decrypt"]),
        create("arn:aws:iam::111122223333:root", &["Decrypt"]),
        create("arn:aws:iam::999999999999:role/RoleB", &["Decrypt"]),
        create("arn:aws:sts::111122223333:assumed-role/RoleB/x", &["Decrypt"]),
        create(ROLE_B, &["Encrypt"]),
        create(ROLE_B, &["Decrypt", "Encrypt"]),
        create(ROLE_B, &["CreateGrant"]),
        create(ROLE_B, &["RetireGrant"]),
        create(OWN, &["Decrypt"]),
        create(OWN, &["DescribeKey", "Decrypt"]),
        Call { operations: None, ..lease.clone() },
        Call { retires: None, ..lease.clone() },
        Call { retires: None, ..probe.clone() },
        Call { retires: some(ROLE_B), ..lease.clone() },
        Call { grantee: None, ..lease.clone() },
        Call { grantee: None, service: some(service), ..lease.clone() },
        Call { grantee: None, service: some(service), ..probe.clone() },
        Call { aliases: vec![], ..lease.clone() },
        Call { aliases: vec![format!("{ALIAS}-2")], ..lease.clone() },
        Call { resource: OTHER_KEY.to_owned(), ..lease.clone() },
        Call { resource: KEY.replace("111122223333", "999999999999"), ..lease.clone() },
        Call { resource: OTHER_KEY.to_owned(), ..on_key("kms:ListGrants") },
        Call { resource: NOWHERE.to_owned(), ..on_key("kms:ListKeys") },
        Call { resource: ROLE_B.to_owned(), ..on_key("sts:AssumeRole") },
    ];
    for call in &denied {
        assert!(!allows(&policy, call), "{call:?}\n{policy}");
    }
    for action in [
        "kms:RevokeGrant",
        "kms:RetireGrant",
        "kms:PutKeyPolicy",
        "kms:GetKeyPolicy",
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ScheduleKeyDeletion",
        "kms:DisableKey",
        "kms:UpdateAlias",
        "kms:CreateAlias",
        "kms:TagResource",
        "kms:CreateKey",
    ] {
        assert!(!allows(&policy, &on_key(action)), "{action}\n{policy}");
        let mut like_a_lease = lease.clone();
        like_a_lease.action = action;
        assert!(!allows(&policy, &like_a_lease), "{action}\n{policy}");
    }
}

#[test]
fn a_required_encryption_context_binds_in_iam_too() {
    let require = "require = [{ encryption-context = { Team = \"a-*\" } }]\n";
    let text = format!("{}{require}", config(ALIAS, "role/RoleB"));
    let config = parse("f", &text, &Nobody).unwrap();
    let policy = serde_json::to_string(&iam::role(&config, &config.accounts[0])).unwrap();
    let lease = |context| Call { context, ..create(ROLE_B, &["Decrypt"]) };
    assert!(allows(&policy, &lease(Some(("Team", "a-1")))));
    for context in [None, Some(("Team", "b-1")), Some(("Other", "a-1"))] {
        assert!(!allows(&policy, &lease(context)), "{context:?}\n{policy}");
    }
}

/// The half that stands in a key's policy allows and denies the same on its key.
#[test]
fn the_half_in_the_key_policy_is_as_narrow() {
    let config = parse("f", &config(ALIAS, "role/RoleB"), &Nobody).unwrap();
    let arn = KeyArn::parse(KEY).unwrap();
    let aliases = [ALIAS.to_owned()];
    let half = iam::key(&config, &config.accounts[0], &arn, &aliases);
    let half = serde_json::to_string(&half).unwrap();
    for call in
        [create(ROLE_B, &["Decrypt"]), create(OWN, &["DescribeKey"]), on_key("kms:ListGrants")]
    {
        assert!(allows(&half, &call), "{call:?}\n{half}");
    }
    for call in [
        create(OWN, &["Decrypt"]),
        create("arn:aws:iam::111122223333:role/RoleA", &["Decrypt"]),
        Call { retires: None, ..create(ROLE_B, &["Decrypt"]) },
        on_key("kms:RevokeGrant"),
        on_key("kms:PutKeyPolicy"),
    ] {
        assert!(!allows(&half, &call), "{call:?}\n{half}");
    }
}

/// The guard: whoever may do everything on a key makes no grant in grantd's name, and is kept from
/// nothing else; grantd is kept from nothing. Two accounts have a role each, and neither names the
/// other's.
#[test]
fn nobody_but_grantd_names_grantd() {
    const SECOND: &str = "arn:aws:iam::444455556666:role/ops/grantd";
    const ALL: &str = r#"{ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": "*", "Action": "kms:*", "Resource": "*" }] }"#;
    let account = format!(
        "[[account]]\nid = \"444455556666\"\nrole-arn = \"{SECOND}\"\nregions = \
         [\"eu-west-1\"]\n[[policy]]"
    );
    let text = config(ALIAS, "role/RoleB").replacen("[[policy]]", &account, 1);
    let config = parse("f", &text, &Nobody).unwrap();
    let both: Vec<_> = config.accounts.iter().collect();
    let service = "s3.ap-northeast-1.amazonaws.com".to_owned();
    let service = (Principal::Service(PrincipalId::String(service)), None);
    let plain = |arn| (Principal::Aws(PrincipalId::String(String::from(arn))), Some(arn));
    let others = [
        session_of(ROLE_B),
        session_of("arn:aws:iam::111122223333:role/Admin"),
        session_of("arn:aws:iam::111122223333:role/grantd-2"),
        session_of("arn:aws:iam::111122223333:role/team/grantd"),
        session_of("arn:aws:iam::999999999999:role/grantd"),
        plain("arn:aws:iam::111122223333:user/grantd"),
        plain("arn:aws:iam::111122223333:root"),
        service,
    ];
    let retiring =
        |by: Option<&str>| Call { retires: by.map(str::to_owned), ..create(ROLE_B, &["Decrypt"]) };
    let other_case = OWN.replace("grantd", "Grantd");
    for stands in [iam::Guard::KeyPolicy, iam::Guard::Scp] {
        let guard = serde_json::to_string(&iam::guard(&both, stands)).unwrap();
        let may = |who: &Caller<'_>, call| allow(&[ALL, &guard], who.clone(), &call);
        for who in &others {
            for forged in [OWN, SECOND, other_case.as_str()] {
                assert!(!may(who, retiring(Some(forged))), "{who:?} {forged}\n{guard}");
            }
            for honest in [retiring(Some(ROLE_B)), retiring(None), on_key("kms:Decrypt")] {
                assert!(may(who, honest.clone()), "{who:?} {honest:?}\n{guard}");
            }
        }
        for (own, other) in [(OWN, SECOND), (SECOND, OWN)] {
            let grantd = session_of(own);
            assert!(may(&grantd, retiring(Some(own))), "{own}\n{guard}");
            assert!(!may(&grantd, retiring(Some(other))), "{own} {other}\n{guard}");
        }
    }
}

/// The resource of a principal, often one that a pattern below nearly names.
fn resource() -> impl Strategy<Value = String> {
    let word = || select(vec!["a", "b", "ab", "team", "aws-service-role", "grantd", "x.y"]);
    (select(vec!["role", "user"]), proptest::collection::vec(word(), 1..4))
        .prop_map(|(kind, words)| format!("{kind}/{}", words.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// What a pattern of the file names, IAM lets us lend to; and it names no more, where IAM can
    /// say so.
    #[test]
    fn iam_bounds_the_grantees_as_the_file_does(
        pattern in select(vec![
            "role/*", "role/{grantd,b}", "role/a*", "role/?", "role/a?", "role/*/b", "user/*",
            "role/team/**", "role/**", "role/{a,b}", "role/{a*,team/?}", "role/**/b", "role/ab",
            "user/x.y", "role/*b*",
        ]),
        resource in resource(),
    ) {
        let arn = format!("arn:aws:iam::111122223333:{resource}");
        let text = config(ALIAS, pattern);
        let config = parse("f", &text, &Nobody).unwrap();
        let key = KeyArn::parse(KEY).unwrap();
        let policy = &config.policies[0];
        let named = grantd::rules::policy::lists_grantee(&config, policy, &arn, &key);
        let document = serde_json::to_string(&iam::role(&config, &config.accounts[0])).unwrap();
        let lent = allows(&document, &create(&arn, &["Decrypt"]));
        prop_assert!(lent || !named, "{} names {}, and IAM does not let us", pattern, arn);
        if !pattern.contains("**") {
            prop_assert_eq!(lent, named, "{} and {}", pattern, arn);
        }
        prop_assert!(!lent || (arn != OWN && !resource.starts_with("role/aws-service-role/")));
    }
}
