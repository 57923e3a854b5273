//! The sandbox over HTTP: protocols, signatures, and what a client cannot see from the core alone.

mod common;
mod control;

use common::{Client, Signer, T0, world};
use kms_sandbox::{Handle, Op, Server, Story, StoryOptions};
use serde_json::{Value, json};

fn grant(story: &Story) -> Value {
    json!({
        "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn, "Operations": ["Decrypt"],
        "RetiringPrincipal": story.grantd.arn, "Name": "n",
    })
}

#[test]
fn the_story_over_http() {
    let (server, mut story) = world();
    let sealed = json!({ "CiphertextBlob": story.encrypt("the data", T0) });
    let (grantd, b) = (Signer::of(&story.grantd), Signer::of(&story.role_b));
    let mut client = Client::to(&server);
    let refused = client.kms(&b, "Decrypt", &sealed);
    assert_eq!((refused.status, refused.code().as_str()), (400, "AccessDeniedException"));
    let made = client.kms(&grantd, "CreateGrant", &grant(&story));
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.header("date"), "Wed, 18 Nov 2026 10:40:00 GMT");
    assert_eq!(made.header("content-type"), "application/x-amz-json-1.1");
    assert!(!made.header("x-amzn-requestid").is_empty());
    assert_eq!(client.kms(&b, "Decrypt", &sealed).json()["Plaintext"], json!("dGhlIGRhdGE="));
    let id = made.json()["GrantId"].clone();
    let retire = json!({ "KeyId": story.key_arn, "GrantId": id });
    let retired = client.kms(&grantd, "RetireGrant", &retire);
    assert_eq!((retired.status, retired.body.as_str()), (200, ""));
    assert_eq!(client.kms(&b, "Decrypt", &sealed).code(), "AccessDeniedException");
    let list = client.kms(&grantd, "ListGrants", &json!({ "KeyId": story.key_arn }));
    assert_eq!(list.json(), json!({ "Grants": [], "Truncated": false }));
}

#[test]
fn a_signature_must_be_right() {
    let (server, story) = world();
    let good = Signer::of(&story.grantd);
    let body = json!({ "KeyId": story.key_arn });
    let sts = "Action=GetCallerIdentity&Version=2011-06-15";
    let bad = |change: &dyn Fn(&mut Signer)| {
        let mut signer = good.clone();
        change(&mut signer);
        signer
    };
    let table = [
        (bad(&|s| s.secret = "other".into()), "InvalidSignatureException", "SignatureDoesNotMatch"),
        (
            bad(&|s| s.id = "AKIAUNKNOWN".into()),
            "UnrecognizedClientException",
            "InvalidClientTokenId",
        ),
        (
            bad(&|s| s.token = Some("t".into())),
            "UnrecognizedClientException",
            "InvalidClientTokenId",
        ),
        (
            bad(&|s| s.region = "eu-west-1".into()),
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
        ),
        (
            bad(&|s| s.stamp = "20261118T103459Z".into()),
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
        ),
        (
            bad(&|s| s.stamp = "20261118T104501Z".into()),
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
        ),
    ];
    let mut client = Client::to(&server);
    for (signer, kms, query) in &table {
        let answer = client.kms(signer, "ListGrants", &body);
        assert_eq!((answer.status, answer.code().as_str()), (400, *kms));
        let answer = client.sts(signer, sts);
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains(&format!("<Code>{query}</Code>")), "{}", answer.body);
    }
    let late = client.kms(&table[4].0, "ListGrants", &body).json();
    assert_eq!(
        late["message"],
        "Signature expired: 20261118T103459Z is now earlier than 20261118T103500Z \
         (20261118T104000Z - 5 min.)"
    );
    assert_eq!(client.kms(&good, "ListGrants", &body).status, 200);
    assert_eq!(client.sts(&good, sts).status, 200);
    let edge = bad(&|s| s.stamp = "20261118T103500Z".into());
    assert_eq!(client.kms(&edge, "ListGrants", &body).status, 200);
}

