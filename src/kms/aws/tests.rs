//! The adapter with the real SDK, over real sockets, against a server that misbehaves to order.
//! Each test runs in a process of its own (this binary, started again): credentials come from the
//! environment, which a test must not change for others.

mod credentials;
mod fake;
mod grants;
mod listing;
mod profile;

use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use self::fake::{Fake, Reply};
use super::*;
use crate::clock::system::SystemClock;
use crate::ids::{AccountId, Principal, Region};
use crate::kms::Ways;
use crate::rules::life::Class;
use crate::rules::time::Time;

/// No wait of these tests may take longer.
const BOUND_MS: i64 = 10_000;
/// Short, so that a server that never answers costs little; long enough for a loaded machine.
const ATTEMPT_MS: i64 = 2_000;
const CHILD: &str = "GRANTD_ADAPTER_TEST";
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAAMBIENT"), ("AWS_SECRET_ACCESS_KEY", "secret")];
const KEY: &str =
    "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const DESCRIBED: &str = r#"{"KeyMetadata":{"KeyId":"1234abcd",
 "Arn":"arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd","KeySpec":"SYMMETRIC_DEFAULT",
 "KeyUsage":"ENCRYPT_DECRYPT","KeyState":"Enabled","KeyManager":"CUSTOMER"}}"#;

