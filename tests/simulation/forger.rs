//! A stranger who may create grants on our keys, and writes Names like ours into them: with the
//! refs of our leases and with others, on the lease's own key and on another, giving the same or
//! something else, until every instant.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use grantd::ids::Ref;
use grantd::rng::Rng as _;
use grantd::rules::found::SKEW;
use grantd::rules::life::Origin;
use grantd::rules::name::Name;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use grantd::wire::{HistoryRow, Lease};
use kms_sandbox::{GrantTruth, Op, Story};
use serde_json::{Value, json};

use crate::check::{BOUND, our_grants, ours};
use crate::clock::SimRng;
use crate::good::Trouble;
use crate::world::World;

/// Ends of what was only found get at least so many a second.
const FOUND_RATE: i64 = 4;

#[derive(Default)]
pub(crate) struct Forger {
    grants: RefCell<BTreeMap<String, Forged>>,
    /// A key with nothing on it but what was forged.
    other_key: RefCell<Option<String>>,
}

/// A grant whose Name is proven: grantd ends it.
struct Forged {
    deadline: i64,
    made: i64,
    /// It gives what the lease of its ref does, and so ends with that.
    joins: bool,
}

/// What a forged grant gives, and until when.
struct Entry {
    key: String,
    grantee: String,
    operations: Value,
    reference: String,
    deadline: Time,
    joins: bool,
}

impl Forger {
    /// Whether the grant was forged, and is for grantd to end.
    pub(crate) fn made(&self, id: &str) -> bool {
        self.grants.borrow().contains_key(id)
    }

    /// Another key that a policy names.
    fn other_key(&self, story: &mut Story, key: &str, now: i64) -> String {
        let mut other = self.other_key.borrow_mut();
        let make = || {
            let admin = story.admin.caller.clone();
            let mut call = |op, body| story.core.call(&admin, op, &body, now).unwrap();
            let policy = call(Op::GetKeyPolicy, json!({ "KeyId": key }))["Policy"].clone();
            let made = call(Op::CreateKey, json!({ "Policy": policy }));
            let arn = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
            call(Op::CreateAlias, json!({ "AliasName": "alias/other", "TargetKeyId": arn }));
            arn
        };
        other.get_or_insert_with(make).clone()
    }
}

/// Forge `n` grants; `dice` says which.
pub(crate) fn forge(world: &World, n: usize, dice: u64) {
    let rng = SimRng::new(dice);
    let now = world.net.clock.now();
    let mut story = world.net.story.borrow_mut();
    let other = world.forger.other_key(&mut story, &world.key_arn, now);
    let alive = story.core.grants_alive(now).into_iter();
    let victims: Vec<(Name, GrantTruth)> =
        alive.filter_map(|grant| Some((ours(world, &grant)?, grant))).collect();
    for _ in 0..n {
        let entry = entry(&rng, &victims, [&world.key_arn, &other], now);
        let serial = [1, 2, 9][usize::try_from(rng.up_to(2)).unwrap()];
        let (reference, deadline) = (&entry.reference, entry.deadline);
        let planted = json!({
            "KeyId": entry.key, "GranteePrincipal": entry.grantee, "Operations": entry.operations,
            "RetiringPrincipal": story.grantd.arn,
            "Name": format!("grantd/sim/{reference}/{serial}/{deadline}"),
        });
        let id = story.core.plant(&planted, 1, now).unwrap().remove(0);
        // No deadline of grantd lies so far before the creation: such a grant is left alone.
        if deadline.0 < now - SKEW {
            let truth = story.core.grant(&id).unwrap();
            world.foreign.borrow_mut().insert(id, truth);
        } else {
            let forged = Forged { deadline: deadline.0, made: now, joins: entry.joins };
            world.forger.grants.borrow_mut().insert(id, forged);
        }
    }
}

