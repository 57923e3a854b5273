//! A raw HTTP client and a signer, written for these tests alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use kms_sandbox::{Handle, Identity, Running, Story, StoryOptions};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// 2026-11-18T10:40:00Z, when all of these tests happen.
pub(crate) const T0: i64 = 1_794_998_400_000;
pub(crate) const STAMP: &str = "20261118T104000Z";

pub(crate) fn world() -> (Running, Story) {
    let story = Story::new(StoryOptions::default(), T0);
    let handle = Handle::new(story.core.clone(), Arc::new(|| T0));
    (Running::start(handle).unwrap(), story)
}

#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) stamp: String,
    pub(crate) region: String,
}

impl Signer {
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            id: identity.access_key_id.clone(),
            secret: identity.secret_access_key.clone(),
            token: None,
            stamp: STAMP.to_owned(),
            region: "ap-northeast-1".to_owned(),
        }
    }

    /// The request, signed, as bytes.
    fn sign(&self, service: &str, host: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut all: Vec<(&str, &str)> = vec![("host", host), ("x-amz-date", &self.stamp)];
        all.extend(headers);
        if let Some(token) = &self.token {
            all.push(("x-amz-security-token", token));
        }
        all.sort_unstable();
        let canonical: String = all.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let names: Vec<&str> = all.iter().map(|(n, _)| *n).collect();
        let names = names.join(";");
        let request = format!("POST\n/\n\n{canonical}\n{names}\n{}", sha(body.as_bytes()));
        let scope = format!("{}/{}/{service}/aws4_request", &self.stamp[..8], self.region);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.stamp, sha(request.as_bytes()));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [&self.stamp[..8], &self.region, service, "aws4_request", &to_sign] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        let (id, signature) = (&self.id, hex(&key));
        let mut text = String::from("POST / HTTP/1.1\r\n");
        for (name, value) in all {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!(
            "authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        text.into_bytes()
    }
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() { json!({}) } else { serde_json::from_str(&self.body).unwrap() }
    }

    pub(crate) fn code(&self) -> String {
        self.json()["__type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(n, _)| n == name).unwrap().1
    }
}

/// One connection, kept alive.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Client {
    pub(crate) fn to(server: &Running) -> Self {
        let stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream: BufReader::new(stream), host: server.addr().to_string() }
    }

    pub(crate) fn kms(&mut self, signer: &Signer, op: &str, body: &Value) -> Answer {
        self.send_kms(signer, op, body);
        self.read().unwrap()
    }

    pub(crate) fn send_kms(&mut self, signer: &Signer, op: &str, body: &Value) {
        let target = format!("TrentService.{op}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let request = signer.sign("kms", &self.host, &headers, &body.to_string());
        self.stream.get_mut().write_all(&request).unwrap();
    }

    pub(crate) fn sts(&mut self, signer: &Signer, body: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let request = signer.sign("sts", &self.host, &headers, body);
        self.stream.get_mut().write_all(&request).unwrap();
        self.read().unwrap()
    }

    /// A request to the control surface.
    pub(crate) fn control(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let (host, body) = (&self.host, body.to_string());
        let length = body.len();
        let text = format!(
            "{method} /_sandbox/{path} HTTP/1.1\r\nhost: {host}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.raw(text.as_bytes()).unwrap()
    }

    pub(crate) fn raw(&mut self, request: &[u8]) -> Option<Answer> {
        self.stream.get_mut().write_all(request).unwrap();
        self.read()
    }

    /// `None`: the connection was closed without an answer.
    pub(crate) fn read(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(n, _)| n == "content-length");
        let length = length.map_or(0, |(_, v)| v.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Some(Answer { status, headers, body: String::from_utf8(body).unwrap() })
    }
}
