//! Grants of others that a policy adopts, and the administrator who lets it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use grantd::engine::Command;
use grantd::rules::time::{MINUTE, SECOND, Time};
use grantd::wire::{HistoryRow, Resume};
use serde_json::json;

use crate::actors::{send, status};
use crate::check::BOUND;
use crate::clock::pause;
use crate::good::Trouble;
use crate::script::{Event, What};
use crate::stage::caller;
use crate::world::World;

/// By which it adopts.
pub(crate) const ENFORCE: &str = "adopt = \"enforce\"";
/// What the configuration says more, where a day has guests. It comes first, so that it decides.
const POLICY: &str = r#"
[[policy]]
name = "guests"
keys = ["alias/*"]
grantees = ["role/RoleA"]
operations = ["Decrypt"]
callers = ["user:9"]
max-ttl = "1h"
adopt = "enforce"
"#;
const REVOKER: &str = "revoke-role-arn = \"arn:aws:iam::111122223333:role/grantd-revoker\"\n";
/// The administrator looks this often whether something is held (a rolled-back ledger is).
const LOOKS_EVERY: i64 = 5 * MINUTE;

#[derive(Default)]
pub(crate) struct Guests {
    grants: RefCell<Vec<Guest>>,
    /// When the administrator first let them be ended.
    resumed: Cell<Option<i64>>,
}

struct Guest {
    id: String,
    made: i64,
    deadline: i64,
}

/// Whether the policy of guests is in the configuration.
pub(crate) fn come(script: &[Event]) -> bool {
    script.iter().any(|event| matches!(event.what, What::Guest { .. }))
}

/// The configuration with it.
pub(crate) fn configured(config: &str) -> String {
    let config = config.replacen("[[policy]]", &format!("{POLICY}[[policy]]"), 1);
    config.replacen("regions", &format!("{REVOKER}regions"), 1)
}

/// Somebody makes a grant with a deadline in its Name; and somebody else one that is the same but
/// for a constraint that no grantd knows, and which nobody may end.
pub(crate) fn come_in(world: &World, ttl: i64, until: bool) {
    let now = world.net.clock.now();
    let deadline = Time(now + ttl * SECOND).floor_second();
    let name = if until { format!("until:{deadline}/guest") } else { format!("ttl:{ttl}s") };
    let entry = json!({
        "KeyId": world.key_arn, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
        "Operations": ["Decrypt"], "Name": name,
    });
    let mut story = world.net.story.borrow_mut();
    let ids = story.core.plant(&entry, 1, now).unwrap();
    let mut odd = entry;
    odd["Constraints"] = json!({ "SourceAccount": "999999999999" });
    let odd = story.core.plant(&odd, 1, now).unwrap().remove(0);
    let truth = story.core.grant(&odd).unwrap();
    world.foreign.borrow_mut().insert(odd, truth);
    let guests = ids.into_iter().map(|id| Guest { id, made: now, deadline: deadline.0 });
    world.guests.grants.borrow_mut().extend(guests);
}

/// An administrator lets go on whatever is held, for the rest of the day.
pub(crate) async fn let_them_end(world: &Rc<World>) {
    loop {
        let holds = status(world).await.map_or(0, |status| status.holds.len());
        if holds > 0 {
            let now = world.net.clock.now();
            world.guests.resumed.set(world.guests.resumed.get().or(Some(now)));
            let request = Resume { all: true, ..Resume::default() };
            let resume = |reply| Command::Resume { caller: caller(0), request, reply };
            if let Some(Err(fault)) = send(world, resume).await {
                world.refused(&fault);
            }
        }
        pause(LOOKS_EVERY).await;
    }
}

/// I12: a guest ends neither before its deadline nor before somebody let it; and then on time, once
/// `history` tells that it was taken up.
pub(crate) fn went_on_time(world: &World, history: &[HistoryRow]) {
    let (seed, now) = (world.seed, world.net.clock.now());
    let story = world.net.story.borrow();
    for guest in world.guests.grants.borrow().iter() {
        let grant = story.core.grant(&guest.id).unwrap();
        let Some(resumed) = world.guests.resumed.get() else {
            assert!(grant.ended_at_ms.is_none(), "seed {seed}: nobody let {grant:?} end");
            continue;
        };
        let early = guest.deadline.max(resumed) - world.ahead.get();
        let ended = grant.ended_at_ms.unwrap_or(now);
        assert!(ended >= early, "seed {seed}: {grant:?} ended {} ms early", early - ended);
        let seen = guest.made + i64::from(world.propagation);
        let from = guest.deadline.max(resumed).max(seen);
        let taken_up =
            |row: &&HistoryRow| row.kind == "adopted" && row.body["grant-id"] == *guest.id;
        let (from, bound) = match history.iter().rev().find(taken_up) {
            Some(row) => (from.max(row.at.0), BOUND),
            // It is let, and searched for.
            None => (from, LOOKS_EVERY + world.reconcile + MINUTE + BOUND),
        };
        let over = world.goods.longest(Trouble::Disk, from, ended, now);
        assert!(over <= bound, "seed {seed}: {grant:?} lived {over} ms too long");
    }
}

/// Whether this is a guest that nobody had end.
pub(crate) fn is_left(world: &World, id: &str) -> bool {
    let held = world.guests.resumed.get().is_none();
    held && world.guests.grants.borrow().iter().any(|guest| guest.id == id)
}
