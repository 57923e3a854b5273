//! Looking: is the grant there?
//!
//! Rows of one key are looked at together. A look by id is enough where the create was sent once
//! and answered; otherwise only the whole listing of the key shows a twin. Absence is concluded
//! only from a listing followed to its end.

mod pages;

use std::rc::Rc;
use std::sync::Arc;

use super::context::Context;
use super::lane::{Frozen, Op, Sent};
use super::record::{Happening, RECORD_PATIENCE};
pub(crate) use pages::{Pages, list, pages};

use crate::ids::{GrantId, KeyArn};
use crate::kms::{Lane, Listed, Scope};
use crate::ledger::{Row, Urgency};
use crate::rules::life::{Act, Class, Event, How, LOOK_EVERY, Origin, Outcome, Sends, State};
use crate::rules::pace::Part;
use crate::rules::same::same_request;
use crate::rules::time::{Now, SECOND, Time};

/// Up to so many rows of one key are looked at by id; for more, the whole listing costs less.
const BY_ID_MAX: usize = 3;
/// Closing more rows than this in one pass without an accepted end, and more than this share of the
/// live ones, is not believed (DESIGN 6).
const GONE_MAX: usize = 5;
const GONE_PERCENT: usize = 5;

/// Start the looks of `lane` that are due; when to come back at the latest.
pub(crate) fn dispatch(cx: &Rc<Context>, lane: i64, now: Now) -> Option<Time> {
    loop {
        let mut lanes = cx.lanes.borrow_mut();
        let state = lanes.get_mut(&lane)?;
        let mut agenda = cx.agenda.borrow_mut();
        if let Some(until) = state.shut(Op::List, now.latest) {
            return agenda.due(Act::Look, lane, now.latest).next().map(|_| until);
        }
        let shut = |row: &Row| state.key_shut(row.key_arn(), Op::List, now.latest).is_some();
        let Some(first) = agenda.first(Act::Look, lane, now.latest, shut) else {
            let waits = agenda.due(Act::Look, lane, now.latest);
            return waits
                .filter_map(|row| state.key_shut(row.key_arn(), Op::List, now.latest))
                .min();
        };
        let key = first.key_arn().clone();
        let same_key = |row: &&Row| row.key_arn() == &key;
        let rows: Vec<Row> =
            agenda.due(Act::Look, lane, now.latest).filter(same_key).cloned().collect();
        state.trying(Some(&key), Op::List, now.latest);
        for row in &rows {
            agenda.claim(row.id());
        }
        let lane = Arc::clone(&state.lane);
        drop((agenda, lanes));
        let task = Rc::clone(cx);
        cx.spawn(async move { look(&task, &lane, &key, rows).await });
    }
}

/// Look for these rows of a key, which the caller has claimed.
pub(crate) async fn look(cx: &Rc<Context>, lane: &Lane, key: &KeyArn, rows: Vec<Row>) {
    if rows.is_empty() {
        return;
    }
    let began = cx.time.now();
    let (rows, listed, key_gone) = match listed(cx, lane, key, &rows).await {
        Ok(listed) => (rows, listed, None),
        // A key that is no more has no listing; its grants went with it.
        Err(Class::NotFound) => match key_gone(cx, lane, key).await {
            Some(words) => (rows, Vec::new(), Some(words)),
            None => return put_off(cx, &rows, Class::NotFound),
        },
        // No marker of this listing holds: each row that may be looked at alone is.
        Err(Class::Invalid) => {
            let (rows, listed) = one_by_one(cx, lane, key, rows).await;
            (rows, listed, None)
        }
        Err(class) => return put_off(cx, &rows, class),
    };
    let seen = rows.into_iter().map(|row| {
        let ids = ids_of(&row, &listed);
        (row, Event::Looked { began, ids })
    });
    let seen = believable(cx, lane, seen.collect(), key_gone.is_some()).await;
    for (row, event) in seen {
        let detail = key_gone.clone();
        // Recorded one by one, in one commit or a few: the ledger takes what waits together.
        let task = Rc::clone(cx);
        cx.spawn(async move {
            let id = row.id();
            let now = task.time.now();
            let mut looked = Happening::own(event, now);
            looked.note.detail = detail;
            let looked = vec![looked];
            let row = task.record(&row, looked, Some(RECORD_PATIENCE)).await;
            task.put(row);
            task.release(id);
        });
    }
}

/// What KMS lists of the rows: each by its id where they are few, else all of the key.
async fn listed(
    cx: &Rc<Context>,
    lane: &Lane,
    key: &KeyArn,
    rows: &[Row],
) -> Result<Vec<Listed>, Class> {
    let by_id = rows.len() <= BY_ID_MAX && rows.iter().all(|row| seen_by_id(row).is_some());
    if !by_id {
        return list(cx, lane, Scope::Key(key)).await;
    }
    let mut all = Vec::new();
    for id in rows.iter().filter_map(seen_by_id) {
        match list(cx, lane, Scope::One(key, id)).await {
            Ok(found) => all.extend(found),
            // The documentation lets KMS refuse an id that it does not know, instead of an empty
            // list. What is absent has to be seen absent: in the listing of the whole key.
            Err(Class::NotFound) => return list(cx, lane, Scope::Key(key)).await,
            Err(class) => return Err(class),
        }
    }
    Ok(all)
}

