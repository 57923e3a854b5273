//! What happens in a seed's day: made from the seed before it begins, so that it can be read,
//! replayed, and made shorter.

use std::fmt;

use grantd::rng::Rng as _;
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use kms_sandbox::Op;

use crate::clock::SimRng;
use crate::disk::Ill;
use crate::kms::Weather;

/// A seed's day.
pub(crate) const DAY: i64 = 24 * HOUR;

/// One thing that happens, so many ms after the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) what: What,
}

/// What can happen. Times are in ms, but for `ttl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Somebody asks for `ttl` seconds, under an idempotency key or not, and may hang up.
    Create { uid: u32, ttl: i64, key: Option<u64>, hangs_up: Option<i64> },
    /// Somebody wants another deadline for the n-th lease that he was told of, from the last.
    Extend { uid: u32, nth: usize, ttl: i64, key: Option<u64> },
    /// Somebody ends the n-th lease that he was told of, from the last.
    Revoke { uid: u32, nth: usize },
    /// Somebody asks for nonsense.
    Nonsense { uid: u32, kind: usize },
    /// An administrator changes the greatest lifetime, and has the daemon take it.
    Reload { max_ttl: &'static str },
    /// An administrator makes the policy narrower than what lives: by the greatest lifetime, or
    /// nobody gets anything.
    Narrow { max_ttl: Option<&'static str> },
    /// An administrator freezes something for a while.
    Freeze { scope: usize, lasts: i64 },
    /// KMS is not as it should be for a while.
    Spell { spell: Spell, lasts: i64 },
    /// The next grants are delivered twice: the copy comes so much later.
    Twice { late: i64 },
    /// Grants of others appear, some of which name our role and look like ours.
    Strangers { n: usize },
    /// Somebody makes grants on our keys with Names like ours; the `dice` say which.
    Forge { n: usize, dice: u64 },
    /// Somebody makes a grant that a policy adopts, for `ttl` seconds.
    Guest { ttl: i64, until: bool },
    /// An administrator lets grants of others be ended, from now on.
    Resume,
    /// The daemon dies, and is away for so long.
    Crash { down: i64 },
    /// The daemon dies at the n-th call from now: before it takes effect, or after.
    CrashAtCall { nth: u32, after: bool, down: i64 },
    /// The machine starts anew: another boot id, and a boot clock that begins again.
    Reboot { down: i64 },
    /// The daemon dies, and what the ledger was so long ago is put back.
    Restore { ago: i64, down: i64 },
    /// The daemon dies, and its ledger is lost.
    Lose { down: i64 },
    /// The host's disk is ill for a while.
    Disk { ill: Ill, lasts: i64 },
    /// The power fails at the n-th operation of the disk from now.
    PowerCut { nth: u32, down: i64 },
    /// The n-th operation of the disk from now fails, once.
    Hiccup { nth: u32 },
    /// The wall clock is set so far off.
    Wall { off: i64, lasts: i64 },
    /// The machine sleeps: its boot clock and, once it is awake, its wall clock know.
    Suspend { lasts: i64 },
    /// The hypervisor stops the machine: its boot clock does not know.
    Pause { lasts: i64 },
}

/// What can be wrong with KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spell {
    /// The network loses some, or all.
    Weather(Weather),
    /// IAM denies an operation on the key.
    Denied(Op),
    /// KMS takes no more of an operation than this in a second: others use the account too.
    Quota(Op, u32),
    /// The key is disabled, or is to be deleted, until somebody sees to it.
    KeyOff { deleted: bool },
    /// Some endpoints show what was so many ms ago.
    Stale(u32),
    /// Answers carry no `Date`.
    NoDate,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", clock(self.at), self.what)
    }
}

/// So many ms after the beginning, as a time of the day.
pub(crate) fn clock(ms: i64) -> String {
    let s = ms / SECOND;
    format!("+{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % SECOND)
}

/// An hour of it: one burst.
pub(crate) fn hour(rng: &SimRng) -> Vec<Event> {
    let mut events = Vec::new();
    burst(rng, MINUTE, &mut events);
    events.push(Event { at: rng.between(MINUTE, 30 * MINUTE), what: disk(rng) });
    events.sort_by_key(|event| event.at);
    events
}

/// In how many bursts people ask: mostly one in a day, since an hour of quiet is cheap and a burst
/// is not, and two far apart are as good as two days. In some they meet.
const BURSTS: [usize; 10] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 3];

