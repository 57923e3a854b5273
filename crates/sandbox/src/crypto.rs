//! Encrypt, Decrypt and GenerateDataKey: AES-256-GCM for real, with the encryption context as
//! associated data. This is where a grant shows its worth.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authorise::Brings;
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::create::{disabled, invalid_state};
use crate::model::{Key, KeyState};
use crate::op::Op;
use crate::params::{GRANT_TOKEN, KEY_ID, Params, Text};
use crate::principals::Caller;

/// Bytes of plaintext that Encrypt takes with a symmetric key (the model).
const MAX_PLAINTEXT: usize = 4_096;
/// Bytes of ciphertext that Decrypt takes (the model).
const MAX_CIPHERTEXT: usize = 6_144;
/// Bytes of a data key (the model).
const MAX_DATA_KEY: i64 = 1_024;
/// The first byte of our ciphertexts: the format's version.
const VERSION: u8 = 1;
const NONCE: usize = 12;

/// What the three operations have in common.
struct Ask<'a> {
    key_id: Option<&'a str>,
    context: BTreeMap<String, String>,
    tokens: Vec<&'a str>,
    dry_run: bool,
}

impl<'a> Ask<'a> {
    fn read(p: &mut Params<'a>, key_needed: bool) -> Result<Self, KmsError> {
        let key_id =
            if key_needed { Some(p.needed("KeyId", KEY_ID)?) } else { p.text("KeyId", KEY_ID)? };
        let algorithm = p.text("EncryptionAlgorithm", Text::length(0, 64))?;
        if let Some(other) = algorithm.filter(|a| *a != "SYMMETRIC_DEFAULT") {
            p.problem(
                "encryptionAlgorithm",
                other,
                "Member must satisfy enum value set: [SYMMETRIC_DEFAULT]",
            );
        }
        Ok(Self {
            key_id,
            context: p.map("EncryptionContext")?.unwrap_or_default(),
            tokens: p.list("GrantTokens", 10, GRANT_TOKEN)?.unwrap_or_default(),
            dry_run: p.flag("DryRun")?,
        })
    }
}

