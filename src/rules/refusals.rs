//! Refusals on their way into the history: the first of a user and a reason at once, those that
//! follow counted and told together. So everything that was refused is told, and nobody can fill
//! the disk by asking.
//!
//! A *place* is a uid and a reason. It stays open for a window after what was last written of it;
//! each window that counted something is one more row, and the next one lasts twice as long. A
//! place whose window passed in silence is forgotten.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::time::{HOUR, MINUTE, SECOND, Time};
use crate::ids::Ref;

/// The first window: who tries again after an error is told apart.
const WINDOW: i64 = MINUTE;
/// The longest: a client that is refused all day is 29 rows a day, and told with little delay.
const WINDOW_MAX: i64 = HOUR;
/// The counts are put by so often, so that a crash takes no more than this of them.
const SAVE_EVERY: i64 = SECOND;
/// Places at once. A user of this host may own 65,536 uids (`/etc/subuid`), each with its own
/// places; what is refused beyond these is counted together.
pub const PLACES_MAX: usize = 256;
/// So much of what was asked in one window is told, each differing from the others.
const ASKED_MAX: usize = 8;
/// Characters of a text that a client chose: an ARN and more.
const TEXT_MAX: usize = 256;
/// Entries of a list that a client chose: all operations and more.
const LIST_MAX: usize = 32;

/// Something that was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Who asked, by whom the kernel says it was.
    pub uid: u32,
    /// The same for people: `uid 1000 (alice)`.
    pub actor: String,
    /// The reason: a [`crate::fault::Kind::code`].
    pub code: &'static str,
    /// The reason with its particulars.
    pub why: String,
    /// What was asked for: a JSON object.
    pub asked: Value,
    /// The lease it is about.
    pub lease: Option<Ref>,
}

/// A uid and a reason; none: all those for whom there was no room.
type Place = Option<(u32, &'static str)>;

#[derive(Debug, Clone)]
struct Fold {
    /// The row that is written at once, until it is.
    first: Option<Row>,
    actor: String,
    /// When this window began.
    since: Time,
    /// When it ends, by the boot clock; none before the first.
    until: Option<Time>,
    window: i64,
    /// What came in it.
    times: u64,
    why: String,
    asked: Vec<Value>,
    unsaved: bool,
}

/// A row for the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The lease it is about.
    pub lease: Option<Ref>,
    /// `refused`, or `refused-again` for several.
    pub kind: &'static str,
    /// Who asked.
    pub actor: String,
    /// Fault, why, what was asked; of several how many, since when.
    pub body: Value,
}

/// What is to be put by of a window that is not over: the row that it would be now.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// Its place, as a word.
    pub place: String,
    /// Who asked.
    pub actor: String,
    /// The body of the row.
    pub body: Value,
}

/// What is to be written, in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Rows for the history.
    pub rows: Vec<Row>,
    /// Places whose counts are in those rows, and no longer to be kept.
    pub done: Vec<String>,
    /// Counts to be kept.
    pub counts: Vec<Count>,
}

impl Told {
    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.done.is_empty() && self.counts.is_empty()
    }
}

/// All places that are open.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    open: BTreeMap<Place, Fold>,
    saved: Option<Time>,
}

impl Refusals {
    /// Whether the next refusal of this kind to this user is only counted.
    #[must_use]
    pub fn knows(&self, uid: u32, code: &'static str) -> bool {
        self.open.contains_key(&Some((uid, code)))
    }

    /// Take one in. True when something is to be written at once.
    pub fn take_in(&mut self, refusal: Refusal) -> bool {
        let Refusal { uid, actor, code, why, asked, lease } = refusal;
        let (own, why, asked) = (Some((uid, code)), clipped(&why), clip(asked));
        let room = self.open.len() < PLACES_MAX || self.open.contains_key(&own);
        let place = if room { own } else { None };
        let mut new = false;
        let fold = self.open.entry(place).or_insert_with(|| {
            new = true;
            let body = json!({ "fault": code, "why": why, "asked": asked });
            let first = Row { lease, kind: "refused", actor: actor.clone(), body };
            let actor = if room { actor } else { "several users".to_owned() };
            Fold {
                first: room.then_some(first),
                actor,
                since: Time(0),
                until: None,
                window: WINDOW,
                times: 0,
                why: String::new(),
                asked: Vec::new(),
                unsaved: false,
            }
        });
        if new && room {
            return true;
        }
        fold.count(why, asked);
        new
    }

    /// What is to be written at `now`, which is `ticks` by the boot clock.
    pub fn due(&mut self, now: Time, ticks: Time) -> Told {
        let mut told = Told::default();
        let save = self.saved.is_none_or(|saved| ticks.since(saved) >= SAVE_EVERY);
        self.open.retain(|place, fold| fold.due(*place, (now, ticks), save, &mut told));
        if !told.counts.is_empty() {
            self.saved = Some(ticks);
        }
        told
    }

    /// Everything that is open: at the end of the daemon.
    pub fn close(&mut self) -> Told {
        let mut told = Told::default();
        for (place, mut fold) in std::mem::take(&mut self.open) {
            told.rows.extend(fold.first.take());
            fold.tell(place, &mut told);
        }
        told
    }
}

impl Fold {
    fn count(&mut self, why: String, asked: Value) {
        self.times += 1;
        self.why = why;
        self.unsaved = true;
        if self.asked.len() < ASKED_MAX && !self.asked.contains(&asked) {
            self.asked.push(asked);
        }
    }

    /// False when the place may be forgotten.
    fn due(
        &mut self,
        place: Place,
        (now, ticks): (Time, Time),
        save: bool,
        told: &mut Told,
    ) -> bool {
        let over = self.until.is_some_and(|until| ticks >= until);
        if over && self.times == 0 {
            return false;
        }
        if over {
            self.tell(place, told);
            self.window = (self.window * 2).min(WINDOW_MAX);
        }
        if over || self.until.is_none() {
            told.rows.extend(self.first.take());
            (self.since, self.until) = (now, Some(ticks.plus(self.window)));
        }
        if save && self.unsaved {
            self.unsaved = false;
            let (place, actor, body) = (word(place), self.actor.clone(), self.body(place));
            told.counts.push(Count { place, actor, body });
        }
        true
    }

    /// The window is over.
    fn tell(&mut self, place: Place, told: &mut Told) {
        if self.times == 0 {
            return;
        }
        let (actor, body) = (self.actor.clone(), self.body(place));
        told.rows.push(Row { lease: None, kind: "refused-again", actor, body });
        told.done.push(word(place));
        self.times = 0;
        self.unsaved = false;
        self.asked.clear();
    }

    fn body(&self, place: Place) -> Value {
        let fault = place.map_or("several", |(_, code)| code);
        let (times, since) = (self.times, self.since);
        json!({ "fault": fault, "times": times, "since": since, "why": self.why,
            "asked": self.asked })
    }
}

fn word(place: Place) -> String {
    place.map_or_else(|| "others".to_owned(), |(uid, code)| format!("{uid} {code}"))
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_MAX).chain(['…']).collect()
}

/// What a client sent, in bounds.
fn clip(asked: Value) -> Value {
    match asked {
        Value::String(text) => clipped(&text).into(),
        Value::Array(all) => all.into_iter().take(LIST_MAX).map(clip).collect(),
        Value::Object(all) => all.into_iter().map(|(name, value)| (name, clip(value))).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests;
