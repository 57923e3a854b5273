//! What AWS has no call for, over the control surface, and what it does on the wire.

use kms_sandbox::{ListUnknown, RepeatAfterEnd, Unconfirmed};
use serde_json::{Value, json};

use crate::common::{Client, Signer, T0, world};

/// Both answers of every switch, and every answer of those with more.
#[test]
fn every_switch_can_be_thrown() {
    let (server, _) = world();
    let mut client = Client::to(&server);
    let defaults = json!(Unconfirmed::default());
    for (name, value) in defaults.as_object().unwrap() {
        let answers: Vec<Value> = match name.as_str() {
            "end_unseen" => vec![json!("access-denied"), json!("accepted"), json!("not-found")],
            "repeat_after_end" => vec![
                json!("dead-until-propagated"),
                json!(RepeatAfterEnd::DeadForEver),
                json!("new-grant"),
            ],
            "list_unknown_grant_id" => {
                vec![json!("not-found"), json!(ListUnknown::InvalidGrantId), json!("empty")]
            }
            "hot_key_per_second" => vec![json!(7), Value::Null],
            _ => vec![json!(!value.as_bool().expect(name)), value.clone()],
        };
        for answer in answers {
            let patch = json!({ "unconfirmed": { name: answer } });
            let now = client.control("POST", "settings", &patch);
            assert_eq!((now.status, &now.json()["unconfirmed"][name]), (200, &answer), "{name}");
        }
        let wrong = json!({ "unconfirmed": { name: "nonsense" } });
        assert_eq!(client.control("POST", "settings", &wrong).status, 400, "{name}");
    }
    let settings = client.control("GET", "settings", &Value::Null).json();
    assert_eq!(settings["unconfirmed"], defaults);
}

#[test]
fn a_switch_changes_the_next_answer() {
    let (server, story) = world();
    let (grantd, mut client) = (Signer::of(&story.grantd), Client::to(&server));
    let unknown = json!({ "KeyId": story.key_arn, "GrantId": "0".repeat(64) });
    assert_eq!(client.kms(&grantd, "ListGrants", &unknown).json()["Grants"], json!([]));
    let patch = json!({ "unconfirmed": { "list_unknown_grant_id": "invalid-grant-id" } });
    client.control("POST", "settings", &patch);
    assert_eq!(client.kms(&grantd, "ListGrants", &unknown).code(), "InvalidGrantIdException");
}

