use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::super::source::unreachable;
use super::fake::Request;
use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/grantd";
const EMPTY: &str = r#"{"Aliases":[],"Truncated":false}"#;

fn as_role(endpoint: &str) -> Lane {
    Lane {
        role_arn: Some(Principal::parse(ROLE).unwrap()),
        external_id: Some("ext-7".to_owned()),
        ..lane(endpoint)
    }
}

/// What STS answers: credentials with this number in their key id, valid until then.
fn assumed(number: u32, expires: &str) -> Reply {
    Reply::xml(
        200,
        &format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult>\
             <Credentials><AccessKeyId>ASIA{number}</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>session-{number}</SessionToken>\
             <Expiration>{expires}</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn sts_refuses() -> Reply {
    sts_fails(403, "AccessDenied")
}

fn sts_fails(status: u16, code: &str) -> Reply {
    Reply::xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <Error><Type>Sender</Type>\
             <Code>{code}</Code>\
             <Message>not authorized to perform: sts:AssumeRole</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

/// A server whose STS hands out credentials until `expires`, and whose KMS answers as `kms` says.
fn with_sts(
    expires: &'static str,
    mut kms: impl FnMut(&Request) -> Reply + Send + 'static,
) -> Fake {
    let mut number = 0;
    Fake::start(move |request| {
        if request.operation == "assumerole" {
            number += 1;
            return assumed(number, expires);
        }
        kms(request)
    })
}

#[test]
fn without_credentials_nothing_is_sent() {
    alone(&[], async || {
        let (answer, sent) = describe(Reply::json(DESCRIBED)).await;
        assert_eq!((&answer.outcome, sent), (&Outcome::Refused(Class::Credentials), 0));
        assert!(detail(&answer).starts_with("no AWS credentials: "), "{answer:?}");
        assert_eq!(answer.date, None);
    });
}

#[test]
fn a_role_is_assumed_once_and_expires_by_amazons_clock() {
    alone(&KEYS, async || {
        let fake = with_sts("2019-11-23T19:00:00Z", |_| Reply::json(EMPTY));
        let (adapter, lane) = (adapter(), as_role(&fake.endpoint));
        // An hour by the server's `Date`; years past by this host's wall clock.
        for _ in 0..3 {
            let answer = adapter.aliases(&lane, None).await;
            assert_eq!(answer.outcome, Outcome::Done(Vec::new()), "{answer:?}");
        }
        let heard = fake.heard();
        let operations: Vec<&str> = heard.iter().map(|r| r.operation.as_str()).collect();
        assert_eq!(operations, ["assumerole", "listaliases", "listaliases", "listaliases"]);
        assert!(heard[0].head.contains("credential=akiaambient/"), "{}", heard[0].head);
        assert!(heard[0].head.contains("/ap-northeast-1/sts/"), "{}", heard[0].head);
        for part in ["RoleSessionName=grantd", "ExternalId=ext-7", "role%2Fgrantd"] {
            assert!(heard[0].body.contains(part), "{}", heard[0].body);
        }
        assert!(heard[1].head.contains("credential=asia1/"), "{}", heard[1].head);
        assert!(heard[1].head.contains("x-amz-security-token: session-1"), "{}", heard[1].head);
    });
}

#[test]
fn a_refusal_of_sts_is_in_its_words_and_nothing_reaches_kms() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| sts_refuses());
        let (adapter, lane) = (adapter(), as_role(&fake.endpoint));
        let answer = adapter.describe(&lane, KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Credentials));
        assert_eq!(
            detail(&answer),
            format!(
                "cannot assume {ROLE}: AccessDenied: not authorized to perform: sts:AssumeRole"
            )
        );
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Refused(Class::Credentials));
        assert_eq!(fake.operations(), ["assumerole", "assumerole"]);
    });
}

#[test]
fn who_waits_for_credentials_shares_the_failure() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| sts_refuses());
        let (adapter, lane) = (adapter(), as_role(&fake.endpoint));
        let calls = (0..20).map(|_| adapter.describe(&lane, KEY));
        let answers = futures_util::future::join_all(calls).await;
        let refused = Outcome::Refused(Class::Credentials);
        assert!(answers.iter().all(|answer| answer.outcome == refused));
        assert_eq!(fake.operations(), ["assumerole"]);
    });
}

