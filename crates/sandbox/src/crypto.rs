//! Encrypt, Decrypt, ReEncrypt and the data keys: AES-256-GCM, with the encryption context as
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
use crate::params::{GRANT_TOKEN, KEY_ID, Params};
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

mod reencrypt;

/// What most of the operations have in common.
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
        read_algorithm(p, "EncryptionAlgorithm")?;
        Ok(Self {
            key_id,
            context: p.map("EncryptionContext")?.unwrap_or_default(),
            tokens: p.list("GrantTokens", 10, GRANT_TOKEN)?.unwrap_or_default(),
            dry_run: p.flag("DryRun")?,
        })
    }
}

/// Only symmetric keys work here, and they have one algorithm.
fn read_algorithm(p: &mut Params<'_>, name: &str) -> Result<(), KmsError> {
    p.one_of(name, &["SYMMETRIC_DEFAULT"]).map(drop)
}

/// A ciphertext of ours: its key's ARN, its nonce, and what is sealed.
struct Sealed<'a> {
    arn: &'a str,
    nonce: [u8; NONCE],
    bytes: &'a [u8],
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
        let spec = p.one_of("KeySpec", &["AES_128", "AES_256"])?;
        let bytes = p.number("NumberOfBytes", 1, MAX_DATA_KEY)?;
        let length = match (spec, bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(n)) => usize::try_from(n).unwrap_or(32),
            (Some(_), None) => 0, // No such spec: `finish` says so.
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
        let sealed = self.unwrap(caller, &blob, ask.key_id)?;
        let arn = self.admit(caller, Op::Decrypt, &ask, sealed.arn, now)?;
        let plaintext = self.open(&sealed, &ask.context)?;
        Ok(json!({
            "Plaintext": STANDARD.encode(plaintext),
            "KeyId": arn,
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    /// Whether the caller may use the key now.
    fn admit(
        &mut self,
        caller: &Caller,
        op: Op,
        ask: &Ask<'_>,
        key_id: &str,
        now: i64,
    ) -> Result<String, KmsError> {
        let brings =
            Brings { context: Some(&ask.context), tokens: &ask.tokens, ..Brings::default() };
        let arn = self.usable_key(caller, op.action(), &brings, key_id, now)?;
        if ask.dry_run { Err(KmsError::dry_run()) } else { Ok(arn) }
    }

    /// The key for a use of it: permission first, then the key's state.
    fn usable_key(
        &mut self,
        caller: &Caller,
        action: &str,
        brings: &Brings<'_>,
        key_id: &str,
        now: i64,
    ) -> Result<String, KmsError> {
        let arn = self.enter(caller, key_id, true)?;
        let key = self.key(&arn)?;
        self.authorise(caller, key, action, brings, now)?;
        match key.state {
            KeyState::Enabled | KeyState::Updating => {}
            KeyState::Disabled => return Err(disabled(&arn)),
            KeyState::Unavailable => {
                return Err(KmsError::failure(
                    "KeyUnavailableException",
                    format!("{arn} is unavailable."),
                ));
            }
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
                return Err(invalid_state(&arn, "is pending deletion"));
            }
            KeyState::PendingImport => return Err(invalid_state(&arn, "is pending import")),
            KeyState::Creating => return Err(invalid_state(&arn, "is being created")),
        }
        if !key.spec.is_symmetric() {
            let text = format!("The sandbox has no cryptography for KeySpec {}", key.spec.spec);
            return Err(KmsError::refusal("UnsupportedOperationException", text));
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

    fn open(
        &self,
        sealed: &Sealed<'_>,
        context: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, KmsError> {
        let payload = Payload { msg: sealed.bytes, aad: &associated(context) };
        cipher(self.key(sealed.arn)?)?
            .decrypt(&Nonce::from(sealed.nonce), payload)
            .map_err(|_| invalid_ciphertext())
    }

    /// Takes a ciphertext apart; the key that the caller names, if any, must be its own.
    fn unwrap<'a>(
        &self,
        caller: &Caller,
        blob: &'a [u8],
        key_id: Option<&str>,
    ) -> Result<Sealed<'a>, KmsError> {
        let sealed = Sealed::read(blob).ok_or_else(invalid_ciphertext)?;
        if let Some(named) = key_id
            && self.find_key(caller, named, true)?.arn != sealed.arn
        {
            let text = "The key ID in the request does not identify a CMK that can perform this \
                        operation.";
            return Err(KmsError::refusal("IncorrectKeyException", text));
        }
        Ok(sealed)
    }
}

impl<'a> Sealed<'a> {
    fn read(blob: &'a [u8]) -> Option<Self> {
        let [VERSION, length, rest @ ..] = blob else {
            return None;
        };
        let (arn, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, bytes) = rest.split_first_chunk::<NONCE>()?;
        Some(Self { arn: std::str::from_utf8(arn).ok()?, nonce: *nonce, bytes })
    }
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
