//! RoleA, RoleB and the administrator: each calls KMS over HTTP with a signature of its own, as
//! their programs would. Not through the daemon's adapter: what it believes is what the demo is to
//! show.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kms_sandbox::Identity;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fault::{Fault, Kind, chain};
use crate::rules::time::Time;

/// KMS's answers to the demo's calls are a few hundred bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// Somebody who calls KMS.
#[derive(Debug, Clone)]
pub(super) struct Person {
    identity: Identity,
    region: String,
    addr: SocketAddr,
}

/// What KMS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200, and the document.
    Yes(Value),
    /// The code and the message.
    No(String, String),
}

impl Person {
    pub(super) fn new(identity: &Identity, region: &str, addr: SocketAddr) -> Self {
        Self { identity: identity.clone(), region: region.to_owned(), addr }
    }

    /// Decrypt, with a grant token or without.
    pub(super) async fn decrypt(
        &self,
        ciphertext: &str,
        token: Option<&str>,
        now: Time,
    ) -> Result<Answer, Fault> {
        let tokens: Vec<&str> = token.into_iter().collect();
        let body = json!({ "CiphertextBlob": ciphertext, "GrantTokens": tokens });
        self.call("Decrypt", &body, now).await
    }

    /// The grants of a key.
    pub(super) async fn list_grants(&self, key: &str, now: Time) -> Result<Answer, Fault> {
        self.call("ListGrants", &json!({ "KeyId": key }), now).await
    }

    async fn call(&self, operation: &str, body: &Value, now: Time) -> Result<Answer, Fault> {
        let request = self.signed(operation, body.to_string(), now)?;
        let (success, bytes) = self.exchange(request).await.map_err(|error| {
            let text = format!("{} cannot call {operation}: {error}", self.identity.name);
            Fault::new(Kind::KmsSilent, text)
        })?;
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if success {
            return Ok(Answer::Yes(document));
        }
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        // The SDKs take either spelling of the message, since KMS uses both.
        let message = Some(text("message")).filter(|text| !text.is_empty());
        Ok(Answer::No(text("__type"), message.unwrap_or_else(|| text("Message"))))
    }

    fn signed(
        &self,
        operation: &str,
        body: String,
        now: Time,
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let bug = |error: &dyn std::error::Error| {
            Fault::new(Kind::Bug, format!("cannot sign {operation}: {}", chain(error)))
        };
        let (id, secret) = (&self.identity.access_key_id, &self.identity.secret_access_key);
        let credentials = Credentials::new(id, secret, None, None, "demo").into();
        let since_epoch = Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
        let signing = v4::SigningParams::builder()
            .identity(&credentials)
            .region(&self.region)
            .name("kms")
            .time(UNIX_EPOCH + since_epoch)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| bug(&error))?
            .into();
        let target = format!("TrentService.{operation}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let url = format!("http://{}/", self.addr);
        let payload = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), payload)
            .map_err(|error| bug(&error))?;
        let (instructions, _) = sign(signable, &signing).map_err(|error| bug(&error))?.into_parts();
        let mut request = Request::post("/").header("host", self.addr.to_string());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| bug(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(bool, Bytes), String> {
        let stream = TcpStream::connect(self.addr).await.map_err(|error| error.to_string())?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| chain(&error))?;
        let asked = pin!(async {
            let answer = sender.send_request(request).await.map_err(|error| chain(&error))?;
            let success = answer.status().is_success();
            let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
            Ok((success, body.map_err(|error| error.to_string())?.to_bytes()))
        });
        // The connection only makes progress while it is polled.
        match select(asked, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, asked)) => asked.await,
        }
    }
}
