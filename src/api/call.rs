//! One request: who may speak, what is asked, who answers.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, REFERER};
use hyper::{Method, Request};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::hold::{Holds, Seat};
use super::limits::within;
use super::line::Line;
use super::peer::{Names, Peer};
use super::reply::{self, JSON, Reply};
use super::route::{Action, route};
use super::{Backend, Limits};
use crate::engine::Command;
use crate::fault::{Fault, Kind};
use crate::wire::{CreateLease, ExtendLease, RevokeLease};

/// The names by which a client may mean this server; a browser led astray by DNS would bring
/// another.
const HOSTS: &[&str] = &["localhost", "grantd"];
/// What browsers add on behalf of a page.
const SEC_FETCH: &str = "sec-fetch-";
/// Makes a repeated create safe.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest idempotency key: two UUIDs and a label.
const IDEMPOTENCY_MAX: usize = 128;
/// A path in the log is cut here: a client chooses it.
const LOGGED_PATH: usize = 64;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) backend: Backend,
    pub(super) limits: Limits,
    pub(super) names: Names,
    pub(super) holds: Holds,
}

impl Calls {
    /// Answer one request, and write its line to the log.
    pub(super) async fn answer(&self, seat: &Seat, request: Request<Incoming>) -> Reply {
        let peer = &seat.peer;
        let path = request.uri().path().chars().take(LOGGED_PATH).collect();
        let method = request.method().clone();
        let mut line = Line::new(peer.uid, method, path);
        let reply = match self.admit(peer, &request) {
            Ok(()) => self.perform(seat, request).await,
            Err(fault) => {
                self.refused(peer, &fault, &line.method, &line.path).await;
                reply::problem(&fault)
            }
        };
        line.status = Some(reply.status().as_u16());
        reply
    }

    fn admit(&self, peer: &Peer, request: &Request<Incoming>) -> Result<(), Fault> {
        peer.known()?;
        same_site(request)
    }

    async fn perform(&self, seat: &Seat, request: Request<Incoming>) -> Reply {
        let peer = &seat.peer;
        let (head, body) = request.into_parts();
        let action = match route(&head.method, head.uri.path(), head.uri.query()) {
            Ok(action) => action,
            Err(refusal) => return reply::no_action(&refusal),
        };
        let by_ref = matches!(action, Action::Lease(_) | Action::History(_));
        let done = match action {
            Action::Create => self.create(peer, &head.headers, body).await,
            Action::Extend(prefix) => self.extend(peer, prefix, &head.headers, body).await,
            Action::Revoke(prefix) => self.revoke(peer, prefix, &head.headers, body).await,
            Action::RevokeMany => self.revoke_many(peer, &head.headers, body).await,
            Action::Freeze => self.freeze(peer, &head.headers, body).await,
            Action::Lift(id) => self.lift(peer, id, &head.headers, body).await,
            Action::Reload => self.reload(peer, &head.headers, body).await,
            Action::Prove => self.prove(peer, &head.headers, body).await,
            Action::Adopt => self.adopt(peer, &head.headers, body).await,
            Action::Resume => self.resume(peer, &head.headers, body).await,
            Action::AcceptAlias => self.accept_alias(peer, &head.headers, body).await,
            Action::Search => self.search(peer, &head.headers, body).await,
            Action::Hold(prefix) => match bodiless(&head.method, &body) {
                Ok(()) => self.hold(seat, prefix).await,
                Err(fault) => Err(fault),
            },
            Action::Leases(_)
            | Action::Lease(_)
            | Action::History(_)
            | Action::Verify
            | Action::Freezes
            | Action::Status
            | Action::Metrics
            | Action::Health
            | Action::Document => match bodiless(&head.method, &body) {
                Ok(()) => self.read(peer, action).await,
                Err(fault) => Err(fault),
            },
        };
        if let Err(fault) = &done
            && (fault.kind == Kind::ReadDenied || by_ref && self.hides(peer, fault))
        {
            self.refused(peer, fault, &head.method, head.uri.path()).await;
        }
        done.unwrap_or_else(|fault| reply::problem(&fault))
    }

