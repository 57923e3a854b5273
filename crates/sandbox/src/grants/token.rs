//! Grant tokens: opaque, of varying length, another one at each answer, all of one grant
//! interchangeable. A token carries its grant's id under a MAC, so none has to be remembered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::core::Core;
use crate::error::KmsError;
use crate::model::Grant;

const MAC: usize = 16;
const ID: usize = 64;

impl Core {
    pub(crate) fn mint_token(&mut self, grant_id: &str) -> String {
        let padding = usize::try_from(self.rng.between(16, 48)).unwrap_or(16);
        let mut body = grant_id.as_bytes().to_vec();
        body.extend(self.rng.many(padding));
        let mut whole = self.token_mac(&body);
        whole.extend(body);
        STANDARD.encode(whole)
    }

    /// The grant id in a token of ours.
    pub(crate) fn read_token(&self, token: &str) -> Result<String, KmsError> {
        let whole = STANDARD.decode(token).map_err(|_| KmsError::invalid_grant_token())?;
        let (mac, body) = whole.split_at_checked(MAC).ok_or_else(KmsError::invalid_grant_token)?;
        if self.token_mac(body) != mac {
            return Err(KmsError::invalid_grant_token());
        }
        let id = body.get(..ID).and_then(|id| std::str::from_utf8(id).ok());
        id.map(str::to_owned).ok_or_else(KmsError::invalid_grant_token)
    }

    /// The living or fading grant with this id, wherever it is.
    pub(crate) fn present_grant(&self, id: &str) -> Option<&Grant> {
        self.keys.get(self.homes.get(id)?)?.grants.by_id.get(id)
    }

    /// The grants that the tokens of a request stand for; one bad token spoils the request.
    pub(crate) fn tokens_to_grants(
        &self,
        tokens: &[&str],
        now: i64,
    ) -> Result<Vec<String>, KmsError> {
        let usable =
            |id: &String| self.present_grant(id).is_some_and(|grant| grant.usable_by_token(now));
        let read = |token: &&str| match self.read_token(token) {
            Ok(id) if usable(&id) => Ok(id),
            Ok(_) => Err(KmsError::invalid_grant_token()),
            Err(error) => Err(error),
        };
        tokens.iter().map(read).collect()
    }

    fn token_mac(&self, body: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length, so this cannot fail; no token is valid if it did.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.token_secret) else {
            return Vec::new();
        };
        mac.update(body);
        mac.finalize().into_bytes()[..MAC].to_vec()
    }
}
