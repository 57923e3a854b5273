//! The metrics on a port of loopback, for a Prometheus that cannot read a Unix socket; only if
//! configured. It gives what it gives to everybody on this host, so it gives nothing that says who
//! has access to what, and takes nothing: `GET /metrics` and no more. It is bounded as the socket
//! is, and whatever happens to it, leases end.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::limits::{pause, within};
use super::reply::METRICS;
use super::{ACCEPT_PAUSE, Limits};
use crate::engine::Command;
use crate::fault::{Fault, Kind};

/// Connections at once: a Prometheus or two, and somebody with curl.
const CONNECTIONS: usize = 8;
/// The names of this host by which a scraper may call it: a browser led astray by DNS would bring
/// another.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Bind the port.
///
/// # Errors
/// `Io`: another program has it.
pub fn bind(address: SocketAddr) -> Result<StdListener, Fault> {
    let listen = || {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let text = format!("cannot listen on {address} for the metrics: {error}");
        Fault::new(Kind::Io, text).hint("choose another port for `metrics` in [daemon]")
    })
}

/// Serve the metrics until `stop` resolves; scrapes under way are cut off.
pub async fn serve(
    listener: StdListener,
    engine: mpsc::Sender<Command>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the metrics are not served"),
    };
    let mut inside = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            Some(ended) = inside.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "a scrape's task broke off: please report it");
            },
            accepted = listener.accept() => match accepted {
                // One too many is closed: it asks again at its next turn.
                Ok((stream, _)) => if inside.len() < CONNECTIONS {
                    inside.spawn(connection(stream, engine.clone(), limits.clone()));
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on the metrics' port");
                    pause(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// One request, and one answer.
async fn connection(stream: TcpStream, engine: mpsc::Sender<Command>, limits: Limits) {
    let (engine, wait) = (&engine, limits.reply);
    let service = service_fn(move |request: Request<Incoming>| async move {
        let answered = within(wait, answer(engine, &request)).await;
        let late = || plain(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer");
        Ok::<_, Infallible>(answered.unwrap_or_else(late))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match within(limits.life, serving).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a scrape broke off"),
        None => tracing::debug!("a scrape is closed that never ends"),
    }
}

async fn answer(
    engine: &mpsc::Sender<Command>,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    if !named_rightly(request) {
        return plain(StatusCode::FORBIDDEN, "ask for localhost");
    }
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "here is /metrics and nothing else");
    }
    if request.method() != Method::GET {
        let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, "GET it");
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return reply;
    }
    let (reply, answer) = oneshot::channel();
    if engine.try_send(Command::Metrics { reply }).is_err() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the daemon is busy or stopping");
    }
    match answer.await {
        Ok(Ok(text)) => whole(StatusCode::OK, METRICS, text),
        Ok(Err(fault)) => plain(StatusCode::SERVICE_UNAVAILABLE, fault.kind.code()),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping"),
    }
}

/// Whether the one Host is a name of this host, with any port.
fn named_rightly(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    HOSTS.iter().any(|name| {
        let rest = host.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name));
        let rest = rest.map(|_| &host[name.len()..]);
        rest.is_some_and(|rest| {
            let port = rest.strip_prefix(':').map(|port| port.bytes().all(|b| b.is_ascii_digit()));
            rest.is_empty() || port == Some(true)
        })
    })
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    whole(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn whole(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
