//! Requests and answers as the sandbox's core has them, and as the port does.

use grantd::ids::GrantId;
use grantd::kms::members::unknown_members;
use grantd::kms::{Answer, Listed};
use grantd::rules::life::Outcome;
use grantd::rules::time::Time;
use grantd::terms::{Constraints, GrantRequest};
use serde_json::{Value, json};

pub(crate) fn read<T>(answer: Answer<Value>, take: impl FnOnce(Value) -> T) -> Answer<T> {
    let outcome = match answer.outcome {
        Outcome::Done(value) => Outcome::Done(take(value)),
        Outcome::Refused(class) => Outcome::Refused(class),
        Outcome::Unknown => Outcome::Unknown,
    };
    Answer { outcome, date: answer.date, detail: answer.detail, request_id: None }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn create_body(request: &GrantRequest) -> Value {
    let operations: Vec<&str> = request.operations.iter().map(|op| op.as_str()).collect();
    let mut body = json!({
        "KeyId": request.key_arn, "GranteePrincipal": request.grantee, "Operations": operations,
        "RetiringPrincipal": request.retiring_principal, "Name": request.name,
    });
    match &request.constraints {
        Constraints::None => {}
        Constraints::Subset(pairs) => {
            body["Constraints"] = json!({ "EncryptionContextSubset": pairs });
        }
        Constraints::Equals(pairs) => {
            body["Constraints"] = json!({ "EncryptionContextEquals": pairs });
        }
    }
    body
}

pub(crate) fn listed(entry: &Value) -> Listed {
    let pairs = |name: &str| serde_json::from_value(entry["Constraints"][name].clone()).ok();
    let subset = pairs("EncryptionContextSubset").map(Constraints::Subset);
    let equals = pairs("EncryptionContextEquals").map(Constraints::Equals);
    let operations = entry["Operations"].as_array().into_iter().flatten();
    #[expect(clippy::cast_possible_truncation, reason = "epoch seconds with three decimals")]
    let created = entry["CreationDate"].as_f64().map(|at| Time((at * 1000.0).round() as i64));
    Listed {
        key_arn: text(&entry["KeyId"]),
        id: GrantId::parse(text(&entry["GrantId"])).unwrap(),
        name: text(&entry["Name"]),
        created,
        grantee: text(&entry["GranteePrincipal"]),
        retiring_principal: text(&entry["RetiringPrincipal"]),
        issuing_account: text(&entry["IssuingAccount"]),
        operations: operations.map(text).collect(),
        constraints: subset.or(equals).unwrap_or_default(),
        source_arn: None,
        unknown: unknown_members(entry.as_object().unwrap()),
    }
}

/// No answer.
pub(crate) fn lost() -> Answer<Value> {
    Answer { outcome: Outcome::Unknown, date: None, detail: None, request_id: None }
}

/// Nothing was sent, for want of credentials.
pub(crate) fn unsent() -> Answer<Value> {
    use grantd::kms::classify::{Trouble, outcome};
    let detail = Some("STS does not answer".to_owned());
    Answer { outcome: outcome(Trouble::Unfetched), date: None, detail, request_id: None }
}
