//! Whose found grant ends next: in turn by key, then by grantee.
//!
//! Whoever may create grants on one key can make thousands in grantd's name. The ten that a dead
//! host left on another key, or to another grantee, must not wait behind them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use crate::ids::{KeyArn, Principal};
use crate::ledger::Row;
use crate::rules::time::Time;

/// The found rows of all lanes whose end is next, by when it is due.
#[derive(Default)]
pub(super) struct Turns {
    lanes: BTreeMap<i64, Ring<KeyArn, Grantees>>,
}

/// The rows of a key, by who has access: when they are due, and their ids.
type Grantees = Ring<Principal, BTreeSet<(Time, i64)>>;

/// Things that are served one after the other, round and round.
struct Ring<K, V> {
    all: BTreeMap<K, V>,
    last: Option<K>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), last: None }
    }
}

impl<K: Ord, V> Ring<K, V> {
    /// Everything once, from behind the one that was served last.
    fn round(&self) -> impl Iterator<Item = (&K, &V)> {
        let behind = self.last.as_ref().map_or(Unbounded, Excluded);
        let before = self.last.as_ref().map(|last| self.all.range(..=last));
        self.all.range((behind, Unbounded)).chain(before.into_iter().flatten())
    }
}

impl Turns {
    pub(super) fn insert(&mut self, row: &Row, at: Time) {
        let lane = self.lanes.entry(row.lane().id).or_default();
        let key = lane.all.entry(row.key_arn().clone()).or_default();
        key.all.entry(row.grantee().clone()).or_default().insert((at, row.id()));
    }

    pub(super) fn remove(&mut self, row: &Row, at: Time) {
        let Entry::Occupied(mut lane) = self.lanes.entry(row.lane().id) else { return };
        let Entry::Occupied(mut key) = lane.get_mut().all.entry(row.key_arn().clone()) else {
            return;
        };
        let Entry::Occupied(mut grantee) = key.get_mut().all.entry(row.grantee().clone()) else {
            return;
        };
        grantee.get_mut().remove(&(at, row.id()));
        if grantee.get().is_empty() {
            grantee.remove();
        }
        if key.get().all.is_empty() {
            key.remove();
        }
    }

    /// The ids of what is due on `lane`: of each grantee the first, in turn.
    pub(super) fn due(&self, lane: i64, now: Time) -> impl Iterator<Item = i64> {
        let keys = self.lanes.get(&lane).into_iter().flat_map(Ring::round);
        let rows = keys.flat_map(|(_, key)| key.round()).filter_map(|(_, rows)| rows.first());
        rows.filter(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// The row was served: the next turn is another's.
    pub(super) fn served(&mut self, row: &Row) {
        let Some(lane) = self.lanes.get_mut(&row.lane().id) else { return };
        if let Some(key) = lane.all.get_mut(row.key_arn()) {
            key.last = Some(row.grantee().clone());
        }
        lane.last = Some(row.key_arn().clone());
    }
}