#[test]
fn silent_sts_is_given_up_in_time_and_nothing_is_sent() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| Reply::Silence);
        let clock = SystemClock::new().unwrap();
        let start = clock.read().boot;
        let answer = adapter().describe(&as_role(&fake.endpoint), KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Unavailable));
        assert!(detail(&answer).starts_with("STS does not answer"), "{answer:?}");
        assert!(clock.read().boot - start < BOUND_MS);
        assert_eq!(fake.operations(), ["assumerole"]);
    });
}

#[test]
fn a_network_without_sts_is_no_fault_of_the_credentials() {
    alone(&KEYS, async || {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (adapter, lane) = (adapter(), as_role(&format!("http://{port}")));
        let unsent = Outcome::Refused(Class::Unavailable);
        let answer = adapter.describe(&lane, KEY).await;
        assert_eq!((&answer.outcome, answer.date), (&unsent, None), "{answer:?}");
        let text = detail(&answer);
        assert!(text.starts_with("STS does not answer: cannot assume "), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Refused(Class::Unavailable));

        let page = || Reply::Whole(403, "text/html", "<html>a proxy</html>".to_owned());
        let replies = [Reply::Reset, sts_fails(503, "ServiceUnavailable"), page()];
        for reply in replies.into_iter().chain([sts_fails(400, "Throttling")]) {
            let fake = Fake::start(move |_| reply.clone());
            let answer = super::adapter().describe(&as_role(&fake.endpoint), KEY).await;
            assert_eq!(answer.outcome, unsent, "{answer:?}");
            assert!(detail(&answer).starts_with("STS "), "{answer:?}");
            assert_eq!(fake.operations(), ["assumerole"]);
        }
    });
}

#[test]
fn credentials_that_sts_does_not_know_are_refused() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| sts_fails(403, "InvalidClientTokenId"));
        let answer = adapter().describe(&as_role(&fake.endpoint), KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Credentials), "{answer:?}");
    });
}

#[test]
fn a_source_of_the_hosts_own_that_does_not_answer_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let uri = format!("http://{port}/");
    alone(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)], async || {
        let (answer, sent) = describe(Reply::json(DESCRIBED)).await;
        assert_eq!((&answer.outcome, sent), (&Outcome::Refused(Class::Unavailable), 0));
        assert!(detail(&answer).contains("does not answer"), "{answer:?}");
    });
}

#[test]
fn only_a_source_that_was_asked_can_be_out_of_reach() {
    let lost = || ConnectorError::io("connection refused".into());
    assert!(unreachable(&CredentialsError::provider_error(lost())));
    assert!(unreachable(&CredentialsError::unhandled(lost())));
    assert!(unreachable(&CredentialsError::provider_timed_out(Duration::from_secs(1))));
    // No metadata service: this host is no instance, and nobody gives it credentials.
    assert!(!unreachable(&CredentialsError::not_loaded(lost())));
    assert!(!unreachable(&CredentialsError::provider_error("the profile says no")));
}

/// Notes where a request would go, and keeps it from leaving.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<Mutex<String>>);

impl Intercept for Gate {
    fn name(&self) -> &'static str {
        "Gate"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = context.request().uri().to_owned();
        Err("kept here".into())
    }
}

#[test]
fn only_an_endpoint_on_this_host_stands_in_for_sts() {
    let amazon = "https://sts.ap-northeast-1.amazonaws.com/";
    let private = "https://vpce-0a.kms.ap-northeast-1.vpce.amazonaws.com";
    alone(&KEYS, async || {
        for (endpoint, expected) in [
            (Some(private), amazon),
            (Some("http://192.0.2.7:4566"), amazon),
            (None, amazon),
            (Some("http://127.0.0.1:4599"), "http://127.0.0.1:4599/"),
            (Some("http://localhost:4599"), "http://localhost:4599/"),
        ] {
            let lane = Lane { endpoint: endpoint.map(str::to_owned), ..as_role("") };
            let slot = Slot::default();
            slot.put(aws_credential_types::Credentials::new("AKIA", "s", None, None, "test"));
            let (sts, gate) = (sts_client(&Settings::default(), &lane, slot), Gate::default());
            let call = sts.assume_role().role_arn(ROLE).role_session_name(APP).customize();
            call.interceptor(gate.clone()).send().await.unwrap_err();
            assert_eq!(*gate.0.lock().unwrap(), expected, "{endpoint:?}");
        }
    });
}

