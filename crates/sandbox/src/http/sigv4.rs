//! SigV4, verified for real: which access key signed, with which secret, when, for which service.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::http::request::Parts;
use sha2::{Digest as _, Sha256};

use crate::core::Core;
use crate::error::KmsError;
use crate::http::form;
use crate::principals::{Caller, Credential};
use crate::rng::hex;
use crate::time;

/// How far a signature's time may be from the server's (kms-facts 11).
const WINDOW_MS: i64 = 300_000;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Where STS was before it had Regions; some clients still sign for it.
const GLOBAL_STS_REGION: &str = "us-east-1";

/// The two services on our port; they word their refusals differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Kms,
    Sts,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Sts => "sts",
        }
    }

    /// KMS: HTTP 400 and one set of names; STS: HTTP 403 and another.
    fn refuse(self, kms: &str, sts: &str, message: impl Into<String>) -> KmsError {
        match self {
            Self::Kms => KmsError::refusal(kms, message),
            Self::Sts => KmsError::forbidden(sts, message),
        }
    }
}

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?;
        let fields: BTreeMap<&str, &str> =
            rest.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let scope: Vec<&str> = fields.get("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return None;
        };
        let signed_headers = fields.get("SignedHeaders")?;
        let signature = fields.get("Signature")?;
        Some(Self { access_key_id, date, region, service, signed_headers, signature })
    }
}

/// Who made this request.
///
/// # Errors
/// Missing, unknown, expired or wrong credentials, in the words of the service.
pub(crate) fn authenticate(
    core: &Core,
    service: Service,
    head: &Parts,
    body: &[u8],
    now: i64,
) -> Result<Caller, KmsError> {
    let header = text(&head.headers, AUTHORIZATION.as_str()).ok_or_else(|| {
        let (kms, sts) = ("MissingAuthenticationTokenException", "MissingAuthenticationToken");
        service.refuse(kms, sts, "Request is missing Authentication Token")
    })?;
    let incomplete = |what: &str| {
        service.refuse("IncompleteSignatureException", "IncompleteSignature", what.to_owned())
    };
    let claim = Claim::parse(&header)
        .ok_or_else(|| incomplete("Authorization header has not the form of AWS4-HMAC-SHA256"))?;
    let credential = core.credential(claim.access_key_id).ok_or_else(|| unknown(service))?;
    check_token(credential, service, &head.headers, now)?;
    let stamp =
        text(&head.headers, "x-amz-date").ok_or_else(|| incomplete("X-Amz-Date is missing"))?;
    check_scope(core, service, &claim, &stamp, now)?;
    let signed: Vec<&str> = claim.signed_headers.split(';').collect();
    if !signed.contains(&"host") {
        return Err(incomplete("'Host' must be a signed header"));
    }
    let canonical = canonical_request(head, &signed, body);
    let scope = format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{hash}");
    let mut key = mac(format!("AWS4{}", credential.secret).as_bytes(), claim.date);
    for part in [claim.region, claim.service, "aws4_request"] {
        key = mac(&key, part);
    }
    if hex(&mac(&key, &to_sign)) != claim.signature {
        let text = "The request signature we calculated does not match the signature you provided. \
                    Check your AWS Secret Access Key and signing method.";
        return Err(mismatch(service, text));
    }
    Ok(credential.caller.clone())
}

fn unknown(service: Service) -> KmsError {
    let text = "The security token included in the request is invalid.";
    service.refuse("UnrecognizedClientException", "InvalidClientTokenId", text)
}

fn mismatch(service: Service, text: impl Into<String>) -> KmsError {
    service.refuse("InvalidSignatureException", "SignatureDoesNotMatch", text)
}

fn check_token(
    credential: &Credential,
    service: Service,
    headers: &HeaderMap,
    now: i64,
) -> Result<(), KmsError> {
    if text(headers, "x-amz-security-token") != credential.token {
        return Err(unknown(service));
    }
    if credential.expires_at.is_some_and(|at| at <= now) {
        let text = "The security token included in the request is expired";
        return Err(service.refuse("ExpiredTokenException", "ExpiredToken", text));
    }
    Ok(())
}

fn check_scope(
    core: &Core,
    service: Service,
    claim: &Claim<'_>,
    stamp: &str,
    now: i64,
) -> Result<(), KmsError> {
    let at = time::parse_stamp(stamp)
        .ok_or_else(|| mismatch(service, "X-Amz-Date is not in ISO 8601 basic format"))?;
    let (sent, here) = (time::stamp(at), time::stamp(now));
    if at < now - WINDOW_MS {
        let limit = time::stamp(now - WINDOW_MS);
        let text =
            format!("Signature expired: {sent} is now earlier than {limit} ({here} - 5 min.)");
        return Err(mismatch(service, text));
    }
    if at > now + WINDOW_MS {
        let limit = time::stamp(now + WINDOW_MS);
        let text = format!(
            "Signature not yet current: {sent} is still later than {limit} ({here} + 5 min.)"
        );
        return Err(mismatch(service, text));
    }
    let region = &core.settings().region;
    let home =
        claim.region == region || (service == Service::Sts && claim.region == GLOBAL_STS_REGION);
    if !home || claim.service != service.name() || !stamp.starts_with(claim.date) {
        let name = service.name();
        let text = format!(
            "Credential should be scoped to the date, to {region} and to service '{name}'."
        );
        return Err(mismatch(service, text));
    }
    Ok(())
}

fn canonical_request(head: &Parts, signed: &[&str], body: &[u8]) -> String {
    let path = form::encode(head.uri.path(), "/");
    let mut query: Vec<String> = form::pairs(head.uri.query().unwrap_or_default())
        .map(|(k, v)| format!("{}={}", form::encode(&k, ""), form::encode(&v, "")))
        .collect();
    query.sort();
    let headers: String = signed
        .iter()
        .map(|name| format!("{name}:{}\n", text(&head.headers, name).unwrap_or_default()))
        .collect();
    let payload = hex(&Sha256::digest(body));
    let (method, query, signed) = (&head.method, query.join("&"), signed.join(";"));
    format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{payload}")
}

/// A header as SigV4 wants it: values joined by commas, inner white space single.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let squeeze = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let values: Vec<String> =
        headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).map(squeeze).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail; nothing verifies if it did.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