#[test]
fn a_session_works_until_it_expires() {
    let (server, story) = world();
    let host = Signer::of(&story.grantd_host);
    let role = story.grantd.arn.replace(':', "%3A").replace('/', "%2F");
    let ask = |extra: &str| {
        format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=grantd-h1&RoleArn={role}{extra}"
        )
    };
    let mut client = Client::to(&server);
    let answer = client.sts(&host, &ask("&DurationSeconds=900"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let member = |name: &str| {
        let rest = answer.body.split(&format!("<{name}>")).nth(1).unwrap();
        rest.split("</").next().unwrap().to_owned()
    };
    assert_eq!(member("Expiration"), "2026-11-18T10:55:00Z");
    let session = Signer {
        id: member("AccessKeyId"),
        secret: member("SecretAccessKey"),
        token: Some(member("SessionToken")),
        ..host.clone()
    };
    let who = client.sts(&session, "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(who.body.contains("assumed-role/grantd/grantd-h1</Arn>"), "{}", who.body);
    assert_eq!(client.kms(&session, "CreateGrant", &grant(&story)).status, 200);
    let without = Signer { token: None, ..session.clone() };
    assert_eq!(client.kms(&without, "ListKeys", &json!({})).code(), "UnrecognizedClientException");

    server.handle().set_offset(900_000);
    let later = Signer { stamp: "20261118T105500Z".into(), ..session };
    assert_eq!(client.kms(&later, "ListKeys", &json!({})).code(), "ExpiredTokenException");
    let stranger = Signer { stamp: "20261118T105500Z".into(), ..Signer::of(&story.role_b) };
    let refused = client.sts(&stranger, &ask(""));
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("<Code>AccessDenied</Code>"), "{}", refused.body);
    assert!(
        client
            .sts(&host, "Action=Nothing&Version=2011-06-15")
            .body
            .contains("SignatureDoesNotMatch")
    );
}

#[test]
fn faults_and_holds_by_the_control_surface() {
    let (server, story) = world();
    let grantd = Signer::of(&story.grantd);
    let (mut control, mut client) = (Client::to(&server), Client::to(&server));
    let rule = json!({ "match": { "op": "CreateGrant" }, "when": "after", "act": "hold" });
    let id = control.control("POST", "faults", &rule).json()["id"].as_u64().unwrap();
    client.send_kms(&grantd, "CreateGrant", &grant(&story));
    let held = control.control("GET", &format!("wait?fault={id}&calls=1"), &Value::Null).json();
    assert_eq!(held[0]["body"]["Name"], json!("n"));
    let alive = control.control("GET", "grants", &Value::Null).json();
    assert_eq!(alive.as_array().unwrap().len(), 1, "held after its effect");
    control.control("POST", &format!("faults/{id}/release"), &Value::Null);
    assert_eq!(client.read().unwrap().status, 200);

    let drop = json!({ "when": "after", "act": "drop", "times": 1 });
    control.control("POST", "faults", &drop);
    client.send_kms(&grantd, "ListKeys", &json!({}));
    assert!(client.read().is_none(), "the connection is closed without an answer");
    let mut client = Client::to(&server);
    control.control("POST", "faults", &json!({ "when": "before", "act": "throttle" }));
    assert_eq!(client.kms(&grantd, "ListKeys", &json!({})).code(), "ThrottlingException");
    control.control("DELETE", "faults", &Value::Null);
    assert_eq!(client.kms(&grantd, "ListKeys", &json!({})).status, 200);

    let journal = control.control("GET", "journal", &Value::Null).json();
    let last = journal.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["op"], &last["at_ms"], &last["name"]),
        (&json!("CreateGrant"), &json!(T0), &json!("n"))
    );
    let settings =
        json!({ "propagation": { "min_ms": 5, "max_ms": 7 }, "quotas": { "ListKeys": 0 } });
    let now = control.control("POST", "settings", &settings).json();
    assert_eq!(
        (&now["propagation"]["max_ms"], &now["quotas"]["CreateGrant"]),
        (&json!(7), &json!(50))
    );
    assert_eq!(client.kms(&grantd, "ListKeys", &json!({})).code(), "ThrottlingException");
    assert_eq!(control.control("POST", "settings", &json!({ "nonsense": 1 })).status, 400);
}