impl Core {
    pub(crate) fn encrypt(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let ask = Ask::read(&mut p, true)?;
        let plaintext = p.blob("Plaintext", MAX_PLAINTEXT)?;
        if plaintext.is_none() {
            p.missing("Plaintext");
        }
        p.finish()?;
        let arn = self.admit(caller, Op::Encrypt, &ask, ask.key_id.unwrap_or_default(), now)?;
        let blob = self.seal(&arn, &ask.context, &plaintext.unwrap_or_default())?;
        Ok(json!({
            "CiphertextBlob": STANDARD.encode(blob),
            "KeyId": arn,
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    pub(crate) fn generate_data_key(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
        plaintext: bool,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let ask = Ask::read(&mut p, true)?;
        let spec = p.text("KeySpec", Text::length(0, 64))?;
        let bytes = p.number("NumberOfBytes", 1, MAX_DATA_KEY)?;
        let length = match (spec, bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(n)) => usize::try_from(n).unwrap_or(32),
            (Some(other), None) => {
                p.problem(
                    "keySpec",
                    other,
                    "Member must satisfy enum value set: [AES_128, AES_256]",
                );
                32
            }
            (None, None) | (Some(_), Some(_)) => {
                p.finish()?;
                return Err(KmsError::validation(
                    "Please specify either number of bytes or key spec.",
                ));
            }
        };
        p.finish()?;
        let op = if plaintext { Op::GenerateDataKey } else { Op::GenerateDataKeyWithoutPlaintext };
        let arn = self.admit(caller, op, &ask, ask.key_id.unwrap_or_default(), now)?;
        let data_key = self.rng.many(length);
        let blob = self.seal(&arn, &ask.context, &data_key)?;
        let mut answer = json!({ "CiphertextBlob": STANDARD.encode(blob), "KeyId": arn });
        if plaintext {
            answer["Plaintext"] = json!(STANDARD.encode(data_key));
        }
        Ok(answer)
    }

    pub(crate) fn decrypt(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let ask = Ask::read(&mut p, false)?;
        let blob = p.blob("CiphertextBlob", MAX_CIPHERTEXT)?;
        if blob.is_none() {
            p.missing("CiphertextBlob");
        }
        p.finish()?;
        let blob = blob.unwrap_or_default();
        let (arn, nonce, sealed) = unwrap(&blob).ok_or_else(invalid_ciphertext)?;
        if let Some(named) = ask.key_id
            && self.find_key(caller, named, true)?.arn != arn
        {
            let text = "The key ID in the request does not identify a CMK that can perform this \
                        operation.";
            return Err(KmsError::refusal("IncorrectKeyException", text));
        }
        let arn = self.admit(caller, Op::Decrypt, &ask, arn, now)?;
        let payload = Payload { msg: sealed, aad: &associated(&ask.context) };
        let plaintext = cipher(self.key(&arn)?)?
            .decrypt(&Nonce::from(nonce), payload)
            .map_err(|_| invalid_ciphertext())?;
        Ok(json!({
            "Plaintext": STANDARD.encode(plaintext),
            "KeyId": arn,
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    /// Whether the caller may use the key now: permission first, then the key's state.
    fn admit(
        &mut self,
        caller: &Caller,
        op: Op,
        ask: &Ask<'_>,
        key_id: &str,
        now: i64,
    ) -> Result<String, KmsError> {
        let arn = self.enter(caller, key_id, true)?;
        let key = self.key(&arn)?;
        let brings = Brings { context: Some(&ask.context), tokens: &ask.tokens };
        self.authorise(caller, key, op, &brings, now)?;
        match key.state {
            KeyState::Enabled | KeyState::Updating => {}
            KeyState::Disabled => return Err(disabled(&arn)),
            KeyState::Unavailable => {
                return Err(KmsError::failure(
                    "KeyUnavailableException",
                    format!("{arn} is unavailable."),
                ));
            }
            KeyState::PendingDeletion => return Err(invalid_state(&arn, "is pending deletion")),
            KeyState::PendingImport => return Err(invalid_state(&arn, "is pending import")),
            KeyState::Creating => return Err(invalid_state(&arn, "is being created")),
        }
        if !key.spec.is_symmetric() {
            let text = format!("The sandbox has no cryptography for KeySpec {}", key.spec.spec);
            return Err(KmsError::refusal("UnsupportedOperationException", text));
        }
        if ask.dry_run {
            return Err(KmsError::dry_run());
        }
        Ok(arn)
    }

    fn seal(
        &mut self,
        arn: &str,
        context: &BTreeMap<String, String>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let nonce: [u8; NONCE] = self.rng.bytes();
        let payload = Payload { msg: plaintext, aad: &associated(context) };
        let sealed = cipher(self.key(arn)?)?
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| KmsError::internal())?;
        let length = u8::try_from(arn.len()).map_err(|_| KmsError::internal())?;
        Ok([&[VERSION, length], arn.as_bytes(), &nonce, &sealed].concat())
    }
}

/// Key ARN, nonce and sealed bytes of a ciphertext of ours.
fn unwrap(blob: &[u8]) -> Option<(&str, [u8; NONCE], &[u8])> {
    let [VERSION, length, rest @ ..] = blob else {
        return None;
    };
    let (arn, rest) = rest.split_at_checked(usize::from(*length))?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
    Some((std::str::from_utf8(arn).ok()?, *nonce, sealed))
}

fn cipher(key: &Key) -> Result<Aes256Gcm, KmsError> {
    Aes256Gcm::new_from_slice(&key.material).map_err(|_| KmsError::internal())
}

/// The context in one form only: sorted, each part with its length before it.
fn associated(context: &BTreeMap<String, String>) -> Vec<u8> {
    let part = |text: &str| [&text.len().to_be_bytes(), text.as_bytes()].concat();
    context.iter().flat_map(|(k, v)| [part(k), part(v)].concat()).collect()
}

fn invalid_ciphertext() -> KmsError {
    KmsError::refusal(
        "InvalidCiphertextException",
        "The ciphertext is not valid for this key and context.",
    )
}

#[cfg(test)]
mod tests;
