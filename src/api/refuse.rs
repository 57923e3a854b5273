//! What the socket itself refuses goes into the history too; what the engine refuses, it tells.

use hyper::Method;
use serde_json::json;

use super::call::Calls;
use super::peer::Peer;
use crate::fault::Fault;

impl Calls {
    /// Tell of one who may not speak, or may not see what he asks for.
    pub(super) async fn refused(&self, peer: &Peer, fault: &Fault, method: &Method, path: &str) {
        let refusals = &self.backend.refusals;
        // His name is looked up once: what follows is only counted.
        let caller = match refusals.knows(peer.uid, fault.kind) {
            true => peer.nameless(),
            false => self.names.caller(peer).await,
        };
        refusals.tell(&caller, fault, json!({ "request": format!("{method} {path}") }));
    }

    /// Tell of a connection that there is no room for.
    pub(super) fn turned_away(&self, peer: &Peer, fault: &Fault) {
        let asked = json!({ "request": "connection" });
        self.backend.refusals.tell(&peer.nameless(), fault, asked);
    }
}