fn entry(rng: &SimRng, victims: &[(Name, GrantTruth)], keys: [&String; 2], now: i64) -> Entry {
    let deadline = match rng.up_to(9) {
        0 => Time(0),
        1 => Time(now - rng.between(6 * MINUTE, HOUR)),
        2 => Time(now - rng.between(SECOND, 4 * MINUTE)),
        3 => Time(now + rng.between(SECOND, MINUTE)),
        _ => Time(now + rng.between(MINUTE, HOUR)),
    };
    let nobodys = Entry {
        key: keys[usize::try_from(rng.up_to(1)).unwrap()].clone(),
        grantee: "arn:aws:iam::111122223333:role/RoleA".to_owned(),
        operations: json!(["Decrypt"]),
        reference: Ref::of_bits(rng.next_u64()).to_string(),
        deadline: deadline.floor_second(),
        joins: false,
    };
    if victims.is_empty() || rng.chance(200) {
        return nobodys;
    }
    let nth = usize::try_from(rng.up_to(1_000)).unwrap() % victims.len();
    let (name, grant) = &victims[nth];
    let known = Entry { reference: name.reference().to_string(), ..nobodys };
    if rng.chance(500) {
        return known;
    }
    let joins = known.key == grant.key_arn;
    let same = if rng.chance(300) { name.deadline() } else { known.deadline };
    let (grantee, operations) = (grant.grantee.clone(), json!(grant.operations));
    Entry { grantee, operations, deadline: same, joins, ..known }
}

/// I13: a forged Name ends the grant that bears it: at the deadline that it states, and not before.
pub(crate) fn forged_ones_ended_at_their_own_deadlines(world: &World) {
    let (seed, now) = (world.seed, world.net.clock.now());
    let story = world.net.story.borrow();
    let forged = world.forger.grants.borrow();
    let in_turn = i64::try_from(forged.len()).unwrap() * SECOND / FOUND_RATE;
    let bound = world.reconcile + MINUTE + BOUND + in_turn;
    for (id, forged) in forged.iter() {
        let grant = story.core.grant(id).unwrap();
        let ended = grant.ended_at_ms.unwrap_or(now);
        let early = forged.deadline - world.ahead.get() - ended;
        assert!(forged.joins || early <= 0, "seed {seed}: {grant:?} ended {early} ms early");
        let from = forged.deadline.max(forged.made + i64::from(world.propagation));
        let over = world.goods.longest(Trouble::Disk, from, ended, now);
        assert!(over <= bound, "seed {seed}: {grant:?} lived {over} ms too long");
    }
}

/// I14: nobody but a named person ends a lease early, whatever the books say. Of all grants under
/// one Name one lives to its deadline, unless somebody asked for its lease to end or to be changed.
pub(crate) fn nobody_but_a_named_person_ended_it_early(world: &World) {
    let (revoked, changed) = (world.revoked.borrow(), world.changed.borrow());
    let own = world.net.story.borrow().grantd.arn.clone();
    let mut lived: BTreeMap<String, bool> = BTreeMap::new();
    for (name, grant) in our_grants(world) {
        let reference = name.reference().as_str();
        if grant.grantee == own || revoked.contains(reference) || changed.contains(reference) {
            continue;
        }
        let due = name.deadline().0 - world.ahead.get();
        *lived.entry(name.to_string()).or_default() |= grant.ended_at_ms.is_none_or(|at| at >= due);
    }
    let early = lived.iter().find(|(_, lived)| !**lived);
    assert!(early.is_none(), "seed {}: nobody asked for the end of {early:?}", world.seed);
}

/// I15: the deadline that a lease shows is one that a person asked for, and the history says who.
pub(crate) fn deadlines_are_those_of_persons(
    world: &World,
    history: &[HistoryRow],
    leases: &[Lease],
) {
    let mut asked: BTreeSet<(&str, String)> = BTreeSet::new();
    for row in history {
        let by_person = !row.body["asker"].is_null();
        if let (true, Some(lease)) = (by_person, &row.reference) {
            let deadline = row.body["deadline"].as_str().unwrap_or_default();
            asked.insert((lease.as_str(), deadline.to_owned()));
        }
    }
    for lease in leases.iter().filter(|lease| lease.origin == Origin::Asked) {
        let shown = (lease.reference.as_str(), lease.deadline.to_string());
        assert!(asked.contains(&shown), "seed {}: {shown:?} of none of {asked:?}", world.seed);
    }
}
