//! From what the asker wrote to a key: in which lane, which ARN, of which type, under which
//! aliases.

use std::rc::Rc;
use std::sync::Arc;

use super::context::{Context, is_current, ledger_fault};
use super::lane::{Op, Sent};
use super::pins::{believed, moved};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Region};
use crate::kms::{Alias, Answer, KeyFacts, Lane};
use crate::rules::keyref::KeyRef;
use crate::rules::life::{Class, Outcome};

/// A key, resolved.
pub(crate) struct Resolved {
    pub(crate) lane: Arc<Lane>,
    pub(crate) facts: KeyFacts,
    pub(crate) aliases: Vec<String>,
}

/// Find the key. Aliases are asked for anew each time: they can be moved.
pub(crate) async fn resolve(
    cx: &Rc<Context>,
    config: &Config,
    typed: &str,
    region: Option<&Region>,
) -> Result<Resolved, Fault> {
    let key =
        KeyRef::parse(typed).map_err(|error| Fault::new(Kind::BadArgument, error.to_string()))?;
    let lanes = candidates(cx, Some(config), &key, region)?;
    let mut found = Vec::new();
    for lane in lanes {
        if let Some(id) = key_id(cx, &lane, &key).await? {
            found.push((lane, id));
        }
    }
    if found.len() > 1 {
        let where_to = found.iter().map(|(lane, _)| format!("{} {}", lane.account, lane.region));
        let list: Vec<String> = where_to.collect();
        let text = format!("{} is in more than one place: {}", typed, list.join(", "));
        return Err(Fault::new(Kind::BadArgument, text).hint("add --region, or give the key's ARN"));
    }
    let Some((lane, id)) = found.pop() else {
        let text = format!("there is no key {} where grantd looks", typed);
        return Err(Fault::new(Kind::KeyNotFound, text));
    };
    let answer = cx.kms.describe(&lane, &id).await;
    let facts = told(cx, &lane, typed, answer)?;
    // KMS shows nobody another account's aliases.
    if facts.arn.account() != lane.account.as_str() {
        return Ok(Resolved { lane, facts, aliases: Vec::new() });
    }
    let answer = cx.kms.aliases(&lane, Some(&facts.arn)).await;
    let aliases = told(cx, &lane, typed, answer)?;
    let aliases = believed(cx, config, &lane, aliases).await.map_err(ledger_fault)?;
    let aliases: Vec<String> = aliases.into_iter().map(|alias| alias.name).collect();
    if let KeyRef::Alias(name) | KeyRef::AliasArn(_, _, name) = &key
        && !aliases.contains(name)
    {
        return Err(moved(name));
    }
    Ok(Resolved { lane, facts, aliases })
}

/// The keys that `text` names, wherever they are: an alias may name one in each Region. Whoever
/// answers is believed also where others do not answer.
pub(crate) async fn named(cx: &Rc<Context>, text: &str) -> Result<Vec<KeyArn>, Fault> {
    let key =
        KeyRef::parse(text).map_err(|error| Fault::new(Kind::BadArgument, error.to_string()))?;
    let lanes = candidates(cx, cx.config().as_deref(), &key, None)?;
    let asked = futures_util::future::join_all(lanes.iter().map(|lane| key_id(cx, lane, &key)));
    let (mut keys, mut silent) = (Vec::new(), None);
    for answer in asked.await {
        match answer {
            Ok(arn) => keys.extend(arn.and_then(|arn| KeyArn::parse(arn).ok())),
            Err(fault) => silent = Some(fault),
        }
    }
    keys.sort_unstable();
    keys.dedup();
    match silent {
        _ if !keys.is_empty() => Ok(keys),
        Some(fault) => Err(fault),
        None => {
            let text = format!("there is no key {text} where grantd looks");
            Err(Fault::new(Kind::KeyNotFound, text))
        }
    }
}

/// The lanes of the config in which the key may be; of the ledger where no config is in force.
fn candidates(
    cx: &Context,
    config: Option<&Config>,
    key: &KeyRef,
    asked: Option<&Region>,
) -> Result<Vec<Arc<Lane>>, Fault> {
    let (account, region) = key.place(config, asked)?;
    let lanes = cx.lanes.borrow();
    let fits: Vec<Arc<Lane>> = lanes
        .values()
        .map(|state| &state.lane)
        .filter(|lane| config.is_none_or(|config| is_current(config, lane)))
        .filter(|lane| region.as_ref().is_none_or(|region| *region == lane.region))
        .filter(|lane| account.as_ref().is_none_or(|account| *account == lane.account))
        .cloned()
        .collect();
    if fits.is_empty() {
        let place = [account.map(String::from), region.map(String::from)];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let text = format!("the configuration has no account and Region for {}", place.join(" "));
        return Err(Fault::new(Kind::KeyNotFound, text)
            .hint("grantd serves the accounts and Regions of its configuration file"));
    }
    Ok(fits)
}

/// What DescribeKey is to be asked for in this lane; `None` when the alias or the id is not here.
async fn key_id(cx: &Rc<Context>, lane: &Lane, key: &KeyRef) -> Result<Option<String>, Fault> {
    let name = match key {
        KeyRef::Arn(arn) => return Ok(Some(arn.to_string())),
        KeyRef::Id(id) => {
            let answer = cx.kms.describe(lane, id).await;
            if answer.outcome == Outcome::Refused(Class::NotFound) {
                cx.heard(lane, Op::List, None, Sent::default(), &answer);
                return Ok(None);
            }
            return told(cx, lane, id, answer).map(|facts| Some(facts.arn.to_string()));
        }
        KeyRef::Alias(name) | KeyRef::AliasArn(_, _, name) => name,
    };
    let answer = cx.kms.aliases(lane, None).await;
    let aliases = told(cx, lane, name, answer)?;
    Ok(target(lane, &aliases, name).map(|arn| arn.to_string()))
}

/// The key behind an alias of this lane.
pub(crate) fn target(lane: &Lane, aliases: &[Alias], name: &str) -> Option<KeyArn> {
    aliases.iter().find(|alias| alias.name == name).and_then(|alias| lane.target(alias))
}

fn told<T>(cx: &Context, lane: &Lane, key: &str, answer: Answer<T>) -> Result<T, Fault> {
    cx.heard(lane, Op::List, None, Sent::default(), &answer);
    answer.about(key)
}
