//! The signs by which a grant that an AWS service lives on is told (kms-facts 6). No field says so;
//! each sign alone is missed by some service, so every one counts by itself.

use super::Kind;
use crate::kms::Listed;
use crate::terms::Constraints;

/// What stands in place of a principal that KMS does not show.
const INTERNAL: &str = "AWS Internal";
/// Context keys that services use without the prefix `aws:` (AppFabric).
const SERVICE_KEYS: [&str; 1] = ["appbundlearn"];
/// The one context key with `aws:` that people's own programs use: S3 asks with it for whoever
/// reads or writes an object (kms-facts 10).
const S3_KEY: &str = "aws:s3:arn";

/// Every sign, the strongest kind first.
pub(super) fn signs(listed: &Listed, aws_managed: bool) -> Vec<(Kind, String)> {
    let mut all = Vec::new();
    if aws_managed {
        all.push((Kind::AwsManagedKey, "its key is managed by AWS".to_owned()));
    }
    let Listed { grantee, retiring_principal, issuing_account, .. } = listed;
    for (role, who) in [
        ("its grantee", grantee),
        ("its retiring principal", retiring_principal),
        ("its issuer", issuing_account),
    ] {
        all.extend(of_principal(who).map(|(kind, what)| (kind, format!("{role} is {what}"))));
    }
    if !grantee.is_empty() && grantee == retiring_principal && grantee.contains(":assumed-role/") {
        let text = "its grantee is a session that retires it itself, as Lambda makes its grants";
        all.push((Kind::ServiceMade, text.to_owned()));
    }
    if let Some(source) = &listed.source_arn {
        let text = format!("it is bound to the source {source}, which only services do");
        all.push((Kind::ServiceMade, text));
    }
    let keys = context_keys(&listed.constraints).filter(|key| is_service_key(key));
    all.extend(keys.map(|key| {
        (Kind::ServiceMade, format!("its encryption context has {key:?}, a service's key"))
    }));
    all.sort_by_key(|(kind, _)| *kind);
    all
}

/// Whether people may have asked for this sign in a lease of ours: a service-linked role can be a
/// policy's grantee (Auto Scaling is given its keys by administrators), and a context key is what
/// the asker says. Neither shows who made the grant.
pub(super) fn may_be_asked_for(listed: &Listed, aws_managed: bool) -> bool {
    let bare = Listed { constraints: Constraints::None, ..listed.clone() };
    signs(&bare, aws_managed).iter().all(|(kind, _)| *kind == Kind::ServiceLinked)
        && linked(&listed.retiring_principal).is_none()
}

fn of_principal(who: &str) -> Option<(Kind, String)> {
    if who.eq_ignore_ascii_case(INTERNAL) {
        return Some((Kind::Internal, format!("{INTERNAL:?}")));
    }
    if is_service(who) && !super::is_ghost(who) {
        return Some((Kind::ServiceMade, format!("the AWS service {who}")));
    }
    if who.contains(":assumed-role/aws:") || who.contains(":role/aws:") {
        return Some((Kind::ServiceMade, format!("{who}, a role inside AWS")));
    }
    linked(who).map(|what| (Kind::ServiceLinked, what))
}

/// A host name where an ARN is expected: `ec2.us-east-1.amazonaws.com`, `mq.amazonaws.com`, and
/// those of other partitions, whose domains differ.
fn is_service(who: &str) -> bool {
    !who.starts_with("arn:") && who.contains('.')
}

/// A role that is linked to a service. Its path tells; the name alone is enough too, since sessions
/// lack the path, and so does an example of AWS's own.
fn linked(who: &str) -> Option<String> {
    let name = |mark: &str| {
        let rest = who.split_once(mark).map(|(_, rest)| rest)?;
        Some(rest.starts_with("AWSServiceRoleFor") || rest.contains("/AWSServiceRoleFor"))
    };
    let by_name = name(":role/").or_else(|| name(":assumed-role/")).unwrap_or_default();
    let by_path = who.contains(":role/aws-service-role/");
    (by_path || by_name).then(|| format!("{who}, a role that is linked to an AWS service"))
}

fn context_keys(constraints: &Constraints) -> impl Iterator<Item = &str> {
    let pairs = match constraints {
        Constraints::None => None,
        Constraints::Subset(pairs) | Constraints::Equals(pairs) => Some(pairs),
    };
    pairs.into_iter().flatten().map(|(key, _)| key.as_str())
}

fn is_service_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    (lower.starts_with("aws:") && key != S3_KEY) || SERVICE_KEYS.contains(&lower.as_str())
}