/// The rows that could be looked at by their ids, and what KMS lists of them. The others come
/// again.
async fn one_by_one(
    cx: &Rc<Context>,
    lane: &Lane,
    key: &KeyArn,
    rows: Vec<Row>,
) -> (Vec<Row>, Vec<Listed>) {
    let (mut seen, mut all) = (Vec::new(), Vec::new());
    for row in rows {
        let looked = match seen_by_id(&row) {
            Some(id) => list(cx, lane, Scope::One(key, id)).await,
            // Only a whole listing shows what it made.
            None => Err(Class::Invalid),
        };
        match looked {
            Ok(found) => {
                all.extend(found);
                seen.push(row);
            }
            Err(class) => put_off(cx, &[row], class),
        }
    }
    (seen, all)
}

/// ListGrants finds nothing: DescribeKey, the second witness, by the whole ARN. KMS's words where
/// there is no such key in this account and Region any more.
async fn key_gone(cx: &Rc<Context>, lane: &Lane, key: &KeyArn) -> Option<String> {
    cx.place(lane, Op::List, Part::Due).await;
    let answer = cx.kms.describe(lane, key.as_str()).await;
    cx.heard(lane, Op::List, Some(key), Sent::default(), &answer);
    let words = answer.detail.unwrap_or_default();
    let gone = matches!(answer.outcome, Outcome::Refused(Class::NotFound));
    gone.then(|| format!("the key itself is gone: {words}"))
}

/// The id by which the row may be looked at alone.
fn seen_by_id(row: &Row) -> Option<&GrantId> {
    let by_id = |create: &Sends| create.by_id();
    match &row.life().state {
        State::Active { id, create, .. }
        | State::Ending { id, create, .. }
        | State::Ended { id, create, .. } => by_id(create).then_some(id),
        State::Creating { .. } | State::Closed { .. } => None,
    }
}

/// Every listed id that is the row's own, or bears its Name and request; the row's own first, then
/// by age.
fn ids_of(row: &Row, listed: &[Listed]) -> Vec<GrantId> {
    let own = row.life().state.grant_id();
    let ours = |entry: &&Listed| {
        Some(&entry.id) == own || row.request().is_some_and(|request| same_request(request, entry))
    };
    let mut found: Vec<&Listed> = listed.iter().filter(ours).collect();
    found.sort_by_key(|entry| (Some(&entry.id) != own, entry.created, entry.id.clone()));
    // Another row may hold one of them already (a twin): the ledger knows each id once.
    found.into_iter().map(|entry| entry.id.clone()).collect()
}

/// A look that did not come to its end proves nothing: again, when what waits allows it.
fn put_off(cx: &Rc<Context>, rows: &[Row], class: Class) {
    let wait = match class {
        Class::NotFound | Class::Quota => LOOK_EVERY,
        Class::BadToken
        | Class::Throttled
        | Class::Denied
        | Class::KeyState
        | Class::Credentials
        | Class::Unavailable
        | Class::Invalid => 2 * SECOND,
    };
    let until = cx.time.now().latest.plus(wait);
    for row in rows {
        cx.agenda.borrow_mut().hold(row.id(), until);
        cx.release(row.id());
    }
}

/// Keep back what would close too much at once, or anything at all while the lane is frozen.
async fn believable(
    cx: &Rc<Context>,
    lane: &Lane,
    seen: Vec<(Row, Event)>,
    key_gone: bool,
) -> Vec<(Row, Event)> {
    let now = cx.time.now();
    let closes =
        |(row, event): &(Row, Event)| match row.stepped(event, now).map(|r| r.life().state.clone())
        {
            Ok(State::Closed { how, .. }) => Some(how),
            Ok(_) | Err(_) => None,
        };
    // What was only found is as a rule ended by the host that made it, and what was adopted is its
    // maker's to end: its vanishing is expected.
    // Nor is it a riddle where the key is gone: there are two witnesses of that.
    let own =
        |row: &Row| !matches!(row.facts().origin, Origin::Found | Origin::Adopted) && !key_gone;
    let vanished = |item: &&(Row, Event)| own(&item.0) && closes(item) == Some(How::Gone);
    let gone = seen.iter().filter(vanished).count();
    if gone > GONE_MAX {
        let counts = cx.ledger.run(Urgency::Work, |books| books.counts()).await;
        let live = counts.map_or(0, |counts| {
            let open = counts.iter().filter(|(state, _)| state.as_str() != "closed");
            open.map(|(_, n)| usize::try_from(*n).unwrap_or(0)).sum::<usize>()
        });
        if gone * 100 > live * GONE_PERCENT {
            let why = format!("{gone} of {live} live grants vanished in one look");
            freeze(cx, lane, Frozen::Vanished(why));
        }
    }
    let frozen = cx.lane(lane, |state| state.frozen.is_some()).unwrap_or(false);
    let (kept, held): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|item| !frozen || closes(item).is_none());
    for (row, _) in held {
        cx.agenda.borrow_mut().hold(row.id(), now.latest.plus(LOOK_EVERY));
        cx.release(row.id());
    }
    kept
}

/// Close nothing on this lane any more. Endings go on.
pub(crate) fn freeze(cx: &Rc<Context>, lane: &Lane, frozen: Frozen) {
    let why = frozen.why().to_owned();
    let fresh = cx.lane(lane, |state| state.freeze(frozen));
    if fresh == Some(true) {
        tracing::error!(account = %lane.account, region = %lane.region,
            "closing nothing on this lane any more: {why}");
        let body =
            serde_json::json!({ "account": lane.account, "region": lane.region, "why": why });
        cx.chronicle(None, "closings-frozen", "grantd", body);
    }
}
