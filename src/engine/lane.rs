//! What a lane remembers between calls: its pace, and what waits on it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use crate::config::Rates;
use crate::ids::KeyArn;
use crate::kms::Lane;
use crate::rng::Rng;
use crate::rules::life::{Class, PATIENCE};
use crate::rules::pace::Pace;
use crate::rules::time::{SECOND, Time};
use crate::rules::wait::{Waits, key_pause, lane_pause, waits};

/// Of the ends per second, so many are kept for what a person asks to end now.
const ENDS_KEPT: u32 = 4;
/// A wait shorter than this alarms nobody: most are a lost packet or a restart on the other side.
const ALARM_AFTER: i64 = 10 * SECOND;

/// Which pace a call counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Create,
    End,
    /// The end of what others made: by another permission, so that what it waits for holds up no
    /// end of ours.
    EndAdopted,
    List,
}

/// By which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Way {
    /// By the lane's own credentials, and there is no other.
    #[default]
    Only,
    /// By the lane's own; should it be refused, the revoke role is left.
    First,
    /// As the revoke role, which proves nothing about the lane's own credentials.
    Second,
}

/// How a call went: what its refusal means, and to whom, depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    /// To end a grant that KMS may not see yet.
    pub(crate) young: bool,
    pub(crate) way: Way,
}

/// Something that waits: a lane or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stall {
    pub(crate) class: Class,
    pub(crate) since: Time,
    pub(crate) tries: u32,
    pub(crate) until: Time,
    pub(crate) detail: String,
    /// One try at a time: others keep off while it is under way, and no longer than a call can
    /// take.
    trying: Option<Time>,
    alarmed: bool,
}

/// What an answer changed; each is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A lane or a key has waited long enough to wake somebody.
    Alarm { key: Option<KeyArn>, class: Class, tries: u32, detail: String },
    /// It waits no longer.
    Over { key: Option<KeyArn>, class: Class, lasted: i64 },
}

/// Why no row of a lane is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// Too much vanished at once. Lifted by a restart, after somebody has looked.
    Vanished(String),
    /// The credentials are somebody else's than before. Lifted when they are the old ones again, or
    /// when nothing is owed an end any more that was made before `since`.
    Identity { why: String, since: Time },
}

impl Frozen {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Vanished(why) | Self::Identity { why, .. } => why,
        }
    }
}

/// One lane's memory. Nothing here outlives the process: the next attempt learns it again.
pub(crate) struct LaneState {
    pub(crate) lane: Arc<Lane>,
    create: Pace,
    end: Pace,
    list: Pace,
    pub(crate) stall: Option<Stall>,
    /// By operation too: what may not be listed may well be ended.
    pub(crate) keys: BTreeMap<(KeyArn, Op), Stall>,
    pub(crate) answered_at: Option<Time>,
    pub(crate) answer: Option<String>,
    /// While set, no row of this lane is closed.
    pub(crate) frozen: Option<Frozen>,
    /// When the lane's identity was last asked for.
    pub(crate) asked_at: Option<Time>,
    /// It is being asked for now.
    pub(crate) asking: bool,
    /// History: the config does not name it, and nothing of it is open. Nobody needs its
    /// credentials, which may well be gone.
    pub(crate) past: bool,
    /// Why the credentials cannot be refreshed; those in hand may serve for a while.
    pub(crate) unrefreshed: Option<String>,
    /// How far the first search for our own grants since the start is.
    pub(crate) search: Search,
}

/// The first search of a lane since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Search {
    /// Nothing is made on this lane, and nothing searched for.
    #[default]
    None,
    /// The ledger may know less than KMS: no lease is made meanwhile.
    UnderWay,
    /// It came to its end once.
    Done,
}

impl LaneState {
    pub(crate) fn new(lane: Arc<Lane>, rates: Rates) -> Self {
        Self {
            lane,
            create: Pace::new(rates.create, 0),
            end: Pace::new(rates.end, ENDS_KEPT),
            list: Pace::new(rates.list, 0),
            stall: None,
            keys: BTreeMap::new(),
            answered_at: None,
            answer: None,
            frozen: None,
            asked_at: None,
            asking: false,
            past: false,
            unrefreshed: None,
            search: Search::None,
        }
    }

