//! What concerns many leases at once: ending them, and freezing.

use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;

use super::call::{Calls, NO_REVOKE, Silence};
use super::peer::Peer;
use super::reply::{self, Reply};
use crate::engine::Command;
use crate::fault::{Fault, Kind};
use crate::wire::LiftFreeze;

const NO_WORD: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of it; GET /v1/freezes shows what stands",
    stopped: "the daemon stopped over it; GET /v1/freezes shows what stands once it is back",
};

impl Calls {
    pub(super) async fn revoke_many(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let request = self.json(headers, body).await?;
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::RevokeMany { caller, request, reply };
        Ok(reply::ok(&self.engine(make, &NO_REVOKE).await?))
    }

    pub(super) async fn freeze(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let request = self.json(headers, body).await?;
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Freeze { caller, request, reply };
        Ok(reply::created(&self.engine(make, &NO_WORD).await?))
    }

    pub(super) async fn lift(
        &self,
        peer: &Peer,
        id: i64,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let request = if body.is_end_stream() {
            LiftFreeze::default()
        } else {
            self.json(headers, body).await?
        };
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Lift { caller, id, request, reply };
        Ok(reply::ok(&self.engine(make, &NO_WORD).await?))
    }
}