/// Run `scenario` in a process with no ambient AWS settings but `env`.
fn alone(env: &[(&str, &str)], scenario: impl AsyncFnOnce()) {
    let thread = std::thread::current();
    let name = thread.name().unwrap().to_owned();
    if std::env::var_os(CHILD).is_some_and(|child| child == name.as_str()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(scenario());
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (ambient, _) in std::env::vars_os() {
        if ambient.to_string_lossy().starts_with("AWS_") {
            command.env_remove(ambient);
        }
    }
    let output = command
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, &name)
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn adapter() -> AwsKms {
    let attempt = Duration::from_millis(ATTEMPT_MS.unsigned_abs());
    let settings = Settings { attempt_timeout: attempt, connect_timeout: attempt };
    AwsKms::new(settings, Rc::new(SystemClock::new().unwrap()))
}

fn lane(endpoint: &str) -> Lane {
    Lane {
        id: 1,
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("ap-northeast-1").unwrap(),
        role_arn: None,
        external_id: None,
        endpoint: Some(endpoint.to_owned()),
        retiring_principal: Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap(),
        ways: Ways::default(),
    }
}

fn key() -> KeyArn {
    KeyArn::parse(KEY).unwrap()
}

/// One DescribeKey against a server with one answer: what it means, and how many requests it took.
async fn describe(reply: Reply) -> (Answer<KeyFacts>, usize) {
    let fake = Fake::start(move |_| reply.clone());
    let answer = adapter().describe(&lane(&fake.endpoint), KEY).await;
    (answer, fake.heard().len())
}

fn detail<T>(answer: &Answer<T>) -> &str {
    answer.detail.as_deref().unwrap_or_default()
}

#[test]
fn a_success_carries_its_facts_and_amazons_clock() {
    alone(&KEYS, async || {
        let (answer, sent) = describe(Reply::json(DESCRIBED)).await;
        let Outcome::Done(facts) = &answer.outcome else { panic!("{answer:?}") };
        assert_eq!(facts.arn.key_id(), "1234abcd");
        assert_eq!(
            (facts.spec.as_str(), facts.usage.as_str()),
            ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
        );
        assert_eq!((facts.state.as_str(), facts.manager.as_str()), ("Enabled", "CUSTOMER"));
        assert_eq!(answer.date, Some(Time::parse("2019-11-23T18:00:00Z").unwrap()));
        assert_eq!(answer.request_id.as_deref(), Some("req-1"));
        assert_eq!((answer.detail, sent), (None, 1));
    });
}

#[test]
fn a_refusal_is_definite_and_sent_once() {
    alone(&KEYS, async || {
        let codes = [
            ("ThrottlingException", Class::Throttled),
            ("com.amazonaws.kms#NotFoundException", Class::NotFound),
            ("LimitExceededException", Class::Quota),
            ("AccessDeniedException", Class::Denied),
            ("KMSInvalidStateException", Class::KeyState),
        ];
        for (code, class) in codes {
            let (answer, sent) = describe(Reply::error(400, code, "because")).await;
            assert_eq!(answer.outcome, Outcome::Refused(class), "{code}");
            let code = code.rsplit('#').next().unwrap();
            assert_eq!(detail(&answer), format!("{code}: because"));
            assert_eq!(answer.date, Some(Time::parse("2019-11-23T18:00:00Z").unwrap()));
            assert_eq!((answer.request_id.as_deref(), sent), (Some("req-1"), 1), "{code}");
        }
    });
}

#[test]
fn what_may_have_taken_effect_is_unknown_and_sent_once() {
    alone(&KEYS, async || {
        let page = "<html><body>Internal\nServer Error</body></html>".to_owned();
        let replies = [
            Reply::Reset,
            Reply::error(500, "KMSInternalException", "because"),
            Reply::error(400, "DependencyTimeoutException", "because"),
            Reply::error(503, "ThrottlingException", "because"),
            Reply::Whole(500, "text/html", page.clone()),
            Reply::Whole(403, "text/html", page.clone()),
            Reply::Whole(200, "text/html", page),
            Reply::json("{"),
            Reply::json("{}"),
            Reply::json(r#"{"KeyMetadata":{"KeyId":"x","Arn":"no arn"}}"#),
        ];
        for reply in replies {
            let (answer, sent) = describe(reply.clone()).await;
            assert_eq!(answer.outcome, Outcome::Unknown, "{reply:?}: {answer:?}");
            assert!(!detail(&answer).is_empty() && !detail(&answer).contains('\n'), "{answer:?}");
            assert_eq!(sent, 1, "{reply:?}");
        }
    });
}

#[test]
fn no_answer_is_waited_for_longer_than_the_attempt() {
    alone(&KEYS, async || {
        let half = DESCRIBED[..40].to_owned();
        for reply in [Reply::Silence, Reply::Half(half)] {
            let clock = SystemClock::new().unwrap();
            let start = clock.read().boot;
            let (answer, sent) = describe(reply).await;
            assert_eq!((answer.outcome, sent), (Outcome::Unknown, 1));
            let took = clock.read().boot - start;
            assert!((ATTEMPT_MS..BOUND_MS).contains(&took), "{took} ms");
        }
    });
}

#[test]
fn a_closed_port_is_unknown_and_says_so() {
    alone(&KEYS, async || {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let answer = adapter().describe(&lane(&format!("http://{port}")), KEY).await;
        assert_eq!((&answer.outcome, answer.date), (&Outcome::Unknown, None));
        assert!(detail(&answer).contains("Connection refused"), "{answer:?}");
    });
}

#[test]
fn ambient_endpoints_lead_nowhere() {
    let dead = "http://127.0.0.1:1";
    let env = [
        KEYS[0],
        KEYS[1],
        ("AWS_ENDPOINT_URL", dead),
        ("AWS_ENDPOINT_URL_KMS", dead),
        ("AWS_ENDPOINT_URL_STS", dead),
        ("AWS_REGION", "us-east-1"),
        ("AWS_MAX_ATTEMPTS", "5"),
    ];
    alone(&env, async || {
        let (answer, sent) = describe(Reply::json(DESCRIBED)).await;
        assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
        assert_eq!(sent, 1);
        let (answer, sent) = describe(Reply::error(500, "KMSInternalException", "no")).await;
        assert_eq!((answer.outcome, sent), (Outcome::Unknown, 1));
    });
}

#[test]
fn it_signs_for_the_lanes_region_under_its_own_name() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| Reply::json(DESCRIBED));
        adapter().describe(&lane(&fake.endpoint), KEY).await;
        let head = &fake.heard()[0].head;
        assert!(head.contains("/ap-northeast-1/kms/aws4_request"), "{head}");
        assert!(head.contains("app/grantd"), "{head}");
    });
}

#[test]
fn one_client_serves_lanes_that_go_the_same_way() {
    let one = lane("http://127.0.0.1:1");
    let renamed = Lane { id: 2, ..one.clone() };
    let elsewhere = Lane { endpoint: None, ..one.clone() };
    let as_role = Lane { role_arn: Some(one.retiring_principal.clone()), ..one.clone() };
    assert!(same_way(&one, &renamed));
    assert!(!same_way(&one, &elsewhere) && !same_way(&one, &as_role));
}
