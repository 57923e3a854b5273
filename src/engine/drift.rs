//! What is not any more as it was: grants of ours that KMS lists no more, and keys that cannot be
//! used. Looked for after each search; each is told once, and nothing is ended or closed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::context::Context;
use super::lane::{Op, Sent};
use super::look::look;
use crate::config::Config;
use crate::fault::chain;
use crate::ids::{GrantId, KeyArn};
use crate::kms::Lane;
use crate::ledger::{Ledger, Listable, Row, Urgency};
use crate::rules::life::Class;
use crate::rules::pace::Part;
use crate::rules::time::Now;

/// The one state of a key in which its grants give access.
const USABLE: &str = "Enabled";
/// The word for a key that is no more.
const GONE: &str = "NotFound";
/// Grants that are looked for in one pass: what more is missing, the next one finds.
const LOOKS_MAX: usize = 1_000;

/// Look into what a search did not show, and at the keys of what lives.
pub(crate) async fn look_into(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
    seen: &BTreeSet<GrantId>,
    began: Now,
) {
    missing(cx, config, lane, seen, began).await;
    keys(cx, lane).await;
}

/// A search that does not show a grant of ours is one witness. The look that follows asks for the
/// grant itself, and is the other; only what both miss is noted, and even that keeps its end.
async fn missing(
    cx: &Rc<Context>,
    config: &Config,
    lane: &Arc<Lane>,
    seen: &BTreeSet<GrantId>,
    began: Now,
) {
    let settle = config.settle;
    let doubtful = |grant: &Listable| {
        let settled = began.least.since(grant.sent) >= settle;
        settled && seen.contains(&grant.grant_id) == grant.missing
    };
    let mut wanted: BTreeMap<KeyArn, Vec<i64>> = BTreeMap::new();
    let (mut after, mut found): (Option<(KeyArn, i64)>, usize) = (None, 0);
    while found < LOOKS_MAX {
        let (id, from) = (lane.id, after.clone());
        let read = move |books: &mut Ledger| {
            books.listable(id, from.as_ref().map(|(key, row)| (key, *row)))
        };
        let page = match cx.ledger.run(Urgency::Work, read).await {
            Ok(page) => page,
            Err(error) => return tracing::error!("cannot read what lives: {}", chain(&error)),
        };
        let Some(last) = page.last() else { break };
        after = Some((last.key_arn.clone(), last.row));
        for grant in page.into_iter().filter(|grant| doubtful(grant)) {
            found += 1;
            wanted.entry(grant.key_arn).or_default().push(grant.row);
        }
    }
    for (key, rows) in wanted {
        let read = move |books: &mut Ledger| {
            rows.iter().map(|row| books.row(*row)).collect::<Result<Vec<_>, _>>()
        };
        let Ok(rows) = cx.ledger.run(Urgency::Work, read).await else { return };
        // Whoever works on one knows better.
        let rows: Vec<Row> =
            rows.into_iter().filter(|row| cx.agenda.borrow_mut().claim(row.id())).collect();
        look(cx, lane, &key, rows).await;
    }
}

/// The keys on which something lives.
async fn keys(cx: &Rc<Context>, lane: &Arc<Lane>) {
    let id = lane.id;
    let live = cx.ledger.run(Urgency::Work, move |books| books.live_keys(id, None)).await;
    let Ok(live) = live else { return };
    let (mut off, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for key in live {
        cx.place(lane, Op::List, Part::Due).await;
        if cx.stopping.get() {
            return;
        }
        let answer = cx.kms.describe(lane, key.as_str()).await;
        cx.heard(lane, Op::List, None, Sent::default(), &answer);
        let state = match answer.outcome.done() {
            Ok(facts) => facts.state,
            Err(Class::NotFound) => GONE.to_owned(),
            // Nothing is known of it, which is as it was.
            Err(_) => return,
        };
        seen.insert(key.clone());
        if state != USABLE {
            off.insert(key, state);
        }
    }
    let now = cx.time.now().latest;
    let note = move |books: &mut Ledger| books.note_keys(id, &off, &seen, now);
    match cx.ledger.run(Urgency::Work, note).await {
        Ok(told) => {
            for (key, state) in told {
                match state {
                    Some(state) => tracing::error!(%key, state,
                        "a key with live leases cannot be used: they give no access meanwhile"),
                    None => tracing::info!(%key, "the key can be used again"),
                }
            }
        }
        Err(error) => tracing::error!("cannot note how the keys are: {}", chain(&error)),
    }
}
