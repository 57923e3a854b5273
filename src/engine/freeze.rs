//! Freezing and lifting, by those who govern. What is frozen is refused where leases are recorded;
//! here it is asked beforehand, so that nothing is looked up and proven for a lease that is not to
//! be. No end is ever kept back.

use std::rc::Rc;

use super::Caller;
use super::context::{Context, ledger_fault};
use super::refusals::refused;
use super::resolve::named;
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::ledger::{NewLease, Urgency};
use crate::rules::access;
use crate::rules::freeze::could_fit;
use crate::rules::policy::{ADD_REASON, REASON_MAX};
use crate::rules::time::SECOND;
use crate::wire::{Asker, Freeze, LiftFreeze, NewFreeze};

/// The longest text of a scope: an ARN of a principal.
const TEXT_MAX: usize = 256;

/// How long a freeze waits for KMS to say which key is meant: one answer of a distant Region.
const NAMED_MAX: i64 = 2 * SECOND;

/// Freeze.
pub(crate) async fn freeze(
    cx: &Rc<Context>,
    caller: &Caller,
    request: NewFreeze,
) -> Result<Freeze, Fault> {
    governs(cx, caller, "freeze", serde_json::json!({ "scope": request.scope }))?;
    plain("reason", &request.reason, REASON_MAX)?;
    if request.reason.trim().is_empty() {
        let text = "a freeze needs a reason: those who are refused are told";
        return Err(Fault::new(Kind::BadArgument, text).hint(ADD_REASON));
    }
    let scope = &request.scope;
    for (name, text) in
        [("key", &scope.key), ("grantee", &scope.grantee), ("policy", &scope.policy)]
    {
        text.as_ref().map_or(Ok(()), |text| plain(name, text, TEXT_MAX))?;
    }
    if scope.is_everything() != request.all {
        let text = "a freeze names what it is for, or everything by `all`, and not both";
        return Err(Fault::new(Kind::BadArgument, text).hint("such as --key alias/app, or --all"));
    }
    could_fit(cx.config().as_deref(), scope)?;
    let keys = match &scope.key {
        Some(key) => keys(cx, key).await?,
        None => Vec::new(),
    };
    let (by, now) = (asker(caller), cx.time.now());
    let job = move |books: &mut crate::ledger::Ledger| books.freeze(&request, &keys, &by, now);
    let freeze = cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)?;
    tracing::warn!(
        id = freeze.id,
        uid = caller.uid,
        "no leases are made: {} is frozen: {}",
        freeze.scope,
        freeze.reason
    );
    Ok(freeze)
}

/// The keys that are meant. Where KMS does not say, the key is frozen as it was written: an
/// incident does not wait.
async fn keys(cx: &Rc<Context>, key: &str) -> Result<Vec<KeyArn>, Fault> {
    let why = match cx.time.within(NAMED_MAX, named(cx, key)).await {
        Some(Ok(keys)) => return Ok(keys),
        Some(Err(fault)) if matches!(fault.kind, Kind::BadArgument | Kind::KeyNotFound) => {
            let text = format!("{}, so this would freeze nothing", fault.text);
            return Err(Fault { text, ..fault });
        }
        Some(Err(fault)) => fault.text,
        None => "KMS does not answer".to_owned(),
    };
    tracing::warn!("it is not known which key {key} is, and it is frozen as it is written: {why}");
    Ok(Vec::new())
}

/// Lift.
pub(crate) async fn lift(
    cx: &Rc<Context>,
    caller: &Caller,
    id: i64,
    request: LiftFreeze,
) -> Result<Freeze, Fault> {
    governs(cx, caller, "lift a freeze", serde_json::json!({ "freeze": id }))?;
    if let Some(reason) = &request.reason {
        plain("reason", reason, REASON_MAX)?;
    }
    let (by, now) = (asker(caller), cx.time.now());
    let job = move |books: &mut crate::ledger::Ledger| {
        books.lift(id, &by, request.reason.as_deref(), now)
    };
    let freeze = cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)?;
    tracing::warn!(id, uid = caller.uid, "leases are made again: {} was frozen", freeze.scope);
    Ok(freeze)
}

/// Whether this lease is not to be, before anything is done for it.
pub(crate) async fn refuse_frozen(cx: &Context, new: &NewLease) -> Result<(), Fault> {
    let new = new.clone();
    let read = move |books: &mut crate::ledger::Ledger| books.refuse_frozen(&new.subject());
    cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)
}

pub(super) fn asker(caller: &Caller) -> Asker {
    Asker { uid: caller.uid, name: caller.name.clone() }
}

/// Refuse whoever is no administrator; the history is told what he asked for.
pub(super) fn governs(
    cx: &Context,
    caller: &Caller,
    what: &str,
    asked: serde_json::Value,
) -> Result<(), Fault> {
    if access::governs(cx.config().as_deref(), caller) {
        return Ok(());
    }
    let fault = Fault::new(Kind::NotYours, format!("{} may not {what}", caller.name));
    refused(cx, caller, &fault, what, asked);
    Err(fault.hint("an administrator (`[access] admin`) or root may"))
}

/// Refuse what is too long, or would not look on a terminal as it is.
pub(super) fn plain(name: &str, text: &str, most: usize) -> Result<(), Fault> {
    if text.chars().count() <= most && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let text = format!("the {name} is above {most} characters, or has control characters");
    Err(Fault::new(Kind::BadArgument, text))
}
