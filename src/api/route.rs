//! One match from (method, path, query) to what is asked. Whatever is not understood is refused by
//! its name.

use hyper::Method;

use crate::fault::{Fault, Kind};
use crate::rules::time::Time;
use crate::wire::{ListHistory, ListLeases};

/// The longest ref prefix worth looking up; a whole ref has 14 characters.
const PREFIX_MAX: usize = 14;
/// The state words of a lease.
const STATES: &[&str] = &["creating", "active", "ending", "ended", "closed"];

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Leases(ListLeases),
    Lease(String),
    Extend(String),
    Revoke(String),
    RevokeMany,
    Freeze,
    Lift(i64),
    Freezes,
    Hold(String),
    Reload,
    Prove,
    Adopt,
    Resume,
    Search,
    AcceptAlias,
    History(ListHistory),
    Verify,
    Status,
    Metrics,
    Health,
    Document,
}

/// Why there is no action: the fault, and for a wrong method the methods that would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoAction {
    pub(super) fault: Fault,
    pub(super) allow: Option<&'static str>,
}

impl From<Fault> for NoAction {
    fn from(fault: Fault) -> Self {
        Self { fault, allow: None }
    }
}

/// Read the request line.
pub(super) fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Action, NoAction> {
    let mut query = Query::parse(query)?;
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    let action = match (method, pieces.as_slice()) {
        (&Method::POST, ["v1", "leases"]) => Action::Create,
        (&Method::GET, ["v1", "leases"]) => Action::Leases(query.leases()?),
        (&Method::GET, ["v1", "leases", prefix]) if !prefix.is_empty() => {
            Action::Lease(reference(prefix)?)
        }
        (&Method::POST, ["v1", "leases", prefix, "extend"]) => Action::Extend(reference(prefix)?),
        (&Method::POST, ["v1", "leases", prefix, "revoke"]) => Action::Revoke(reference(prefix)?),
        (&Method::POST, ["v1", "freezes"]) => Action::Freeze,
        (&Method::GET, ["v1", "freezes"]) => Action::Freezes,
        (&Method::POST, ["v1", "freezes", id, "lift"]) => Action::Lift(number(id)?),
        (&Method::POST, ["v1", "revoke"]) => Action::RevokeMany,
        (&Method::POST, ["v1", "reload"]) => Action::Reload,
        (&Method::POST, ["v1", "proofs"]) => Action::Prove,
        (&Method::POST, ["v1", "adoptions"]) => Action::Adopt,
        (&Method::POST, ["v1", "resume"]) => Action::Resume,
        (&Method::POST, ["v1", "aliases", "accept"]) => Action::AcceptAlias,
        (&Method::POST, ["v1", "searches"]) => Action::Search,
        (&Method::POST, ["v1", "leases", prefix, "hold"]) => Action::Hold(reference(prefix)?),
        (&Method::GET, ["v1", "history"]) => Action::History(query.history()?),
        (&Method::GET, ["v1", "history", "verify"]) => Action::Verify,
        (&Method::GET, ["v1", "status"]) => Action::Status,
        (&Method::GET, ["v1", "metrics"]) => Action::Metrics,
        (&Method::GET, ["v1", "health"]) => Action::Health,
        (&Method::GET, ["v1", "openapi.json"]) => Action::Document,
        (_, pieces) => return Err(nowhere(method, path, pieces)),
    };
    query.finish()?;
    Ok(action)
}

/// 404, or 405 where the path is known.
fn nowhere(method: &Method, path: &str, pieces: &[&str]) -> NoAction {
    let allow = match pieces {
        ["v1", "leases"] => "GET, POST",
        ["v1", "freezes"] => "GET, POST",
        ["v1", "revoke" | "reload" | "proofs" | "adoptions" | "resume" | "searches"]
        | ["v1", "freezes", _, "lift"]
        | ["v1", "aliases", "accept"]
        | ["v1", "leases", _, "extend" | "revoke" | "hold"] => "POST",
        ["v1", "history" | "status" | "metrics" | "health" | "openapi.json"]
        | ["v1", "history", "verify"] => "GET",
        ["v1", "leases", prefix] if !prefix.is_empty() => "GET",
        _ => {
            let text = format!("no route {path:?}");
            return Fault::new(Kind::NoRoute, text).into();
        }
    };
    let text = format!("{path} does not take {method}");
    NoAction { fault: Fault::new(Kind::WrongMethod, text), allow: Some(allow) }
}

/// A ref or the beginning of one. Whether a lease has it is the ledger's to say.
fn reference(prefix: &str) -> Result<String, Fault> {
    let fits = (1..=PREFIX_MAX).contains(&prefix.len())
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        return Ok(prefix.to_owned());
    }
    let text =
        format!("ref {prefix:?} is not a lease ref or the beginning of one (such as g-7k2m)");
    Err(Fault::new(Kind::BadArgument, text))
}

/// The number of a freeze.
fn number(id: &str) -> Result<i64, Fault> {
    id.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
        let text = format!("{id:?} is not the number of a freeze");
        Fault::new(Kind::BadArgument, text).hint("GET /v1/freezes shows the numbers")
    })
}

/// The parameters that are still unread.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: Option<&str>) -> Result<Self, Fault> {
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        let mut seen: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            if seen.iter().any(|(earlier, _)| *earlier == name) {
                return Err(bad(&name, "is given twice"));
            }
            seen.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(seen))
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn flag(&mut self, name: &str) -> Result<bool, Fault> {
        match self.text(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(bad(name, &format!("is {other:?}, not true or false"))),
        }
    }

    fn leases(&mut self) -> Result<ListLeases, Fault> {
        let state = self.text("state");
        if let Some(word) = state.as_deref().filter(|word| !STATES.contains(word)) {
            let wanted = STATES.join(", ");
            return Err(bad("state", &format!("is {word:?}, not one of {wanted}")));
        }
        Ok(ListLeases {
            key: self.text("key"),
            grantee: self.text("grantee"),
            policy: self.text("policy"),
            state,
            overdue: self.flag("overdue")?,
            mine: self.flag("mine")?,
            all: self.flag("all")?,
            after: self.text("after"),
        })
    }

    fn history(&mut self) -> Result<ListHistory, Fault> {
        let since = self.text("since");
        let since = since.map(|text| {
            Time::parse(&text).map_err(|wrong| {
                bad("since", &format!("is {text:?}, which {wrong}: {}", wrong.help()))
            })
        });
        let prefix = self.text("ref");
        Ok(ListHistory {
            reference: prefix.map(|prefix| reference(&prefix)).transpose()?,
            since: since.transpose()?,
            after: self.text("after"),
        })
    }

    /// Whatever nobody asked for is refused: a misspelt filter must not list everything.
    fn finish(self) -> Result<(), Fault> {
        match self.0.first() {
            Some((name, _)) => Err(bad(name, "is not known here")),
            None => Ok(()),
        }
    }
}

fn bad(name: &str, what: &str) -> Fault {
    let text = format!("query parameter {name:?} {what}");
    Fault::new(Kind::BadArgument, text)
        .hint("GET /v1/openapi.json lists the parameters of each route")
}

#[cfg(test)]
mod tests;
