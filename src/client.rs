//! The other end of the socket: what the command line (and any Rust program on the host) calls.
//!
//! Each call has a connection of its own: calls are rare, and a connection kept would be closed
//! under it.

mod adopt;
mod door;
mod hold;
mod prove;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::api::{JSON, PROBLEM};
use crate::fault::{Fault, Kind, chain};
use crate::wire::{
    CreateLease, ExtendLease, Freeze, Health, HistoryRow, Lease, LeaseExtended, LeaseMade,
    LiftFreeze, ListHistory, ListLeases, NewFreeze, Page, Problem, Reload, Reloaded, RevokeLease,
    RevokeLeases, Status, Verified,
};

pub use door::with_late_groups;

/// For a whole call: a create waits for KMS (10 s) and for a first proof of the way out, and the
/// API gives up at 30 s.
pub const CALL: Duration = Duration::from_secs(40);
/// Bytes of an answer: a page of 100 leases with a few grants each is about 200 KiB.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// A client of the daemon behind one socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// A client of the daemon that listens on `socket`. Nothing is opened until a call.
    #[must_use]
    pub fn connect(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), patience: CALL }
    }

    /// With another bound on a whole call than [`CALL`].
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Make a lease. A repeat with the same idempotency key finds the first one.
    ///
    /// # Errors
    /// The daemon's, or of the way to it. `OutcomeUnknown` names the lease where the daemon
    /// recorded one.
    pub async fn create(
        &self,
        request: &CreateLease,
        idempotency: Option<&str>,
    ) -> Result<LeaseMade, Fault> {
        let mut call = Call::post("/v1/leases", request)?;
        call.idempotency = idempotency;
        self.call(call).await
    }

    /// The one lease whose ref begins with `prefix`.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn lease(&self, prefix: &str) -> Result<Lease, Fault> {
        self.call(Call::get(lease_path(prefix))).await
    }

    /// A page of leases.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn leases(&self, filter: &ListLeases) -> Result<Page<Lease>, Fault> {
        self.call(Call::get(with_query("/v1/leases", filter)?)).await
    }

    /// Give the lease whose ref begins with `prefix` another deadline. A repeat with the same
    /// idempotency key finds what came of the first.
    ///
    /// # Errors
    /// The daemon's, or of the way to it. `OutcomeUnknown` where it is recorded and not yet known.
    pub async fn extend(
        &self,
        prefix: &str,
        request: &ExtendLease,
        idempotency: Option<&str>,
    ) -> Result<LeaseExtended, Fault> {
        let path = [&lease_path(prefix), "/extend"].concat();
        let mut call = Call::post(path, request)?;
        call.idempotency = idempotency;
        self.call(call).await
    }

    /// End the lease whose ref begins with `prefix` before its deadline.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn revoke(&self, prefix: &str, request: &RevokeLease) -> Result<Lease, Fault> {
        let path = [&lease_path(prefix), "/revoke"].concat();
        self.call(Call::post(path, request)?).await
    }

    /// End many leases before their deadlines, or none of them.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn revoke_many(&self, request: &RevokeLeases) -> Result<Page<Lease>, Fault> {
        self.call(Call::post("/v1/revoke", request)?).await
    }

    /// Keep leases of some kind from being made.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn freeze(&self, request: &NewFreeze) -> Result<Freeze, Fault> {
        self.call(Call::post("/v1/freezes", request)?).await
    }

    /// Let them be made again.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn lift(&self, id: i64, request: &LiftFreeze) -> Result<Freeze, Fault> {
        self.call(Call::post(format!("/v1/freezes/{id}/lift"), request)?).await
    }

    /// Take the configuration's file anew, or tell what would change.
    ///
    /// # Errors
    /// The daemon's, or of the way to it. `Config` and `WouldStrand` where nothing was changed.
    pub async fn reload(&self, request: &Reload) -> Result<Reloaded, Fault> {
        self.call(Call::post("/v1/reload", request)?).await
    }

    /// The freezes that stand.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn freezes(&self) -> Result<Page<Freeze>, Fault> {
        self.call(Call::get("/v1/freezes")).await
    }

    /// A page of the history, oldest first.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn history(&self, filter: &ListHistory) -> Result<Page<HistoryRow>, Fault> {
        self.call(Call::get(with_query("/v1/history", filter)?)).await
    }

    /// Walk the history's chain.
    ///
    /// # Errors
    /// The daemon's, or of the way to it. A broken chain is no error here: see
    /// [`Verified::broken`].
    pub async fn verify(&self) -> Result<Verified, Fault> {
        self.call(Call::get("/v1/history/verify")).await
    }

    /// What the daemon says of itself.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn status(&self) -> Result<Status, Fault> {
        self.call(Call::get("/v1/status")).await
    }

    /// Whether the API answers.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn health(&self) -> Result<Health, Fault> {
        self.call(Call::get("/v1/health")).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Fault> {
        let changes = call.method == Method::POST;
        let request = call.request()?;
        let dialled = bounded(self.patience, UnixStream::connect(&self.socket)).await;
        let stream = dialled.ok_or_else(|| self.silent())?;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let answer = bounded(self.patience, self.exchange(stream, request)).await;
        let answer = answer.unwrap_or_else(|| Err(self.silent()));
        let (is_problem, body) =
            answer.map_err(|fault| if changes { in_doubt(fault) } else { fault })?;
        let broken = |error: serde_json::Error| {
            let socket = self.socket.display();
            let text = format!("what answers on {socket} is not understood: {error}");
            let hint = "check that the daemon and this command are of one version";
            Fault::new(Kind::Bug, text).hint(hint)
        };
        if is_problem {
            let problem: Problem = serde_json::from_slice(&body).map_err(broken)?;
            return Err(problem.into());
        }
        serde_json::from_slice(&body).map_err(broken)
    }

    /// One request on a connection of its own: whether the answer is a problem, and its body.
    async fn exchange(
        &self,
        stream: UnixStream,
        request: Request<Full<Bytes>>,
    ) -> Result<(bool, Bytes), Fault> {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broke_off(&error))?;
        let asked = pin!(async {
            let answer = sender.send_request(request).await;
            self.read(answer.map_err(|error| self.broke_off(&error))?).await
        });
        // The connection moves only while it is polled; when it ends first, `asked` has the rest.
        match select(asked, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, asked)) => asked.await,
        }
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<(bool, Bytes), Fault> {
        let kind = answer.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec());
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| {
            let text = format!("the answer on {} broke off: {error}", self.socket.display());
            Fault::new(Kind::DaemonDown, text)
        })?;
        match kind.as_deref() {
            Some(kind) if kind == PROBLEM.as_bytes() => Ok((true, body.to_bytes())),
            Some(kind) if kind == JSON.as_bytes() && status.is_success() => {
                Ok((false, body.to_bytes()))
            }
            _ => {
                let text = format!(
                    "{} answers {status}, which is not grantd's way",
                    self.socket.display()
                );
                Err(Fault::new(Kind::DaemonDown, text)
                    .hint("check which program listens on the socket"))
            }
        }
    }

    fn unreachable(&self, error: &io::Error) -> Fault {
        let socket = self.socket.display();
        let is = |kind: io::ErrorKind| error.kind() == kind;
        let (kind, text) = if is(io::ErrorKind::NotFound) {
            (Kind::DaemonDown, format!("no daemon: there is no socket {socket}"))
        } else if is(io::ErrorKind::ConnectionRefused) {
            (Kind::DaemonDown, format!("no daemon: nobody listens on {socket}"))
        } else if is(io::ErrorKind::PermissionDenied) {
            let fault =
                Fault::new(Kind::SocketDenied, format!("you may not use the socket {socket}"));
            return match door::hint(&self.socket) {
                Some(hint) => fault.hint(hint),
                None => fault,
            };
        } else if is(io::ErrorKind::WouldBlock) {
            (Kind::Busy, format!("too many clients wait for {socket}")) // its backlog is full
        } else {
            (Kind::DaemonDown, format!("cannot connect to {socket}: {error}"))
        };
        Fault::new(kind, text)
    }

    fn broke_off(&self, error: &hyper::Error) -> Fault {
        let socket = self.socket.display();
        let text = format!("the daemon on {socket} closed the connection: {}", chain(error));
        Fault::new(Kind::DaemonDown, text)
            .hint("`systemctl status grantd` shows whether it runs; then try again")
    }

    fn silent(&self) -> Fault {
        let (socket, seconds) = (self.socket.display(), self.patience.as_secs());
        let text = format!("the daemon on {socket} does not answer ({seconds} s)");
        Fault::new(Kind::DaemonDown, text).hint("see `systemctl status grantd` and its journal")
    }
}

