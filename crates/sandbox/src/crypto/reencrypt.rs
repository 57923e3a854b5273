//! ReEncrypt: two permissions, `kms:ReEncryptFrom` for the key that opens and `kms:ReEncryptTo` for
//! the key that seals, each with an encryption context of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{MAX_CIPHERTEXT, read_algorithm};
use crate::authorise::Brings;
use crate::core::Core;
use crate::error::KmsError;
use crate::params::{GRANT_TOKEN, KEY_ID, Params};
use crate::principals::Caller;

impl Core {
    pub(crate) fn re_encrypt(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let blob = p.blob("CiphertextBlob", MAX_CIPHERTEXT)?;
        if blob.is_none() {
            p.missing("CiphertextBlob");
        }
        let from = p.text("SourceKeyId", KEY_ID)?;
        let to = p.needed("DestinationKeyId", KEY_ID)?;
        read_algorithm(&mut p, "SourceEncryptionAlgorithm")?;
        read_algorithm(&mut p, "DestinationEncryptionAlgorithm")?;
        let opens = p.map("SourceEncryptionContext")?.unwrap_or_default();
        let seals = p.map("DestinationEncryptionContext")?.unwrap_or_default();
        let tokens = p.list("GrantTokens", 10, GRANT_TOKEN)?.unwrap_or_default();
        let dry_run = p.flag("DryRun")?;
        p.finish()?;

        let blob = blob.unwrap_or_default();
        let sealed = self.unwrap(caller, &blob, from)?;
        let brings = Brings { context: Some(&opens), tokens: &tokens, ..Brings::default() };
        let from = self.usable_key(caller, "kms:ReEncryptFrom", &brings, sealed.arn, now)?;
        let brings = Brings { context: Some(&seals), ..brings };
        let to = self.usable_key(caller, "kms:ReEncryptTo", &brings, to, now)?;
        if dry_run {
            return Err(KmsError::dry_run());
        }
        let plaintext = self.open(&sealed, &opens)?;
        let blob = self.seal(&to, &seals, &plaintext)?;
        Ok(json!({
            "CiphertextBlob": STANDARD.encode(blob),
            "SourceKeyId": from,
            "KeyId": to,
            "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }
}