    async fn read(&self, peer: &Peer, action: Action) -> Result<Reply, Fault> {
        let books = &self.backend.ledger;
        match self.may_read(peer, action).await? {
            Action::Leases(filter) => {
                let page = self.ledger(books.leases(filter, peer.uid)).await?;
                Ok(reply::ok(&page))
            }
            Action::Lease(prefix) => Ok(reply::ok(&self.meant(peer, &prefix).await?)),
            Action::History(filter) => Ok(reply::ok(&self.ledger(books.history(filter)).await?)),
            Action::Freezes => Ok(reply::ok(&self.ledger(books.freezes()).await?)),
            Action::Verify => Ok(reply::ok(&self.ledger(books.verify()).await?)),
            Action::Status => {
                let status = self.engine(|reply| Command::Status { reply }, &NO_STATUS).await?;
                let status = self.as_shown(peer, status);
                Ok(reply::ok(&status))
            }
            Action::Metrics => {
                let text = self.engine(|reply| Command::Metrics { reply }, &NO_STATUS).await?;
                Ok(reply::metrics(text))
            }
            Action::Health if self.backend.engine.is_closed() => {
                Err(Fault::new(Kind::Stopping, "the daemon is stopping"))
            }
            Action::Health => Ok(reply::health()),
            Action::Document => Ok(reply::document()),
            Action::Create
            | Action::Extend(_)
            | Action::Revoke(_)
            | Action::RevokeMany
            | Action::Freeze
            | Action::Lift(_)
            | Action::Reload
            | Action::Prove
            | Action::Adopt
            | Action::Resume
            | Action::Search
            | Action::AcceptAlias
            | Action::Hold(_) => Err(Fault::new(Kind::Bug, "a change came to where only reads go")),
        }
    }

    async fn create(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let idempotency = idempotency_key(headers)?;
        let request: CreateLease = self.json(headers, body).await?;
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Create { caller, request, idempotency, reply };
        let made = self.engine(make, &NO_CREATE).await?;
        Ok(reply::made(&made))
    }

    async fn extend(
        &self,
        peer: &Peer,
        reference: String,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        let idempotency = idempotency_key(headers)?;
        let request: ExtendLease = self.json(headers, body).await?;
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Extend { caller, reference, request, idempotency, reply };
        Ok(reply::ok(&self.engine(make, &NO_EXTENSION).await?))
    }

    async fn revoke(
        &self,
        peer: &Peer,
        reference: String,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Fault> {
        // The reason is optional, and so is the whole body: `curl -X POST` is enough.
        let request = if body.is_end_stream() {
            RevokeLease::default()
        } else {
            self.json(headers, body).await?
        };
        let caller = self.names.caller(peer).await;
        let make = |reply| Command::Revoke { caller, reference, reason: request.reason, reply };
        let lease = self.engine(make, &NO_REVOKE).await?;
        Ok(reply::ok(&lease))
    }

    /// Ask the engine, never waiting for room: what the engine cannot take now, the client tries
    /// later.
    pub(super) async fn engine<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Command,
        silence: &Silence,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.backend.engine.try_send(make(reply)).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Fault::new(Kind::Busy, "the daemon has too many requests waiting")
            }
            TrySendError::Closed(_) => Fault::new(Kind::Stopping, "the daemon is stopping"),
        })?;
        match within(self.limits.reply, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(Fault::new(Kind::Stopping, silence.stopped)),
            None => Err(Fault::new(silence.kind, silence.late)),
        }
    }

    pub(super) async fn ledger<T>(
        &self,
        answer: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let late = || Fault::new(Kind::Busy, "the ledger has not answered in time");
        within(self.limits.reply, answer).await.unwrap_or_else(|| Err(late()))
    }

    /// Read and understand a body.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<T, Fault> {
        declared_json(headers)?;
        let most = self.limits.body_bytes;
        let too_large = || {
            let text = format!("the body of the request is over {most} bytes");
            Fault::new(Kind::TooLarge, text)
        };
        if body.size_hint().lower() > most as u64 {
            return Err(too_large());
        }
        let Some(read) = within(self.limits.body, Limited::new(body, most).collect()).await else {
            let seconds = self.limits.body.as_secs();
            let text = format!("the body of the request did not arrive within {seconds} s");
            return Err(Fault::new(Kind::TooSlow, text));
        };
        let bytes = match read {
            Ok(read) => read.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
            Err(error) => {
                let text = format!("the body of the request broke off: {error}");
                return Err(Fault::new(Kind::BadArgument, text));
            }
        };
        parse(&bytes)
    }
}

