//! Grant tokens: opaque, of varying length, another one at each answer, all of one grant
//! interchangeable. A token carries its grant's id and a keyed check, so none has to be remembered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::core::Core;
use crate::error::KmsError;
use crate::model::Grant;

const CHECK: usize = 16;
const ID: usize = 64;

impl Core {
    pub(crate) fn mint_token(&mut self, grant_id: &str) -> String {
        let padding = usize::try_from(self.rng.between(16, 48)).unwrap_or(16);
        let mut body = grant_id.as_bytes().to_vec();
        body.extend(self.rng.many(padding));
        let mut whole = self.token_check(&body);
        whole.extend(body);
        STANDARD.encode(whole)
    }

    /// The grant id in a token of ours.
    pub(crate) fn read_token(&self, token: &str) -> Result<String, KmsError> {
        let whole = STANDARD.decode(token).map_err(|_| KmsError::invalid_grant_token())?;
        let (check, body) =
            whole.split_at_checked(CHECK).ok_or_else(KmsError::invalid_grant_token)?;
        if self.token_check(body) != check {
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
    ///
    /// A token overrides the lag of the creation, and outlives its grant as long as some view shows
    /// it (kms-facts 4).
    pub(crate) fn tokens_to_grants(
        &self,
        tokens: &[&str],
        now: i64,
    ) -> Result<Vec<String>, KmsError> {
        let choice = &self.settings.unconfirmed;
        let usable = |grant: &Grant| match grant.ended {
            None => true,
            Some(_) => choice.token_outlives_its_grant && grant.lingers(self.view(now)),
        };
        let mut grants = Vec::new();
        for token in tokens {
            let id = self.read_token(token)?;
            if self.present_grant(&id).is_some_and(usable) {
                grants.push(id);
            } else if choice.spent_token_is_invalid {
                return Err(KmsError::invalid_grant_token());
            }
        }
        Ok(grants)
    }

    /// Keyed, so that nobody makes a token by accident; not a MAC against attackers.
    fn token_check(&self, body: &[u8]) -> Vec<u8> {
        let hash = Sha256::new().chain_update(self.token_secret).chain_update(body).finalize();
        hash[..CHECK].to_vec()
    }
}