/// How often the seed's day has each kind of thing: bursts of people, and between them quiet.
pub(crate) fn of(rng: &SimRng) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..BURSTS[usize::try_from(rng.up_to(9)).unwrap()] {
        let from = rng.between(MINUTE, DAY - 2 * HOUR);
        burst(rng, from, &mut events);
    }
    for _ in 0..rng.between(0, 2) {
        let at = rng.between(MINUTE, DAY);
        events.push(Event { at, what: trouble(rng) });
    }
    let busy: Vec<i64> = events.iter().map(|event| event.at).collect();
    let moment = || busy[usize::try_from(rng.up_to(1_000)).unwrap() % busy.len()];
    for _ in 0..rng.between(0, 2) {
        events.push(Event { at: moment() + rng.between(0, MINUTE), what: disk(rng) });
    }
    for _ in 0..rng.between(0, 1) {
        let nearest = moment();
        // Nobody asks for more than an hour: what is lost and found again is proven by either.
        let max_ttl = if rng.chance(500) { "1h" } else { "2h" };
        let at = nearest - rng.between(0, MINUTE);
        events.push(Event { at, what: What::Reload { max_ttl } });
    }
    if rng.chance(150) {
        guests(rng, moment, &mut events);
    }
    if rng.chance(100) {
        let what = What::Lose { down: rng.between(1, 2 * MINUTE) };
        events.push(Event { at: moment() + rng.between(0, 30 * MINUTE), what });
    }
    if rng.chance(100) {
        forger(rng, moment, &mut events);
    }
    if rng.chance(60) {
        narrow_and_lose(rng, moment() + rng.between(0, 30 * MINUTE), &mut events);
    }
    events.sort_by_key(|event| event.at);
    events
}

/// Somebody forges a few Names, or hundreds of them.
fn forger(rng: &SimRng, moment: impl Fn() -> i64, events: &mut Vec<Event>) {
    for _ in 0..rng.between(1, 2) {
        let n = if rng.chance(80) { rng.between(100, 300) } else { rng.between(1, 12) };
        let what = What::Forge { n: usize::try_from(n).unwrap(), dice: rng.next_u64() };
        events.push(Event { at: moment() + rng.between(0, 30 * MINUTE), what });
    }
}

/// What lives when its policy was made narrower and its ledger is lost, ends all the same.
fn narrow_and_lose(rng: &SimRng, at: i64, events: &mut Vec<Event>) {
    let max_ttl = rng.chance(500).then_some("5min");
    events.push(Event { at, what: What::Narrow { max_ttl } });
    let what = What::Lose { down: rng.between(1, 2 * MINUTE) };
    events.push(Event { at: at + rng.between(SECOND, 10 * MINUTE), what });
}

/// Others make grants with deadlines in their Names, and mostly somebody lets them be ended.
fn guests(rng: &SimRng, moment: impl Fn() -> i64, events: &mut Vec<Event>) {
    for _ in 0..rng.between(1, 5) {
        let what = What::Guest { ttl: rng.between(1, 3_000), until: rng.chance(500) };
        events.push(Event { at: moment() + rng.between(0, 30 * MINUTE), what });
    }
    if rng.chance(800) {
        events.push(Event { at: rng.between(MINUTE, DAY), what: What::Resume });
    }
}

/// The host's disk fails.
fn disk(rng: &SimRng) -> What {
    let nth = u32::try_from(rng.between(1, 40)).unwrap();
    let ills = [Ill::Syncs, Ill::Writes, Ill::Full, Ill::Crammed];
    let ill = ills[usize::try_from(rng.up_to(3)).unwrap()];
    match rng.up_to(9) {
        0..=4 => What::PowerCut { nth, down: rng.between(1, 2 * MINUTE) },
        5..=6 => What::Hiccup { nth },
        _ => {
            let lasts = rng.between(SECOND, 20 * MINUTE);
            What::Disk { ill, lasts }
        }
    }
}

