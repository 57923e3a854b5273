//! Holding a lease: one call that lasts as long as the lease does.

use std::pin::pin;

use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{Call, Client, bounded, lease_path};
use crate::api::LINES;
use crate::fault::{Fault, Kind};
use crate::wire::{HeldLease, Problem};

/// Bytes of a line that is not whole yet: one holds a state and an instant.
const LINE_MAX: usize = 4 * 1024;

impl Client {
    /// Hold the lease whose ref begins with `prefix`, until the daemon ends the answer: the lease
    /// is over, or the daemon stops. `told` hears how it is, at once and then now and then.
    /// Dropping the future ends the lease.
    ///
    /// # Errors
    /// The daemon's, or of the way to it.
    pub async fn hold(&self, prefix: &str, told: impl FnMut(HeldLease)) -> Result<(), Fault> {
        let path = [&lease_path(prefix), "/hold"].concat();
        let request = Call { method: hyper::Method::POST, ..Call::get(path) }.request()?;
        let dialled = bounded(self.patience, UnixStream::connect(&self.socket)).await;
        let stream = dialled.ok_or_else(|| self.silent())?;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| self.broke_off(&error))?;
        let asked = pin!(self.listen(sender, request, told));
        // The connection moves only while it is polled; when it ends first, `asked` has the rest.
        match select(asked, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, asked)) => asked.await,
        }
    }

    async fn listen(
        &self,
        mut sender: http1::SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
        told: impl FnMut(HeldLease),
    ) -> Result<(), Fault> {
        let answer = bounded(self.patience, sender.send_request(request)).await;
        let answer = answer.ok_or_else(|| self.silent())?;
        let answer = answer.map_err(|error| self.broke_off(&error))?;
        let kind = answer.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        if kind == Some(LINES.as_bytes()) && answer.status().is_success() {
            return self.lines(answer.into_body(), told).await;
        }
        let (is_problem, body) = self.read(answer).await?;
        let problem: Option<Problem> = serde_json::from_slice(&body).ok().filter(|_| is_problem);
        Err(problem.map_or_else(|| self.misunderstood("it holds no lease"), Fault::from))
    }

    async fn lines(
        &self,
        mut body: Incoming,
        mut told: impl FnMut(HeldLease),
    ) -> Result<(), Fault> {
        let mut begun = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broke_off(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            begun.extend_from_slice(&data);
            while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = begun.drain(..=end).collect();
                let line = serde_json::from_slice(&line);
                told(line.map_err(|error| self.misunderstood(&error))?);
            }
            if begun.len() > LINE_MAX {
                return Err(self.misunderstood("a line has no end"));
            }
        }
        Ok(())
    }

    fn misunderstood(&self, why: impl std::fmt::Display) -> Fault {
        let socket = self.socket.display();
        let text = format!("what answers on {socket} is not understood: {why}");
        Fault::new(Kind::Bug, text)
            .hint("check that the daemon and this command are of one version")
    }
}
