//! The two operations of STS that a client of KMS needs.

use serde_json::{Value, json};

use crate::arn;
use crate::core::Core;
use crate::error::KmsError;
use crate::op::Op;
use crate::params::{Params, Text};
use crate::principals::{Caller, CallerKind, Credential};
use crate::time;

/// Seconds a session lives: 900 to 43,200, one hour where nothing is said (the model).
const DURATION_S: (i64, i64, i64) = (900, 43_200, 3_600);
/// A session made by a session (a chained role) lives one hour at most.
const CHAINED_S: i64 = 3_600;
const SESSION_NAME: Text =
    Text { min: 2, max: 64, pattern: Some((r"[\w+=,.@-]*", is_session_name)) };
const EXTERNAL_ID: Text = Text::length(2, 1_224);

impl Core {
    pub(crate) fn get_caller_identity(caller: &Caller) -> Value {
        json!({ "UserId": caller.user_id(), "Account": caller.account, "Arn": caller.arn })
    }

    pub(crate) fn assume_role(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let (least, most, usual) = DURATION_S;
        let mut p = Params::of(body)?;
        let role_arn = p.needed("RoleArn", Text::length(20, 2_048))?;
        let session = p.needed("RoleSessionName", SESSION_NAME)?.to_owned();
        let seconds = p.number("DurationSeconds", least, most)?.unwrap_or(usual);
        let external_id = p.text("ExternalId", EXTERNAL_ID)?;
        p.finish().map_err(|e| KmsError { code: "ValidationError".to_owned(), ..e })?;
        if !self.may_assume(caller, role_arn, external_id) {
            let action = Op::AssumeRole.action();
            let who = caller.arn();
            let text = format!(
                "User: {who} is not authorized to perform: {action} on resource: {role_arn}"
            );
            return Err(KmsError::forbidden("AccessDenied", text));
        }
        let chained = matches!(caller.kind, CallerKind::Session { .. });
        if chained && seconds > CHAINED_S {
            let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles \
                        assumed by role chaining";
            return Err(KmsError::refusal("ValidationError", text));
        }
        let seconds = self.settings.session_seconds.map_or(seconds, i64::from);
        let (name, account) =
            (role_arn.rsplit('/').next().unwrap_or_default(), account_of(role_arn));
        let session_arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        let id = self.directory.known.get(role_arn).map(|role| role.id.clone()).unwrap_or_default();
        let kind = CallerKind::Session { role: role_arn.to_owned(), id, session };
        let assumed = Caller { account: account.to_owned(), arn: session_arn.clone(), kind };
        let user_id = assumed.user_id();
        let (key_id, credential) = self.new_session(assumed, now + seconds * 1_000, now);
        let token = credential.token.clone().unwrap_or_default();
        let answer = json!({
            "Credentials": {
                "AccessKeyId": key_id,
                "SecretAccessKey": credential.secret,
                "SessionToken": token,
                "Expiration": time::iso(now + seconds * 1_000),
            },
            "AssumedRoleUser": { "AssumedRoleId": user_id, "Arn": session_arn },
            "PackedPolicySize": 0,
        });
        self.directory.credentials.insert(key_id, credential);
        Ok(answer)
    }

    /// Keys of sessions that are over leave with the next one that is made.
    fn new_session(&mut self, caller: Caller, expires_at: i64, now: i64) -> (String, Credential) {
        /// How long an expired key is still known, so that its holder reads "expired" and not
        /// "unknown".
        const REMEMBERED_MS: i64 = 86_400_000;
        let recent = |c: &Credential| c.expires_at.is_none_or(|at| now < at + REMEMBERED_MS);
        self.directory.credentials.retain(|_, credential| recent(credential));
        use base64::Engine as _;
        let encode = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
        let key_id = self.rng.unique_id("ASIA");
        let secret = encode(self.rng.many(30));
        let token = Some(encode(self.rng.many(96)));
        (key_id, Credential { secret, token, caller, expires_at: Some(expires_at) })
    }

    fn may_assume(&self, caller: &Caller, role_arn: &str, external_id: Option<&str>) -> bool {
        let Some(role) = self.directory.known.get(role_arn) else {
            return false;
        };
        let root = arn::root_arn(&caller.account);
        let action = Op::AssumeRole.action();
        let named = role.trust.iter().any(|t| t == caller.principal() || t == caller.arn());
        let delegated = role.trust.contains(&root) && self.directory.iam_allows(caller, action);
        let same_account = account_of(role_arn) == caller.account;
        let own_side = same_account || self.directory.iam_allows(caller, action);
        let known_stranger =
            role.external_id.is_none() || role.external_id.as_deref() == external_id;
        let refused = caller.kind.is_root() || self.directory.iam_denies(caller, action);
        known_stranger && !refused && ((named && own_side) || delegated)
    }
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

fn is_session_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

#[cfg(test)]
mod tests;