#[test]
fn warming_fetches_before_the_old_ones_expire() {
    alone(&KEYS, async || {
        // By AWS's clock (18:00) they last 20 s: usable, and due for new ones at half of that.
        let fake = with_sts("2019-11-23T18:00:20Z", |_| Reply::json(EMPTY));
        let (adapter, lane) = (adapter(), as_role(&fake.endpoint));
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Done(()));
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Done(()));
        adapter.aliases(&lane, None).await;
        assert_eq!(fake.operations(), ["assumerole", "listaliases"]);

        let short = with_sts("2019-11-23T18:00:09Z", |_| Reply::json(EMPTY));
        let lane = as_role(&short.endpoint);
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Done(()));
        assert_eq!(adapter.warm(&lane).await.outcome, Outcome::Done(()));
        assert_eq!(short.operations(), ["assumerole", "assumerole"]);
    });
}

#[test]
fn refused_credentials_are_replaced_before_the_next_call() {
    alone(&KEYS, async || {
        let calls = Arc::new(AtomicU32::new(0));
        let fake = with_sts("2019-11-23T19:00:00Z", move |_| {
            if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                return Reply::error(400, "ExpiredTokenException", "The security token is expired");
            }
            Reply::json(EMPTY)
        });
        let (adapter, lane) = (adapter(), as_role(&fake.endpoint));
        let refused = adapter.aliases(&lane, None).await;
        assert_eq!(refused.outcome, Outcome::Refused(Class::Credentials));
        assert_eq!(adapter.aliases(&lane, None).await.outcome, Outcome::Done(Vec::new()));
        let expected = ["assumerole", "listaliases", "assumerole", "listaliases"];
        assert_eq!(fake.operations(), expected);
    });
}

#[test]
fn the_revoke_role_is_warmed_and_its_lack_is_told() {
    alone(&KEYS, async || {
        let fake = Fake::start(|request| match request.body.contains("revoker") {
            true => sts_refuses(),
            false => assumed(1, "2019-11-23T19:00:00Z"),
        });
        let revoker = Principal::parse("arn:aws:iam::111122223333:role/revoker").unwrap();
        let ways = Ways { revoke_role: Some(revoker), ..Ways::default() };
        let (adapter, lane) = (adapter(), Lane { ways, ..as_role(&fake.endpoint) });
        let answer = adapter.warm(&lane).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Credentials), "{answer:?}");
        assert!(detail(&answer).contains("cannot assume arn:aws:iam::111122223333:role/revoker"));
        let heard = fake.heard();
        assert_eq!(heard.len(), 2);
        assert!(heard[1].body.contains("RoleSessionName=grantd"), "{}", heard[1].body);
    });
}

#[test]
fn an_identity_is_told_without_its_session() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| {
            Reply::xml(
                200,
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult>\
                 <Arn>arn:aws:sts::111122223333:assumed-role/grantd/grantd</Arn>\
                 <UserId>AROAEXAMPLE:grantd</UserId><Account>111122223333</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>",
            )
        });
        let answer = adapter().identity(&lane(&fake.endpoint)).await;
        let expected = Identity {
            account: "111122223333".to_owned(),
            arn: "arn:aws:sts::111122223333:assumed-role/grantd/grantd".to_owned(),
            unique_id: "AROAEXAMPLE".to_owned(),
        };
        assert_eq!(answer.outcome, Outcome::Done(expected));
        assert_eq!(answer.date, Some(Time::parse("2019-11-23T18:00:00Z").unwrap()));
    });
}
