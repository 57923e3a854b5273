//! HTTP on loopback: KMS and STS on one port, and the control surface under `/_sandbox/`.
//!
//! A request that has been read whole takes its effect even if its client goes away meanwhile, as
//! at AWS; so calls run as tasks of the server, not of their connections.

mod control;
mod form;
mod protocol;
mod sigv4;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::error::KmsError;
use crate::handle::{Failure, Handle};
use crate::op::Op;

/// The largest request: PutKeyPolicy with its 128 KiB, escaped.
const MAX_BODY: usize = 512 * 1024;
/// Connections served at one time; the next ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1_024;
/// A client that sends no header for so long is cut off. Longer than SDKs keep idle connections.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;
type Reply = Response<Full<Bytes>>;

/// A listening sandbox, not yet serving.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    handle: Handle,
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox was told to drop this answer")]
struct NoAnswer;

impl Server {
    /// Listens; port 0 takes any free one. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address is not loopback (`InvalidInput`: whoever can reach the port can control the
    /// sandbox), or it cannot be bound.
    pub async fn bind(addr: SocketAddr, handle: Handle) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            let text = format!("the sandbox listens on loopback only, not on {addr}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, handle })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to give to `--endpoint-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Serves until the future is dropped, and with it every connection and call.
    pub async fn serve(self) {
        let (jobs, mut inbox) = mpsc::unbounded_channel();
        let site = Arc::new(Site { handle: self.handle, jobs, requests: AtomicU64::new(0) });
        let (mut connections, mut calls) = (JoinSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                Some(job) = inbox.recv() => { calls.spawn(job as Job); }
                Some(_) = calls.join_next() => {}
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    // A failed accept concerns a client that is gone already.
                    if let Ok((stream, _)) = accepted {
                        // Best effort: without it an answer may wait 40 ms for an acknowledgement.
                        drop(stream.set_nodelay(true));
                        connections.spawn(serve_connection(Arc::clone(&site), stream));
                    }
                }
            }
        }
    }
}

async fn serve_connection(site: Arc<Site>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { site.answer(request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // An error is a client that went away, or an answer that a fault dropped: both are as they
    // should be.
    drop(connection.await);
}

/// What all connections share.
struct Site {
    handle: Handle,
    jobs: mpsc::UnboundedSender<Job>,
    requests: AtomicU64,
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Result<Reply, NoAnswer> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map(Collected::to_bytes);
        let Ok(body) = body else {
            let text = format!("the request is larger than {MAX_BODY} bytes, or broke off");
            let too_large =
                KmsError { status: 413, ..KmsError::refusal("RequestEntityTooLarge", text) };
            return Ok(self.reply(sigv4::Service::Kms, None, &Err(too_large)));
        };
        if head.uri.path().starts_with(control::PREFIX) {
            return Ok(control::answer(&self.handle, &head, &body).await);
        }
        let service = protocol::service(&head);
        let now = self.handle.now();
        let caller = self.handle.with(|core| sigv4::authenticate(core, service, &head, &body, now));
        let call = caller.and_then(|caller| Ok((caller, protocol::read(service, &head, &body)?)));
        let (caller, (op, body)) = match call {
            Ok(call) => call,
            Err(error) => return Ok(self.reply(service, None, &Err(error))),
        };
        let (sender, receiver) = oneshot::channel();
        let handle = self.handle.clone();
        let job = Box::pin(async move {
            let answer = handle.call(&caller, op, &body).await;
            drop(sender.send(answer)); // Nobody waits any more: the client went away.
        });
        self.jobs.send(job).map_err(|_| NoAnswer)?;
        match receiver.await.map_err(|_| NoAnswer)? {
            Ok(value) => Ok(self.reply(service, Some(op), &Ok(value))),
            Err(Failure::Refused(error)) => Ok(self.reply(service, Some(op), &Err(error))),
            Err(Failure::Dropped) => Err(NoAnswer),
        }
    }

    fn reply(
        &self,
        service: sigv4::Service,
        op: Option<Op>,
        answer: &Result<Value, KmsError>,
    ) -> Reply {
        let n = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let request_id = format!("5a4db0c5-0000-4000-8000-{n:012x}");
        let (content_type, body) = protocol::write(service, op, answer, &request_id);
        let status = answer.as_ref().map_or_else(|e| e.status, |_| 200);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Response::new(Full::new(Bytes::from(body)));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        for (name, value) in [
            ("content-type", content_type),
            ("x-amzn-requestid", &request_id),
            ("date", &http_date(self.handle.date_ms())),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        reply
    }
}

/// An instant as the `Date` header has it: whole seconds.
fn http_date(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    httpdate::fmt_http_date(UNIX_EPOCH + since)
}

/// A server on a thread and a runtime of its own, for tests. It ends when dropped.
pub struct Running {
    addr: SocketAddr,
    handle: Handle,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port, thread or runtime to be had.
    pub fn start(handle: Handle) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = handle.clone();
        let serve = move || {
            runtime.block_on(async {
                // Fails only if the descriptor cannot be watched; then no request is answered.
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = Server { listener, addr, handle: served }.serve() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("kms-sandbox".to_owned()).spawn(serve)?;
        Ok(Self { addr, handle, stop: Some(stop), thread: Some(thread) })
    }

    /// What to give to `--endpoint-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The sandbox behind it.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join()); // A panic in there has been printed already.
        }
    }
}