#[test]
fn grants_of_services_and_thousands_at_once() {
    let (server, story) = world();
    let (grantd, mut client) = (Signer::of(&story.grantd), Client::to(&server));
    let service = json!({
        "KeyId": story.key_arn, "Name": "f1a2", "CreationDate": 1_568_565_290.0,
        "GranteePrincipal": "AWS Internal", "RetiringPrincipal": "ec2.us-east-1.amazonaws.com",
        "IssuingAccount": "ec2.us-east-1.amazonaws.com", "Operations": ["Decrypt"],
    });
    let planted = client.control("POST", "grants", &service);
    let id = planted.json()["ids"][0].clone();
    let listed = client.kms(&grantd, "ListGrants", &json!({ "KeyId": story.key_arn }));
    assert!(listed.body.contains(r#""CreationDate":1568565290.0"#), "{}", listed.body);
    let mut shown = listed.json()["Grants"][0].clone();
    assert_eq!(shown["GrantId"], id);
    shown.as_object_mut().unwrap().remove("GrantId");
    assert_eq!(shown, service);

    let many = json!({
        "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn, "Operations": ["Decrypt"],
        "Name": "n",
    });
    client.control("POST", "settings", &json!({ "grants_per_key": 1_000 }));
    let ids = client.control("POST", "grants?count=999", &many).json();
    assert_eq!(ids["ids"].as_array().unwrap().len(), 999);
    let one = json!({ "KeyId": story.key_arn, "GrantId": ids["ids"][700] });
    let page = client.kms(&grantd, "ListGrants", &one).json();
    assert_eq!(page["Grants"][0]["Name"], json!("n-700"));
    let full = client.kms(&grantd, "CreateGrant", &many);
    assert_eq!((full.status, full.code().as_str()), (400, "LimitExceededException"));

    let alien = json!({ "KeyId": "x", "GranteePrincipal": "y", "Operations": ["Decrypt"] });
    let refused = client.control("POST", "grants", &alien);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("does not exist"), "{}", refused.body);
    assert_eq!(client.control("POST", "grants?count=150001", &many).status, 400);
}

#[test]
fn states_that_no_call_reaches() {
    let (server, mut story) = world();
    let sealed = json!({ "CiphertextBlob": story.encrypt("x", T0) });
    let (a, mut client) = (Signer::of(&story.role_a), Client::to(&server));
    let state = |state: &str| json!({ "arn": story.key_arn, "state": state });
    assert_eq!(client.control("POST", "keys/state", &state("Unavailable")).status, 200);
    let answer = client.kms(&a, "Decrypt", &sealed);
    assert_eq!((answer.status, answer.code().as_str()), (500, "KeyUnavailableException"));
    assert_eq!(client.control("POST", "keys/state", &state("PendingImport")).status, 200);
    let answer = client.kms(&a, "Decrypt", &sealed);
    assert_eq!((answer.status, answer.code().as_str()), (400, "KMSInvalidStateException"));
    assert_eq!(client.control("POST", "keys/state", &state("Enabled")).status, 200);
    assert_eq!(client.kms(&a, "Decrypt", &sealed).status, 200);
    assert_eq!(client.control("POST", "keys/state", &state("Asleep")).status, 400);
    let unknown = json!({ "arn": "arn:aws:kms:x", "state": "Enabled" });
    assert_eq!(client.control("POST", "keys/state", &unknown).status, 404);
    assert_eq!(client.control("POST", "keys/state", &json!({})).status, 400);
}

#[test]
fn endpoints_and_new_roles() {
    let (server, story) = world();
    let (grantd, mut client) = (Signer::of(&story.grantd), Client::to(&server));
    let role = "arn:aws:iam::111122223333:role/Fresh";
    client.control("POST", "principals", &json!({ "arn": role }));
    let body = json!({
        "KeyId": story.key_arn, "GranteePrincipal": role, "Operations": ["Decrypt"],
    });
    client.control("POST", "settings", &json!({ "new_principals": { "unknown_ms": 1 } }));
    assert_eq!(client.kms(&grantd, "CreateGrant", &body).code(), "InvalidArnException");
    let settings = json!({
        "new_principals": { "unknown_ms": 0 }, "endpoint_lags_ms": [0, 60_000],
        "answering_endpoint": 0,
    });
    client.control("POST", "settings", &settings);
    assert_eq!(client.kms(&grantd, "CreateGrant", &body).status, 200);
    let ask = json!({ "KeyId": story.key_arn });
    let mut grants = |endpoint: usize| {
        client.control("POST", "settings", &json!({ "answering_endpoint": endpoint }));
        client.kms(&grantd, "ListGrants", &ask).json()["Grants"].clone()
    };
    let shown = grants(0)[0]["GranteePrincipal"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("AROA"), "{shown}");
    assert_eq!(grants(1), json!([]));
}

/// Codes that the service model does not have, with any status.
#[test]
fn errors_that_no_model_knows() {
    let (server, story) = world();
    let (grantd, mut client) = (Signer::of(&story.grantd), Client::to(&server));
    for (code, status) in [("SomethingNewException", 400), ("DependencyTimeoutException", 500)] {
        let error = json!({ "code": code, "message": "as the test wants", "status": status });
        let rule = json!({ "when": "before", "act": { "error": error }, "times": 1 });
        client.control("POST", "faults", &rule);
        let answer = client.kms(&grantd, "ListKeys", &json!({}));
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    assert_eq!(client.kms(&grantd, "ListKeys", &json!({})).status, 200);
}
