//! The look-ahead: what is due within the next minutes, in memory, so that a stalled or full disk
//! does not stop endings. The ledger stays the truth; the agenda is loaded from it again and again.

mod turns;

use std::collections::{BTreeMap, BTreeSet};

use self::turns::Turns;
use crate::ledger::Row;
use crate::rules::life::{Act, Origin, State, Why};
use crate::rules::pace::Part;
use crate::rules::time::{MINUTE, Time};

/// How far the agenda looks ahead: longer than any disk stall that a host survives, short enough to
/// stay small.
pub(crate) const HORIZON: i64 = 10 * MINUTE;
/// How many rows it holds at the most: some 10 MB.
pub(crate) const ROWS_MAX: usize = 10_000;

/// First what a person asked for, then what is due for the first time, then what is tried again: a
/// storm of retries must not delay a fresh deadline. Last what was only found: whoever may create
/// grants on a key can make thousands of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Asked,
    Fresh,
    Again,
    Found,
}

type Place = (Act, i64, Rank, Time, i64);

struct Entry {
    row: Row,
    /// Where it stands in `order`; `None` while somebody works on it.
    place: Option<Place>,
    not_before: Time,
}

/// Rows by id, and the order in which they are to be acted upon.
pub(crate) struct Agenda {
    cap: usize,
    rows: BTreeMap<i64, Entry>,
    order: BTreeSet<Place>,
    /// The same rows by time alone, those that give way first last: what was only found, then what
    /// a person asked for.
    times: BTreeSet<(Part, Time, i64)>,
    /// Ends of what was only found, by whose turn it is.
    turns: Turns,
    busy: BTreeSet<i64>,
    horizon: Time,
}

/// Which part of the pace its end takes.
pub(crate) fn part(row: &Row) -> Part {
    match &row.life().state {
        State::Ending { why: Why::Asked | Why::Probe, .. } => Part::Urgent,
        State::Ending { why: Why::Deadline | Why::Twin, .. }
        | State::Creating { .. }
        | State::Active { .. }
        | State::Ended { .. }
        | State::Closed { .. } => match row.facts().origin {
            Origin::Found => Part::Found,
            Origin::Asked | Origin::Probe | Origin::Adopted => Part::Due,
        },
    }
}

fn rank(row: &Row) -> Rank {
    let again = matches!(&row.life().state, State::Ending { end, .. } if end.count > 0);
    match part(row) {
        Part::Found => Rank::Found,
        Part::Due | Part::Urgent if again => Rank::Again,
        Part::Urgent => Rank::Asked,
        Part::Due => Rank::Fresh,
    }
}