/// People ask for half an hour, and things go wrong meanwhile.
fn burst(rng: &SimRng, from: i64, events: &mut Vec<Event>) {
    let uid = |rng: &SimRng| u32::try_from(rng.between(1, 2)).unwrap();
    for _ in 0..rng.between(2, 4) {
        let at = from + rng.up_to(10 * MINUTE);
        events.push(Event { at, what: create(rng, uid(rng)) });
    }
    for _ in 0..rng.between(1, 4) {
        let at = from + rng.up_to(30 * MINUTE);
        events.push(Event { at, what: person(rng, uid(rng)) });
    }
    for _ in 0..rng.between(1, 4) {
        let at = from + rng.up_to(30 * MINUTE);
        events.push(Event { at, what: trouble(rng) });
    }
}

fn key(rng: &SimRng) -> Option<u64> {
    rng.chance(500).then(|| rng.next_u64())
}

fn create(rng: &SimRng, uid: u32) -> What {
    let ttl = match rng.up_to(3) {
        0 => rng.between(2, 30),
        1 => rng.between(30, 300),
        _ => rng.between(300, 3_600),
    };
    let hangs_up = rng.chance(100).then(|| rng.between(1, 3 * SECOND));
    What::Create { uid, ttl, key: key(rng), hangs_up }
}

fn person(rng: &SimRng, uid: u32) -> What {
    let nth = usize::try_from(rng.up_to(7)).unwrap();
    match rng.up_to(19) {
        0..=4 => create(rng, uid),
        5..=12 => What::Extend { uid, nth, ttl: rng.between(2, 3_000), key: key(rng) },
        13..=16 => What::Revoke { uid, nth },
        17..=18 => What::Nonsense { uid, kind: nth },
        _ => What::Freeze { scope: nth, lasts: rng.between(SECOND, 10 * MINUTE) },
    }
}

/// The operations that a fault is about.
const OPS: [Op; 5] =
    [Op::CreateGrant, Op::RetireGrant, Op::ListGrants, Op::ListRetirableGrants, Op::DescribeKey];

fn trouble(rng: &SimRng) -> What {
    let lasts = match rng.up_to(9) {
        0..=5 => rng.between(5 * SECOND, 3 * MINUTE),
        6..=8 => rng.between(3 * MINUTE, 20 * MINUTE),
        _ => rng.between(20 * MINUTE, 3 * HOUR),
    };
    let op = OPS[usize::try_from(rng.up_to(4)).unwrap()];
    let down = rng.between(1, 2 * MINUTE);
    let spell = |spell| What::Spell { spell, lasts };
    match rng.up_to(23) {
        0..=3 => spell(Spell::Weather(Weather::Storm)),
        4..=5 => spell(Spell::Weather(Weather::Outage)),
        6..=7 => spell(Spell::Denied(op)),
        8 => spell(Spell::Quota(op, u32::try_from(rng.up_to(2)).unwrap())),
        9 => spell(Spell::KeyOff { deleted: rng.chance(300) }),
        10 => spell(Spell::Stale(u32::try_from(rng.between(1_000, 600_000)).unwrap())),
        11 => spell(Spell::NoDate),
        12 => What::Twice { late: rng.between(1, 5 * MINUTE) },
        13 => What::Strangers { n: usize::try_from(rng.between(1, 20)).unwrap() },
        14..=15 => What::Crash { down },
        16..=17 => {
            let nth = u32::try_from(rng.between(1, 12)).unwrap();
            What::CrashAtCall { nth, after: rng.chance(500), down }
        }
        18 => What::Reboot { down },
        19 => What::Restore { ago: rng.between(SECOND, 2 * HOUR), down },
        20..=21 => What::Wall { off: wall(rng), lasts },
        22 => What::Suspend { lasts },
        _ => What::Pause { lasts },
    }
}

/// From a second to ten years, both ways.
fn wall(rng: &SimRng) -> i64 {
    const YEAR: i64 = 365 * 24 * HOUR;
    const STEPS: [i64; 7] =
        [SECOND, 10 * SECOND, 90 * SECOND, 10 * MINUTE, HOUR, 40 * HOUR, 10 * YEAR];
    let step = STEPS[usize::try_from(rng.up_to(6)).unwrap()];
    if rng.chance(500) { step } else { -step }
}