    /// Its ways and its pace are others from now on; what it remembers stays.
    pub(crate) fn renew(&mut self, lane: Arc<Lane>, rates: Rates) {
        self.lane = lane;
        self.create.refill(rates.create, 0);
        self.end.refill(rates.end, ENDS_KEPT);
        self.list.refill(rates.list, 0);
    }

    /// Ends at a deadline that are sent in a second at most.
    pub(crate) const fn ends_per_second(&self) -> u32 {
        self.end.ordinary()
    }

    /// Whether it is history; what was wrong with it then is no matter any more.
    pub(crate) fn set_past(&mut self, past: bool) {
        self.past = past;
        if past {
            (self.stall, self.unrefreshed) = (None, None);
            self.keys.clear();
        }
    }

    /// Close no row of this lane any more. Whether that is news: what vanished stays the reason
    /// until a restart, since another one is lifted by itself.
    pub(crate) fn freeze(&mut self, frozen: Frozen) -> bool {
        if matches!(self.frozen, Some(Frozen::Vanished(_))) {
            return false;
        }
        let before = self.frozen.replace(frozen);
        before.as_ref().map(mem::discriminant) != self.frozen.as_ref().map(mem::discriminant)
    }

    pub(crate) fn pace(&mut self, op: Op) -> &mut Pace {
        match op {
            Op::Create => &mut self.create,
            Op::End | Op::EndAdopted => &mut self.end,
            Op::List => &mut self.list,
        }
    }

    /// Until when `op` may not be sent on the lane at all; `None` when it may.
    pub(crate) fn shut(&self, op: Op, now: Time) -> Option<Time> {
        self.stall.as_ref().filter(|stall| !self.passes(op, stall))?.shut(now)
    }

    /// Ends pass dead credentials of the lane's own where the revoke role has others: each is
    /// refused once, without being sent, and then leaves as that role.
    pub(crate) fn passes(&self, op: Op, stall: &Stall) -> bool {
        let second = self.lane.ways.revoke_role.is_some();
        let end = matches!(op, Op::End | Op::EndAdopted);
        end && second && stall.class == Class::Credentials
    }

    /// Until when nothing may be sent for `key`.
    pub(crate) fn key_shut(&self, key: &KeyArn, op: Op, now: Time) -> Option<Time> {
        self.keys.get(&(key.clone(), op))?.shut(now)
    }

    /// How many things wait: keys, and the lane itself.
    pub(crate) fn waiting(&self) -> usize {
        self.keys.len() + usize::from(self.stall.is_some())
    }

    /// The same for the second half of a try: it follows upon the first, whose denial it mends.
    pub(crate) fn second_shut(&self, key: &KeyArn, now: Time) -> Option<Time> {
        let stall = self.keys.get(&(key.clone(), Op::End))?;
        stall.shut(now).filter(|_| stall.class != Class::Denied)
    }

    /// A call for `key` leaves: if lane or key wait, it is their one try.
    pub(crate) fn trying(&mut self, key: Option<&KeyArn>, op: Op, now: Time) {
        let passes = self.stall.as_ref().is_some_and(|stall| self.passes(op, stall));
        let key = key.and_then(|key| self.keys.get_mut(&(key.clone(), op)));
        for stall in self.stall.iter_mut().filter(|_| !passes).chain(key) {
            stall.trying = Some(now);
        }
    }

