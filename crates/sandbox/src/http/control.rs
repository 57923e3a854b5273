//! The control surface, `/_sandbox/…`: faults, holds, journal, truth, time, settings, principals.
//!
//! For tests that run the sandbox as another process. All bodies are JSON. Not signed: the port is
//! loopback only, and a browser's requests are refused.
//!
//! - `GET /_sandbox/`: Region, time, keys with their state, aliases and living grants.
//! - `GET /_sandbox/journal?since=SEQ`: the journal after an entry.
//! - `GET /_sandbox/grants`: the grants that truly live; with `?all=true` those that are over too.
//! - `POST /_sandbox/grants?count=N`: puts grants on a key as ListGrants would show them, whoever
//!   could have made them; the body is such an entry (see [`Core::plant`]). Answers their ids.
//! - `POST /_sandbox/keys/state`: `{"arn":…,"state":"Unavailable"}`, for the states that no call of
//!   KMS reaches, or reaches late.
//! - `GET /_sandbox/tally`: calls by operation.
//! - `GET /_sandbox/faults`, `GET /_sandbox/held`: the rules in force; the calls that are kept.
//! - `POST /_sandbox/faults`: a rule, such as
//!   `{"match":{"op":"CreateGrant"},"when":"before","act":"hold"}`; answers its `id`.
//! - `POST /_sandbox/faults/ID/release`, `…/ID/discard`: ends a rule; what it holds goes on, or is
//!   dropped.
//! - `DELETE /_sandbox/faults`: ends all rules.
//! - `GET /_sandbox/wait?fault=ID&calls=N`: answers once the rule keeps N calls.
//! - `GET`, `POST /_sandbox/time`: `{"offset_ms":…,"date_skew_ms":…}` moves the time, or the `Date`
//!   header alone.
//! - `GET`, `POST /_sandbox/settings`: reads, or merges into, the settings.
//! - `POST /_sandbox/principals`: `{"arn":…,"allow":[…],"deny":[…],"trust":[…],"external_id":…,
//!   "access_key_id":…,"secret_access_key":…}`, all but `arn` optional.
//! - `POST /_sandbox/principals/recreate`, `…/delete`: `{"arn":…}`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{Reply, form};
use crate::core::Core;
use crate::faults::{Fault, FaultId};
use crate::handle::Handle;
use crate::model::KeyState;
use crate::op::Op;
use crate::principals::IamPolicy;

/// Where the control surface begins. No path of KMS or STS looks like it.
pub(crate) const PREFIX: &str = "/_sandbox/";

/// Grants planted by one request: three times the quota of a key.
const MAX_PLANTED: usize = 150_000;

type Answer = Result<Value, (StatusCode, String)>;

pub(crate) async fn answer(handle: &Handle, head: &Parts, body: &Bytes) -> Reply {
    let result = if foreign(head) {
        Err((StatusCode::FORBIDDEN, "this is not for browsers".to_owned()))
    } else {
        route(handle, head, body).await
    };
    let (status, value) = match result {
        Ok(value) => (StatusCode::OK, value),
        Err((status, error)) => (status, json!({ "error": error })),
    };
    let mut reply = Response::new(Full::new(Bytes::from(value.to_string())));
    *reply.status_mut() = status;
    if let Ok(kind) = "application/json".parse() {
        reply.headers_mut().insert("content-type", kind);
    }
    reply
}

/// A web page that makes a browser call us gives itself away by its origin, or by the name it used.
fn foreign(head: &Parts) -> bool {
    let host = head.headers.get("host").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let local = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
    head.headers.contains_key("origin") || !local
}

async fn route(handle: &Handle, head: &Parts, body: &Bytes) -> Answer {
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let query: Map<String, Value> = form::pairs(head.uri.query().unwrap_or_default())
        .map(|(name, value)| (name, json!(value)))
        .collect();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (&head.method, parts.as_slice()) {
        (&Method::GET, []) => Ok(overview(handle)),
        (&Method::GET, ["journal"]) => {
            let since = number(&query, "since").unwrap_or(0);
            Ok(handle.with(|core| json!(core.journal().since(since).collect::<Vec<_>>())))
        }
        (&Method::GET, ["grants"]) => {
            let (all, now) = (query.contains_key("all"), handle.now());
            Ok(handle.with(|c| json!(if all { c.grants() } else { c.grants_alive(now) })))
        }
        (&Method::POST, ["grants"]) => {
            let count = number(&query, "count").unwrap_or(1);
            plant(handle, &read(body)?, usize::try_from(count).unwrap_or(usize::MAX))
        }
        (&Method::POST, ["keys", "state"]) => set_key_state(handle, &read(body)?),
        (&Method::GET, ["tally"]) => Ok(handle.with(|core| tally(core))),
        (&Method::GET, ["held"]) => Ok(json!(handle.held())),
        (&Method::GET, ["faults"]) => Ok(faults(handle)),
        (&Method::POST, ["faults"]) => {
            let fault: Fault = read(body)?;
            Ok(json!({ "id": handle.inject(fault) }))
        }
        (&Method::DELETE, ["faults"]) => {
            handle.clear();
            Ok(json!({}))
        }
        (&Method::POST, ["faults", id, verb @ ("release" | "discard")]) => {
            let id = FaultId(id.parse().map_err(|_| bad("the number of a rule is missing"))?);
            let known = if *verb == "release" { handle.release(id) } else { handle.discard(id) };
            if known { Ok(json!({})) } else { Err(not_found("no such rule")) }
        }
        (&Method::GET, ["wait"]) => {
            let id = number(&query, "fault").ok_or_else(|| bad("fault=ID is missing"))?;
            let calls = number(&query, "calls").unwrap_or(1);
            handle.wait_held(FaultId(id), usize::try_from(calls).unwrap_or(usize::MAX)).await;
            Ok(json!(handle.held()))
        }
        (&Method::GET, ["time"]) => Ok(time(handle)),
        (&Method::POST, ["time"]) => set_time(handle, &read(body)?),
        (&Method::GET, ["settings"]) => Ok(handle.with(|core| json!(core.settings()))),
        (&Method::POST, ["settings"]) => set_settings(handle, &read(body)?),
        (&Method::POST, ["principals"]) => put_principal(handle, &read(body)?),
        (&Method::POST, ["principals", verb @ ("recreate" | "delete")]) => {
            let body: Value = read(body)?;
            let arn = text(&body, "arn").ok_or_else(|| bad("arn is missing"))?;
            let recreate = *verb == "recreate";
            let known = handle.with(|core| {
                if recreate { core.recreate_principal(arn) } else { core.delete_principal(arn) }
            });
            if known { Ok(json!({})) } else { Err(not_found("no such principal")) }
        }
        _ => Err(not_found("no such thing; see the head of http/control.rs")),
    }
}

