//! The signs by which a grant that an AWS service lives on is told (kms-facts 6). No field says so;
//! each sign alone is missed by some service, so every one counts by itself.

use super::Kind;
use crate::kms::Listed;
use crate::terms::{Constraints, Operation};

/// What stands in place of a principal that KMS does not show.
const INTERNAL: &str = "AWS Internal";
/// Context keys that begin so are AWS's own: `aws-crypto-public-key` is what AWS's encryption
/// library puts there for its own use.
const RESERVED: [&str; 2] = ["aws:", "aws-crypto-"];
/// Context keys that services use without such a beginning (AppFabric).
const SERVICE_KEYS: [&str; 1] = ["appbundlearn"];
/// The one context key with `aws:` that people's own programs use: S3 asks with it for whoever
/// reads or writes an object (kms-facts 10). In other letters it is nothing that S3 asks with.
const S3_KEY: &str = "aws:s3:arn";
/// So many members and operations that are not understood are told of one grant, and so many
/// characters of each: KMS's names are shorter, and a server's answer must not fill the log.
const TOLD: usize = 4;
const NAME_MAX: usize = 64;

/// One sign.
pub(super) struct Sign {
    /// What it makes of the grant.
    pub(super) kind: Kind,
    /// In words.
    pub(super) why: String,
    /// Whether a lease of ours may have it, so that it does not show who made the grant: a
    /// service-linked role can be a policy's grantee (Auto Scaling is given its keys by
    /// administrators), a context key is what the asker says, and what this version does not know
    /// a later one may ask for, or a later KMS may show of every grant.
    pub(super) by_asker: bool,
}

/// Every sign, the strongest kind first.
pub(super) fn signs(listed: &Listed, aws_managed: bool) -> Vec<Sign> {
    let mut all = Vec::new();
    if aws_managed {
        all.push(Sign::of(Kind::AwsManagedKey, "its key is managed by AWS"));
    }
    let Listed { grantee, retiring_principal, issuing_account, .. } = listed;
    let of_grantee = of_principal("its grantee", grantee);
    all.extend(of_grantee.map(|sign| Sign { by_asker: sign.kind == Kind::ServiceLinked, ..sign }));
    all.extend(of_principal("its retiring principal", retiring_principal));
    all.extend(of_principal("its issuer", issuing_account));
    if !grantee.is_empty() && grantee == retiring_principal && grantee.contains(":assumed-role/") {
        let text = "its grantee is a session that retires it itself, as Lambda makes its grants";
        all.push(Sign::of(Kind::ServiceMade, text));
    }
    if let Some(source) = &listed.source_arn {
        let text = format!("it is bound to the source {source}, which only services do");
        all.push(Sign::of(Kind::ServiceMade, text));
    }
    let keys = context_keys(&listed.constraints).filter(|key| is_service_key(key));
    all.extend(keys.map(|key| {
        let why = format!("its encryption context has {key:?}, a service's key");
        Sign { by_asker: true, ..Sign::of(Kind::ServiceMade, why) }
    }));
    all.extend(
        not_understood(listed).map(|why| Sign { by_asker: true, ..Sign::of(Kind::Unknown, why) }),
    );
    all.sort_by_key(|sign| sign.kind);
    all
}

/// What KMS shows of the grant, and this version does not know.
fn not_understood(listed: &Listed) -> impl Iterator<Item = String> {
    let unknown = |name: &&String| name.parse::<Operation>().is_err();
    let operations = listed.operations.iter().filter(unknown);
    let members = listed.unknown.iter().map(|path| ("has", "member", path));
    let all = operations.map(|name| ("gives", "operation", name)).chain(members);
    all.take(TOLD).map(|(does, what, name)| {
        let name: String = name.chars().take(NAME_MAX).collect();
        format!("it {does} an unknown {what}, {name:?}")
    })
}

impl Sign {
    fn of(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), by_asker: false }
    }
}

/// What `who`, who is `part` of the grant, tells of it.
fn of_principal(part: &str, who: &str) -> Option<Sign> {
    let sign = |kind, what: String| Some(Sign::of(kind, format!("{part} is {what}")));
    if who.eq_ignore_ascii_case(INTERNAL) {
        return sign(Kind::Internal, format!("{INTERNAL:?}"));
    }
    if is_service(who) && !super::is_ghost(who) {
        return sign(Kind::ServiceMade, format!("the AWS service {who}"));
    }
    if who.contains(":assumed-role/aws:") || who.contains(":role/aws:") {
        return sign(Kind::ServiceMade, format!("{who}, a role inside AWS"));
    }
    if is_linked(who) {
        let what = format!("{who}, a role that is linked to an AWS service");
        return sign(Kind::ServiceLinked, what);
    }
    None
}

/// A host name where an ARN is expected: `ec2.us-east-1.amazonaws.com`, `mq.amazonaws.com`, and
/// those of other partitions, whose domains differ.
fn is_service(who: &str) -> bool {
    !who.starts_with("arn:") && who.contains('.')
}

/// A role that is linked to a service. Its path tells; the name alone is enough too, since sessions
/// lack the path, and so does an example of AWS's own.
fn is_linked(who: &str) -> bool {
    let named = |mark: &str| {
        let rest = who.split_once(mark).map(|(_, rest)| rest)?;
        Some(rest.starts_with("AWSServiceRoleFor") || rest.contains("/AWSServiceRoleFor"))
    };
    let by_name = named(":role/").or_else(|| named(":assumed-role/")).unwrap_or_default();
    by_name || who.contains(":role/aws-service-role/")
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
    let reserved = RESERVED.iter().any(|prefix| lower.starts_with(prefix));
    key != S3_KEY && (reserved || SERVICE_KEYS.contains(&lower.as_str()))
}