    /// KMS answered `class` (`None`: it said yes), or did not. What there is to tell.
    pub(crate) fn heard(
        &mut self,
        (op, key): (Op, Option<&KeyArn>),
        (class, sent): (Option<Class>, Sent),
        detail: Option<&str>,
        (now, ticks): (Time, Time),
        rng: &dyn Rng,
    ) -> Vec<Notice> {
        let detail = detail.unwrap_or("done");
        if class != Some(Class::Unavailable) {
            self.answered_at = Some(now);
            self.answer = Some(detail.to_owned());
        }
        // Where another way is left, only the row waits for it, and not the key.
        let alone = sent.young || sent.way == Way::First;
        let scope = class.map(|class| (class, waits(class, alone)));
        let mut notices = Vec::new();
        if let Some((class, Waits::Lane)) = scope {
            let tries = self.stall.as_ref().map_or(0, |stall| stall.tries);
            let until = now.plus(lane_pause(tries));
            notices.extend(Stall::note(&mut self.stall, None, class, detail, now, until));
            // The key's own try found no answer: it may be repeated.
            let place = key.map(|key| (key.clone(), op));
            if let Some(stall) = place.and_then(|place| self.keys.get_mut(&place)) {
                stall.trying = None;
            }
            return notices;
        }
        // Any answer at all shows that the lane works; but one by the revoke role says nothing of
        // the lane's own credentials, and none was sent where that role cannot be had ("denied").
        let apart = |stall: &Stall| {
            sent.way == Way::Second
                && (class == Some(Class::Denied) || stall.class == Class::Credentials)
        };
        match &mut self.stall {
            Some(stall) if apart(stall) => stall.trying = None,
            Some(_) | None => notices.extend(Stall::over(&mut self.stall, None, now)),
        }
        if let Some((_, Waits::Operation)) = scope {
            self.pace(op).throttled(ticks);
            return notices;
        }
        // Who asks for a create has his answer: nothing waits for it, least of all an end.
        let Some(key) = key.filter(|_| op != Op::Create) else { return notices };
        let place = (key.clone(), op);
        let mut stall = self.keys.remove(&place);
        match scope {
            Some((class, Waits::Key)) => {
                let tries = stall.as_ref().map_or(0, |stall| stall.tries);
                let until = now.plus(key_pause(tries, rng));
                notices.extend(Stall::note(&mut stall, Some(key), class, detail, now, until));
                self.keys.extend(stall.map(|stall| (place, stall)));
            }
            // One row's denial disproves no stall of its key. As the first half of a try it leaves
            // the key to the second.
            Some((Class::Denied, _)) => {
                if let Some(stall) = stall.as_mut().filter(|_| sent.way != Way::First) {
                    stall.trying = None;
                }
                self.keys.extend(stall.map(|stall| (place, stall)));
            }
            Some(_) | None => notices.extend(Stall::over(&mut stall, Some(key), now)),
        }
        notices
    }
}

impl Stall {
    fn shut(&self, now: Time) -> Option<Time> {
        let trying = self.trying.map(|since| since.plus(PATIENCE));
        let until = trying.map_or(self.until, |over| over.max(self.until));
        (until > now).then_some(until)
    }

    fn note(
        stall: &mut Option<Self>,
        key: Option<&KeyArn>,
        class: Class,
        detail: &str,
        now: Time,
        until: Time,
    ) -> Option<Notice> {
        let old = stall.take();
        let fresh = old.as_ref().is_none_or(|old| old.class != class);
        let since = old.as_ref().map_or(now, |old| old.since);
        let tries = old.as_ref().map_or(0, |old| old.tries).saturating_add(1);
        let was_alarmed = old.is_some_and(|old| old.alarmed) && !fresh;
        let alarm = !was_alarmed && now.since(since) >= ALARM_AFTER;
        let detail = detail.to_owned();
        let alarmed = was_alarmed || alarm;
        let told = Notice::Alarm { key: key.cloned(), class, tries, detail: detail.clone() };
        *stall = Some(Self { class, since, tries, until, detail, trying: None, alarmed });
        alarm.then_some(told)
    }

    fn over(stall: &mut Option<Self>, key: Option<&KeyArn>, now: Time) -> Option<Notice> {
        let old = stall.take()?;
        let lasted = now.since(old.since);
        old.alarmed.then(|| Notice::Over { key: key.cloned(), class: old.class, lasted })
    }
}

#[cfg(test)]
mod tests;