/// One request, not yet on its way.
struct Call<'a> {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    idempotency: Option<&'a str>,
}

impl Call<'_> {
    fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, idempotency: None }
    }

    fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| unsendable(&error))?;
        Ok(Self { method: Method::POST, path: path.into(), body: Some(body), idempotency: None })
    }

    fn request(self) -> Result<Request<Full<Bytes>>, Fault> {
        let mut request =
            Request::builder().method(self.method).uri(self.path).header(HOST, "grantd");
        if let Some(key) = self.idempotency {
            request = request.header("idempotency-key", key);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let body = Full::new(Bytes::from(self.body.unwrap_or_default()));
        request.body(body).map_err(|error| unsendable(&error))
    }
}

/// A change that was sent and not answered may have been made.
fn in_doubt(fault: Fault) -> Fault {
    let hint = "`grantd list --mine` shows what is recorded; repeating a create under the same \
                idempotency key, or a revoke, is safe";
    let text = format!("{}: what was asked may have been done", fault.text);
    Fault::new(Kind::OutcomeUnknown, text).hint(hint)
}

fn unsendable(error: &dyn std::error::Error) -> Fault {
    let text = format!("the request cannot be sent: {}", chain(error));
    Fault::new(Kind::BadArgument, text).hint("leave out control characters and blanks")
}

/// `/v1/leases/PREFIX`. What is no ref is encoded, so that the daemon gets to refuse it as it was
/// written.
fn lease_path(prefix: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(prefix.as_bytes()).collect();
    format!("/v1/leases/{encoded}")
}

/// `path` with the set fields of `filter` as parameters.
fn with_query(path: &str, filter: &impl Serialize) -> Result<String, Fault> {
    let fields = serde_json::to_value(filter).map_err(|error| unsendable(&error))?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => query.append_pair(name, text),
            serde_json::Value::Bool(true) => query.append_pair(name, "true"),
            serde_json::Value::Null | serde_json::Value::Bool(false) => continue, // not set
            serde_json::Value::Number(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => {
                let text = format!("filter {name} has no form as a query parameter");
                return Err(Fault::new(Kind::Bug, text));
            }
        };
    }
    let query = query.finish();
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a command waits for the daemon: no lease's deadline depends on it"
)]
async fn bounded<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

#[cfg(test)]
mod tests;