fn overview(handle: &Handle) -> Value {
    let now = handle.now();
    handle.with(|core| {
        let alive = core.grants_alive(now);
        let keys: Vec<Value> = core
            .keys
            .values()
            .map(|key| {
                let aliases: Vec<&str> = core
                    .alias_list()
                    .filter(|(_, _, arn)| *arn == key.arn)
                    .map(|(_, name, _)| name)
                    .collect();
                let grants = alive.iter().filter(|grant| grant.key_arn == key.arn).count();
                json!({
                    "arn": key.arn, "state": key.state.name(), "aliases": aliases, "grants": grants,
                })
            })
            .collect();
        json!({ "region": core.settings().region, "now_ms": now, "keys": keys })
    })
}

fn plant(handle: &Handle, entry: &Value, count: usize) -> Answer {
    if count > MAX_PLANTED {
        return Err(bad(&format!("count is at most {MAX_PLANTED}")));
    }
    let now = handle.now();
    let planted = handle.with(|core| core.plant(entry, count, now));
    planted.map(|ids| json!({ "ids": ids })).map_err(|error| bad(&error.to_string()))
}

fn set_key_state(handle: &Handle, body: &Value) -> Answer {
    let arn = text(body, "arn").ok_or_else(|| bad("arn is missing"))?;
    let state: KeyState = serde_json::from_value(body["state"].clone())
        .map_err(|error| bad(&format!("state: {error}")))?;
    if handle.with(|core| core.set_key_state(arn, state)) {
        Ok(json!({}))
    } else {
        Err(not_found("no such key"))
    }
}

fn tally(core: &Core) -> Value {
    Op::ALL.iter().map(|op| (op.name().to_owned(), json!(core.tally(*op)))).collect()
}

fn faults(handle: &Handle) -> Value {
    let shown = |(id, fault): (FaultId, Fault)| {
        let mut value = json!(fault);
        value["id"] = json!(id);
        value
    };
    handle.faults().into_iter().map(shown).collect()
}

fn time(handle: &Handle) -> Value {
    json!({ "now_ms": handle.now(), "date_ms": handle.date_ms() })
}

fn set_time(handle: &Handle, body: &Value) -> Answer {
    if let Some(offset) = body["offset_ms"].as_i64() {
        handle.set_offset(offset);
    }
    if let Some(skew) = body["date_skew_ms"].as_i64() {
        handle.set_date_skew(skew);
    }
    Ok(time(handle))
}

fn set_settings(handle: &Handle, body: &Value) -> Answer {
    handle.with(|core| {
        let mut merged = json!(core.settings());
        merge(&mut merged, body);
        *core.settings_mut() = serde_json::from_value(merged).map_err(|e| bad(&e.to_string()))?;
        Ok(json!(core.settings()))
    })
}

/// JSON merge patch (RFC 7396): `null` takes a member away.
fn merge(into: &mut Value, patch: &Value) {
    let (Some(members), Some(patch)) = (into.as_object_mut(), patch.as_object()) else {
        *into = patch.clone();
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

fn put_principal(handle: &Handle, body: &Value) -> Answer {
    let arn = text(body, "arn").ok_or_else(|| bad("arn is missing"))?;
    let list = |name: &str| -> Vec<&str> {
        body[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let iam = IamPolicy::allow(list("allow")).deny(list("deny"));
    handle.with(|core| {
        match arn.split(':').nth(5) {
            Some(name) if name.starts_with("role/") => {
                core.put_role(arn, iam, &list("trust"), text(body, "external_id"));
            }
            Some(name) if name.starts_with("user/") => core.put_user(arn, iam),
            Some(_) | None => return Err(bad("arn must be that of a role or user")),
        }
        if let (Some(id), Some(secret)) =
            (text(body, "access_key_id"), text(body, "secret_access_key"))
        {
            let caller = core.caller(arn).ok_or_else(|| bad("arn is no caller"))?;
            core.put_access_key(id, secret, caller);
        }
        Ok(json!({}))
    })
}

fn read<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|e| bad(&e.to_string()))
}

fn number(query: &Map<String, Value>, name: &str) -> Option<u64> {
    query.get(name)?.as_str()?.parse().ok()
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

fn bad(why: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, why.to_owned())
}

fn not_found(why: &str) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, why.to_owned())
}
