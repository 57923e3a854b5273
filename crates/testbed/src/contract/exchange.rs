//! From the bytes of a connection to what was asked and answered on it.

use httparse::Status;

/// More header lines than any test sends: what grantd refuses (above 64) has to be read here.
const HEADERS_MAX: usize = 512;

/// A request, as far as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether the whole of it was sent.
    pub whole: bool,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, and what it answers: nothing where the request cannot be read as HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub request: Option<Request>,
    /// What was answered.
    pub answer: Answer,
}

impl Request {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The path without its query. An absolute target (`http://grantd/v1/status`) loses its host.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        }
    }

    /// The query's parameters, decoded.
    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Every whole answer of a connection beside its request. What was cut off is left out: nobody can
/// have read it for an answer.
#[must_use]
pub fn exchanges(mut asked: &[u8], mut answered: &[u8]) -> Vec<Exchange> {
    let mut found = Vec::new();
    loop {
        let request = request(&mut asked);
        let headless = request.as_ref().is_some_and(|request| request.method == "HEAD");
        match answer(&mut answered, headless) {
            Some(answer) if answer.status < 200 => {} // such as 100 Continue: the answer follows
            Some(answer) => found.push(Exchange { request, answer }),
            None => return found,
        }
    }
}

/// Take the next request off `bytes`; none where there is none, or nothing that is HTTP.
fn request(bytes: &mut &[u8]) -> Option<Request> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut lines);
    let Ok(Status::Complete(head)) = parsed.parse(bytes) else { return None };
    let headers = lower(parsed.headers);
    let (method, target) = (parsed.method?.to_owned(), parsed.path?.to_owned());
    let rest = &bytes[head..];
    let (body, used, whole) = if header(&headers, "transfer-encoding") == Some("chunked") {
        chunks(rest)
    } else {
        let length = length(&headers).unwrap_or(0);
        let body = &rest[..length.min(rest.len())];
        (body.to_vec(), body.len(), body.len() == length)
    };
    *bytes = &rest[used..];
    Some(Request { method, target, headers, body, whole })
}

/// Take the next answer off `bytes`: a whole one, or as much as came of one that goes on.
fn answer(bytes: &mut &[u8], headless: bool) -> Option<Answer> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut lines);
    let Ok(Status::Complete(head)) = parsed.parse(bytes) else { return None };
    let headers = lower(parsed.headers);
    let status = parsed.code?;
    let rest = &bytes[head..];
    let (body, used) = if header(&headers, "transfer-encoding") == Some("chunked") {
        let (body, used, _) = chunks(rest);
        (body, used)
    } else {
        // Without a length it goes on until the close.
        let until_close = || length(&headers).unwrap_or(rest.len());
        let length = if headless || status < 200 { 0 } else { until_close() };
        (rest.get(..length)?.to_vec(), length)
    };
    *bytes = &rest[used..];
    Some(Answer { status, headers, body })
}

/// The body in chunks, how many bytes it took, and whether its end was there.
fn chunks(bytes: &[u8]) -> (Vec<u8>, usize, bool) {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(&bytes[at..]) {
        let from = at + line;
        let Some(end) = usize::try_from(size).ok().and_then(|size| from.checked_add(size)) else {
            break;
        };
        let (Some(chunk), Some(_)) = (bytes.get(from..end), bytes.get(end..end + 2)) else { break };
        body.extend_from_slice(chunk);
        at = end + 2;
        if size == 0 {
            return (body, at, true);
        }
    }
    (body, bytes.len(), false)
}

fn length(headers: &[(String, String)]) -> Option<usize> {
    header(headers, "content-length")?.parse().ok()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn lower(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let pair = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    headers.iter().map(pair).collect()
}