#[test]
fn a_call_takes_effect_though_its_client_is_gone() {
    let (server, story) = world();
    let rule = kms_sandbox::Match::op(Op::CreateGrant);
    let hold = server.handle().hold(rule, kms_sandbox::When::Before);
    let mut client = Client::to(&server);
    client.send_kms(&Signer::of(&story.grantd), "CreateGrant", &grant(&story));
    let mut control = Client::to(&server);
    control.control("GET", &format!("wait?fault={}", hold.0), &Value::Null);
    drop(client);
    // Each answer shows that the server has had a turn in which to see the closed connection.
    for _ in 0..20 {
        control.control("GET", "held", &Value::Null);
    }
    server.handle().release(hold);
    // The effect follows the release on the server's own thread: wait for the level.
    let rule = json!({ "match": { "op": "ListKeys" }, "when": "before", "act": { "delay": 1 } });
    control.control("POST", "faults", &rule);
    let mut other = Client::to(&server);
    let made = || server.handle().with(|core| core.count_alive(T0));
    for _ in 0..1_000 {
        other.kms(&Signer::of(&story.grantd), "ListKeys", &json!({}));
        if made() == 1 {
            return;
        }
    }
    panic!("the held call never took effect");
}

#[test]
fn garbage_is_answered_or_cut_off() {
    let (server, story) = world();
    let grantd = Signer::of(&story.grantd);
    let mut client = Client::to(&server);
    assert_eq!(client.kms(&grantd, "NoSuchThing", &json!({})).code(), "UnknownOperationException");
    assert_eq!(client.kms(&grantd, "ListGrants", &json!([1])).code(), "SerializationException");
    assert_eq!(
        client.kms(&grantd, "ListGrants", &json!({ "KeyId": 5 })).code(),
        "SerializationException"
    );
    assert_eq!(client.kms(&grantd, "ListGrants", &json!({})).code(), "ValidationException");
    let unsigned = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: TrentService.ListKeys\r\n\
                    content-length: 2\r\n\r\n{}";
    assert_eq!(
        client.raw(unsigned.as_bytes()).unwrap().code(),
        "MissingAuthenticationTokenException"
    );
    let half = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: TrentService.ListKeys\r\n\
                authorization: AWS4-HMAC-SHA256 Credential=a/b\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(client.raw(half.as_bytes()).unwrap().code(), "IncompleteSignatureException");
    let browser =
        "GET /_sandbox/ HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: http://evil.example\r\n\r\n";
    assert_eq!(client.raw(browser.as_bytes()).unwrap().status, 403);
    let rebound = "GET /_sandbox/ HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    assert_eq!(client.raw(rebound.as_bytes()).unwrap().status, 403);
    assert!(
        Client::to(&server).raw(b"\x16\x03\x01\x02\x00\r\n\r\n").is_none_or(|a| a.status == 400)
    );
    let large = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 600 * 1024);
    let mut other = Client::to(&server);
    let answer = other.raw(&[large.into_bytes(), vec![b'x'; 600 * 1024]].concat());
    assert_eq!(answer.unwrap().status, 413);
    assert_eq!(client.kms(&grantd, "ListKeys", &json!({})).status, 200, "and it still serves");
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let story = Story::new(StoryOptions::default(), T0);
    let handle = Handle::new(story.core, std::sync::Arc::new(|| T0));
    let refused = Server::bind("0.0.0.0:0".parse().unwrap(), handle).await.err().unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_server_of_its_own_starts_from_asynchronous_code_too() {
    let (server, story) = world();
    let signer = Signer::of(&story.grantd);
    assert_eq!(Client::to(&server).kms(&signer, "ListKeys", &json!({})).status, 200);
}
