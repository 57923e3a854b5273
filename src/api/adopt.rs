//! What concerns grants of others, and what has changed: taken up by hand, resumed, searched for,
//! accepted.

use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;

use super::call::{Calls, Silence};
use super::peer::Peer;
use super::reply::{self, Reply};
use crate::engine::Command;
use crate::fault::{Fault, Kind};
use crate::wire::Search;

const NO_ADOPTION: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of it; `grantd list` shows whether the grant \
           is adopted",
    stopped: "the daemon stopped over it; if the grant was adopted, `grantd list` shows it after \
              the restart, and it ends at its deadline in any case",
};

const NO_WORD: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of it; `grantd status` shows what is held",
    stopped: "the daemon stopped over it; `grantd status` shows what is held once it is back",
};

impl Calls {
    pub(super) async fn adopt(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let make = |caller, request, reply| Command::Adopt { caller, request, reply };
        self.ask(peer, (headers, body), &NO_ADOPTION, make).await
    }

    pub(super) async fn resume(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let make = |caller, request, reply| Command::Resume { caller, request, reply };
        self.ask(peer, (headers, body), &NO_WORD, make).await
    }

    pub(super) async fn accept_alias(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let make = |caller, request, reply| Command::AcceptAlias { caller, request, reply };
        self.ask(peer, (headers, body), &NO_WORD, make).await
    }

    pub(super) async fn search(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        // It says nothing yet, so it may be left out.
        if !body.is_end_stream() {
            let Search {} = self.json(headers, body).await?;
        }
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Search { caller, reply };
        Ok(reply::ok(&self.engine(make, &NO_WORD).await?))
    }
}