impl Agenda {
    /// Empty, with room for `cap` rows.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            cap,
            rows: BTreeMap::new(),
            order: BTreeSet::new(),
            times: BTreeSet::new(),
            turns: Turns::default(),
            busy: BTreeSet::new(),
            horizon: Time(i64::MIN),
        }
    }

    /// Rows due until then belong here.
    pub(crate) fn reach(&mut self, horizon: Time) {
        self.horizon = self.horizon.max(horizon);
    }

    /// Take in a row as the ledger (or, while it does not answer, the life in memory) has it now.
    pub(crate) fn put(&mut self, row: Row) {
        let id = row.id();
        let not_before = self.rows.get(&id).map_or(Time(i64::MIN), |entry| entry.not_before);
        self.drop_row(id);
        let Some(next) = row.life().next else { return };
        let busy = self.busy.contains(&id);
        // Only looks are held: an end that a person asks for meanwhile leaves at once.
        let at = if next.act == Act::Look { next.at.max(not_before) } else { next.at };
        if !busy && (at > self.horizon || !self.make_room(part(&row), at)) {
            return;
        }
        let place = (!busy).then(|| (next.act, row.lane().id, rank(&row), at, id));
        self.order.extend(place);
        self.times.extend(place.map(|_| (part(&row), at, id)));
        if let Some((Act::End, _, Rank::Found, ..)) = place {
            self.turns.insert(&row, at);
        }
        self.rows.insert(id, Entry { row, place, not_before });
    }

    /// Whether a row due at `at` finds room. What is due later gives way: the ledger has it.
    /// Thousands that a person ends at once are all due before the next deadline, and would keep it
    /// out: so they give way to it. So does what was only found.
    fn make_room(&mut self, part: Part, at: Time) -> bool {
        if self.rows.len() < self.cap {
            return true;
        }
        match self.times.last().copied() {
            Some((last_part, last, id)) if (last_part, last) > (part, at) => {
                self.drop_row(id);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Drop every row that nobody works on: to be loaded anew.
    pub(crate) fn clear(&mut self, keep: impl Fn(i64) -> bool) {
        let idle: Vec<i64> =
            self.times.iter().map(|(_, _, id)| *id).filter(|id| !keep(*id)).collect();
        for id in idle {
            self.drop_row(id);
        }
    }

    /// Do not act on the row before then (a failed look leaves nothing in the ledger).
    pub(crate) fn hold(&mut self, id: i64, until: Time) {
        if let Some(entry) = self.rows.get_mut(&id) {
            entry.not_before = until;
            let row = entry.row.clone();
            self.put(row);
        }
    }

    /// Mark a row as being worked on: nobody else gets it until [`Agenda::release`]. False if
    /// somebody has it.
    pub(crate) fn claim(&mut self, id: i64) -> bool {
        if let Some(entry) = self.rows.get_mut(&id)
            && let Some(place) = entry.place.take()
        {
            self.order.remove(&place);
            self.times.remove(&(part(&entry.row), place.3, id));
            self.turns.remove(&entry.row, place.3);
        }
        self.busy.insert(id)
    }

    /// The work is done; the row is acted upon again when its time comes.
    pub(crate) fn release(&mut self, id: i64) {
        if self.busy.remove(&id)
            && let Some(row) = self.rows.get(&id).map(|entry| entry.row.clone())
        {
            self.put(row);
        }
    }

    pub(crate) fn is_busy(&self, id: i64) -> bool {
        self.busy.contains(&id)
    }

    /// The row that comes next on `lane`, if it is due and need not wait; it stays where it is.
    pub(crate) fn first(
        &self,
        act: Act,
        lane: i64,
        now: Time,
        shut: impl Fn(&Row) -> bool,
    ) -> Option<&Row> {
        self.due(act, lane, now).find(|row| !shut(row))
    }

    /// All rows of `lane` that are due, in order.
    pub(crate) fn due(&self, act: Act, lane: i64, now: Time) -> impl Iterator<Item = &Row> {
        let ranks = [Rank::Asked, Rank::Fresh, Rank::Again, Rank::Found].into_iter();
        ranks.flat_map(move |rank| self.ranked((act, lane, rank), now))
    }

    /// The ends of `lane` that are due and take this part of the pace, in the order in which they
    /// are to leave. Of what was only found: the first of each grantee, in turn.
    pub(crate) fn ends(
        &self,
        lane: i64,
        takes: Part,
        now: Time,
    ) -> Box<dyn Iterator<Item = &Row> + '_> {
        if takes == Part::Found {
            let ids = self.turns.due(lane, now);
            return Box::new(ids.filter_map(|id| Some(&self.rows.get(&id)?.row)));
        }
        let ranks = [Rank::Asked, Rank::Fresh, Rank::Again].into_iter();
        let rows = ranks.flat_map(move |rank| self.ranked((Act::End, lane, rank), now));
        Box::new(rows.filter(move |row| part(row) == takes))
    }

    /// An end of what was only found leaves: the next turn is another's.
    pub(crate) fn served(&mut self, row: &Row) {
        if part(row) == Part::Found {
            self.turns.served(row);
        }
    }

    fn ranked(&self, (act, lane, rank): (Act, i64, Rank), now: Time) -> impl Iterator<Item = &Row> {
        let from = (act, lane, rank, Time(i64::MIN), i64::MIN);
        let to = (act, lane, rank, now, i64::MAX);
        self.order.range(from..=to).filter_map(|place| Some(&self.rows.get(&place.4)?.row))
    }

    /// When the next row of any kind is due, after `now`: what is due already and waits has a time
    /// of its own.
    pub(crate) fn next_after(&self, now: Time) -> Option<Time> {
        let next = |part: Part| {
            let range = (part, now.plus(1), i64::MIN)..=(part, Time(i64::MAX), i64::MAX);
            self.times.range(range).next().map(|(_, at, _)| *at)
        };
        [Part::Due, Part::Urgent, Part::Found].into_iter().filter_map(next).min()
    }

    /// How many rows are held.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    fn drop_row(&mut self, id: i64) {
        let Some(Entry { row, place: Some(place), .. }) = self.rows.remove(&id) else { return };
        self.order.remove(&place);
        self.times.remove(&(part(&row), place.3, id));
        self.turns.remove(&row, place.3);
    }
}

#[cfg(test)]
mod tests;
