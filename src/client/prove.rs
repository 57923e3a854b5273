//! Asking for a proof of the way out.

use super::{Call, Client};
use crate::fault::Fault;
use crate::wire::{Prove, Proven};

impl Client {
    /// Have grantd prove now that it can end grants on a key.
    ///
    /// # Errors
    /// The daemon's, or of the way to it: `NoWayOut` where it cannot.
    pub async fn prove(&self, key: &str) -> Result<Proven, Fault> {
        self.call(Call::post("/v1/proofs", &Prove { key: key.to_owned() })?).await
    }
}
