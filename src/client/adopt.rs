//! Grants of others: taken up, resumed, searched for.

use super::{Call, Client};
use crate::fault::Fault;
use crate::wire::{
    AcceptAlias, AdoptGrant, AdoptionHold, LeaseExtended, MovedAlias, Page, Resume, Search,
    Searching,
};

impl Client {
    /// Put a grant of somebody else under a deadline.
    ///
    /// # Errors
    /// The daemon's, or of the way to it. One that names a lease tells what the grant is now.
    pub async fn adopt(&self, request: &AdoptGrant) -> Result<LeaseExtended, Fault> {
        self.call(Call::post("/v1/adoptions", request)?).await
    }

    /// Let go on what is held: what was.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn resume(&self, request: &Resume) -> Result<Page<AdoptionHold>, Fault> {
        self.call(Call::post("/v1/resume", request)?).await
    }

    /// Let an alias point where it points: what had moved.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn accept_alias(&self, request: &AcceptAlias) -> Result<Page<MovedAlias>, Fault> {
        self.call(Call::post("/v1/aliases/accept", request)?).await
    }

    /// Have the keys searched now.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn search(&self) -> Result<Searching, Fault> {
        self.call(Call::post("/v1/searches", &Search {})?).await
    }
}
