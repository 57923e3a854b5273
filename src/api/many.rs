//! What concerns many leases at once: ending them, freezing, and another configuration.

use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::call::{Calls, NO_REVOKE, Silence};
use super::peer::Peer;
use super::reply::{self, Reply};
use crate::engine::{Caller, Command};
use crate::fault::{Fault, Kind};
use crate::wire::{LiftFreeze, Reload};

const NO_WORD: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of it; GET /v1/freezes shows what stands",
    stopped: "the daemon stopped over it; GET /v1/freezes shows what stands once it is back",
};

const NO_RELOAD: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time whether it took the configuration; the history shows it",
    stopped: "the daemon stopped over the reload; its next start reads the file anew",
};

const NO_PROOF: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time whether the way out is proven; `grantd doctor` shows it",
    stopped: "the daemon stopped over the proof; what it made is recorded and ends by itself",
};

/// Where the engine's answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Fault>>;

impl Calls {
    /// What a body asks of the engine in the caller's name, and its answer.
    pub(super) async fn ask<R: DeserializeOwned, T: Serialize>(
        &self,
        peer: &Peer,
        (headers, body): (&HeaderMap, Incoming),
        silence: &Silence,
        make: impl FnOnce(Caller, R, Answer<T>) -> Command,
    ) -> Result<Reply, Fault> {
        let request = self.json(headers, body).await?;
        let caller = self.names.caller(peer).await;
        let answer = self.engine(|reply| make(caller, request, reply), silence).await?;
        Ok(reply::ok(&answer))
    }

    pub(super) async fn prove(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let make = |caller, request, reply| Command::Prove { caller, request, reply };
        self.ask(peer, (headers, body), &NO_PROOF, make).await
    }

    pub(super) async fn revoke_many(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let make = |caller, request, reply| Command::RevokeMany { caller, request, reply };
        self.ask(peer, (headers, body), &NO_REVOKE, make).await
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

    pub(super) async fn reload(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        // As with a lift, a whole body may be left out.
        let request =
            if body.is_end_stream() { Reload::default() } else { self.json(headers, body).await? };
        let caller = Some(self.names.caller(peer).await);
        let make = |reply| Command::Reload { caller, request, reply };
        Ok(reply::ok(&self.engine(make, &NO_RELOAD).await?))
    }
}
