//! Aliases point where they pointed when grantd first saw them, or they are not believed.
//!
//! A policy may name keys by their aliases, and an alias is moved by whoever has kms:UpdateAlias:
//! who may do that is not to decide on which keys grantd lends, and whose grants it ends. So each
//! alias that a policy names is pinned, and one that has moved names neither key until an
//! administrator accepts it.

use std::rc::Rc;

use serde_json::json;

use super::Caller;
use super::context::{Context, ledger_fault};
use super::freeze::{asker, governs, plain};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::kms::{Alias, Lane};
use crate::ledger::{Ledger, LedgerError, Urgency};
use crate::rules::policy::{REASON_MAX, lists_key};
use crate::wire::{AcceptAlias, MovedAlias, Page};

/// Those of a lane's aliases that are to be believed. What is new is pinned; a ledger that takes
/// nothing pins nothing, and then what it does not know is not believed either.
pub(crate) async fn believed(
    cx: &Context,
    config: &Config,
    lane: &Lane,
    aliases: Vec<Alias>,
) -> Result<Vec<Alias>, LedgerError> {
    let named = |alias: &Alias| -> Option<(String, KeyArn)> {
        let key = lane.target(alias)?;
        let names = std::slice::from_ref(&alias.name);
        let named = config.policies.iter().any(|policy| lists_key(policy, &key, names));
        named.then(|| (alias.name.clone(), key))
    };
    let seen: Vec<(String, KeyArn)> = aliases.iter().filter_map(named).collect();
    if seen.is_empty() {
        return Ok(aliases);
    }
    let (id, now) = (lane.id, cx.time.now().latest);
    let moved = cx.ledger.run(Urgency::Work, move |books| books.pin(id, &seen, now)).await?;
    Ok(aliases.into_iter().filter(|alias| !moved.contains(&alias.name)).collect())
}

/// Why an alias that somebody typed names no key now.
pub(crate) fn moved(alias: &str) -> Fault {
    let text = format!(
        "{alias} points at another key than it did when grantd first saw it, and nobody has \
         accepted that"
    );
    let hint = format!(
        "`grantd status` shows both keys; an administrator may `grantd accept-alias {alias}`, or \
         name the key's ARN"
    );
    Fault::new(Kind::AliasMoved, text).hint(hint)
}

/// An administrator has seen where it points.
pub(crate) async fn accept(
    cx: &Rc<Context>,
    caller: &Caller,
    request: AcceptAlias,
) -> Result<Page<MovedAlias>, Fault> {
    let AcceptAlias { alias, account, region, reason } = request;
    governs(cx, caller, "accept an alias", json!({ "alias": alias }))?;
    plain("reason", reason.as_deref().unwrap_or_default(), REASON_MAX)?;
    let read = cx.ledger.run(Urgency::Work, |books| books.moved_aliases()).await;
    let fits = |moved: &MovedAlias| {
        moved.alias == alias
            && account.as_ref().is_none_or(|account| *account == moved.account)
            && region.as_ref().is_none_or(|region| *region == moved.region)
    };
    let moved: Vec<MovedAlias> = read.map_err(ledger_fault)?.into_iter().filter(fits).collect();
    if moved.is_empty() {
        let text = format!("no {alias} has moved that a policy names");
        return Err(Fault::new(Kind::HoldUnknown, text));
    }
    let (of, by, now) = (moved.clone(), asker(caller), cx.time.now().latest);
    let job = move |books: &mut Ledger| books.accept_aliases(&of, &by, reason.as_deref(), now);
    cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)?;
    for MovedAlias { alias, was, is, .. } in &moved {
        tracing::warn!(uid = caller.uid, alias, %was, %is, "the alias is accepted");
    }
    cx.search_soon();
    Ok(Page { items: moved, next: None })
}
