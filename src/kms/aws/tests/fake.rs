//! A server that misbehaves to order, on a real socket of the loopback.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// AWS's clock, according to the fake: years behind any host's, so that no test passes by the
/// host's clock.
pub(super) const DATE: &str = "Sat, 23 Nov 2019 18:00:00 GMT";

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `DescribeKey`, `AssumeRole`, …
    pub(super) operation: String,
    /// The head, lower-cased.
    pub(super) head: String,
    pub(super) body: String,
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// A whole answer: status, type, body.
    Whole(u16, &'static str, String),
    /// The connection is reset.
    Reset,
    /// Nothing, for as long as the client waits.
    Silence,
    /// The head, half of the body, and then nothing.
    Half(String),
}

impl Reply {
    /// KMS says yes.
    pub(super) fn json(body: &str) -> Self {
        Self::Whole(200, "application/x-amz-json-1.1", body.to_owned())
    }

    /// KMS says no.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
        Self::Whole(status, "application/x-amz-json-1.1", body)
    }

    /// STS speaks XML.
    pub(super) fn xml(status: u16, body: &str) -> Self {
        Self::Whole(status, "text/xml", body.to_owned())
    }
}

/// The server; its threads end with the process (each test has one of its own).
pub(super) struct Fake {
    pub(super) endpoint: String,
    requests: Receiver<Request>,
}

type Script = Arc<Mutex<dyn FnMut(&Request) -> Reply + Send>>;

impl Fake {
    pub(super) fn start(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (heard, requests) = channel();
        let script: Script = Arc::new(Mutex::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, heard) = (Arc::clone(&script), heard.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &script, &heard));
            }
        });
        Self { endpoint, requests }
    }

    /// All that came so far, in order.
    pub(super) fn heard(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }

    /// Their operations.
    pub(super) fn operations(&self) -> Vec<String> {
        self.heard().into_iter().map(|request| request.operation).collect()
    }
}

fn serve(mut stream: TcpStream, script: &Script, heard: &Sender<Request>) {
    while let Some(request) = read(&mut stream) {
        let reply = (script.lock().unwrap())(&request);
        if heard.send(request).is_err() {
            return;
        }
        match reply {
            Reply::Whole(status, kind, body) => {
                answer(&mut stream, status, kind, &body, body.len())
            }
            Reply::Half(body) => {
                answer(&mut stream, 200, "application/x-amz-json-1.1", &body, body.len() * 2);
            }
            // Until the client gives up and closes.
            Reply::Silence => drop(stream.read(&mut [0; 1])),
            Reply::Reset => {
                // Closing with a linger of nothing sends RST; the standard library has no setter
                // that is stable.
                let linger = Some(std::time::Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&stream, linger).unwrap();
                return;
            }
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str, length: usize) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nDate: {DATE}\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\
         x-amzn-RequestId: req-1\r\n\r\n"
    );
    // A client that is gone is no concern of a server.
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut room = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some(Request { operation: operation(&head, &body), head, body });
            }
        }
        match stream.read(&mut room) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&room[..count]),
        }
    }
}

fn operation(head: &str, body: &str) -> String {
    let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: trentservice."));
    let action = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    target.or(action).unwrap_or_default().trim().to_lowercase()
}