/// What to say when the engine says nothing: its requests differ in what may have happened by then.
pub(super) struct Silence {
    /// It takes too long.
    pub(super) kind: Kind,
    pub(super) late: &'static str,
    /// It went away.
    pub(super) stopped: &'static str,
}

const NO_CREATE: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of the request; \
           `grantd list --mine` shows whether it is recorded",
    stopped: "the daemon stopped over the request; if it was recorded, `grantd list --mine` \
              shows it after the restart, and it ends at its deadline in any case",
};
const NO_EXTENSION: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of the request; \
           `grantd show` tells whether it is recorded",
    stopped: "the daemon stopped over the request; if it was recorded, `grantd show` tells \
              so after the restart",
};
pub(super) const NO_REVOKE: Silence = Silence {
    kind: Kind::OutcomeUnknown,
    late: "the daemon has not said in time what came of the revoke",
    stopped: "the daemon stopped over the revoke; revoking again is harmless",
};
const NO_STATUS: Silence = Silence {
    kind: Kind::Busy,
    late: "the engine has not described itself in time",
    stopped: "the daemon is stopping",
};

/// Refuse what a web page could have sent, whoever's browser it was: the socket is no place for
/// browsers.
fn same_site(request: &Request<Incoming>) -> Result<(), Fault> {
    let refuse = |text: String| Err(Fault::new(Kind::CrossSite, text));
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return refuse("the request must have one Host header".into());
    };
    let named = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    for name in std::iter::once(host.as_bytes()).chain(named) {
        if !HOSTS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            let name = String::from_utf8_lossy(name);
            return refuse(format!("the request is for host {name:?}, not localhost or grantd"));
        }
    }
    let foreign = |name: &&HeaderName| {
        **name == ORIGIN || **name == REFERER || name.as_str().starts_with(SEC_FETCH)
    };
    match headers.keys().find(foreign) {
        Some(name) => refuse(format!("the request has the header {name}, as a web page's has")),
        None => Ok(()),
    }
}

fn bodiless(method: &Method, body: &Incoming) -> Result<(), Fault> {
    if body.is_end_stream() {
        return Ok(());
    }
    Err(Fault::new(Kind::BadArgument, format!("{method} takes no body here")))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let bytes = key.as_bytes();
    let fits =
        (1..=IDEMPOTENCY_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if fits && given.next().is_none() => Ok(Some(key.to_owned())),
        _ => {
            let text =
                "header Idempotency-Key must be given once, with 1 to 128 visible ASCII characters";
            Err(Fault::new(Kind::BadArgument, text).hint("a UUID does"))
        }
    }
}

/// A form of a web page cannot declare JSON without asking first; and a client that means another
/// format is told.
fn declared_json(headers: &HeaderMap) -> Result<(), Fault> {
    let declared = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let essence = declared.and_then(|kind| kind.split(|b| *b == b';').next());
    if essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes())) {
        return Ok(());
    }
    let length = headers.contains_key(CONTENT_LENGTH);
    let what = if declared.is_some() || length { "is not declared as" } else { "must be" };
    Err(Fault::new(Kind::NotJson, format!("the body of the request {what} {JSON}")))
}

/// What a body says.
///
/// # Errors
/// `BadArgument` with the field and what is wrong with it.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    // serde would also take an array, with the fields in order: a request has names in it.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let text = "the body of the request is an array, not an object";
        return Err(Fault::new(Kind::BadArgument, text));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("field {path:?}: ") };
        let text = format!("the body of the request: {place}{}", error.inner());
        Fault::new(Kind::BadArgument, text)
            .hint("GET /v1/openapi.json lists the fields of each request")
    })?;
    json.end().map_err(|error| {
        let text = format!("the body of the request: {error}");
        Fault::new(Kind::BadArgument, text).hint("send one JSON document")
    })?;
    Ok(parsed)
}
