//! How full a key is. KMS takes 50,000 grants on one key, whoever makes them, and beyond that
//! refuses everybody: AWS services too, whose volumes and tables then no longer come up. So grantd
//! makes none on a key that is nearly full, and leaves the rest of its room to the others.
//!
//! A whole listing tells, and costs up to a page for every hundred grants: the ledger remembers
//! what the last one saw. Counting goes on beside the creates, and never holds one up; a crash
//! leaves the older count.

use std::rc::Rc;
use std::sync::Arc;

use super::context::{Context, ledger_fault};
use super::look::pages;
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::kms::{Lane, Scope};
use crate::ledger::{Census, Urgency};
use crate::rules::time::{DAY, MINUTE, Time};

/// Grants that KMS takes on one key, by default (kms-facts 5).
const QUOTA: u32 = 50_000;
/// Of a hundred: above it grantd makes no grant.
const FULL_PERCENT: u32 = 80;
/// A key with room is counted again after so long: nobody makes 40,000 grants in a day unseen.
const KEEPS: i64 = DAY;
/// A full one is counted again after so long when somebody asks: it may have been emptied.
const FULL_KEEPS: i64 = 5 * MINUTE;

impl Context {
    /// Whether `key` has room for one more grant, as the last whole listing saw it. Has it counted
    /// again where that was too long ago.
    ///
    /// # Errors
    /// [`Kind::KeyFull`]; those of the ledger.
    pub(crate) async fn room(self: &Rc<Self>, lane: &Arc<Lane>, key: &KeyArn) -> Result<(), Fault> {
        let place = key.clone();
        let seen = self.ledger.run(Urgency::Work, move |books| books.census(&place)).await;
        let seen = seen.map_err(ledger_fault)?;
        let full = seen.filter(|seen| seen.grants > QUOTA / 100 * FULL_PERCENT);
        let keeps = if full.is_some() { FULL_KEEPS } else { KEEPS };
        let now = self.time.now().latest;
        if seen.is_none_or(|seen| now.since(seen.seen_at) >= keeps) {
            self.count_soon(lane, key);
        }
        let Some(Census { grants, seen_at }) = full else { return Ok(()) };
        let text = format!(
            "{key} had {grants} grants at {seen_at}, over {FULL_PERCENT}% of the {QUOTA} that KMS \
             takes on one key"
        );
        let hint = "end grants that nobody needs; grantd counts again when it is asked 5 min later";
        Err(Fault::new(Kind::KeyFull, text).hint(hint))
    }

    /// Remember what a whole listing of `key` saw.
    pub(crate) fn counted(&self, key: &KeyArn, grants: usize, seen_at: Time) {
        let census = Census { grants: u32::try_from(grants).unwrap_or(u32::MAX), seen_at };
        let (key, ledger) = (key.clone(), self.ledger.clone());
        self.spawn(async move {
            let set = ledger.run(Urgency::Work, move |books| books.set_census(&key, census)).await;
            if let Err(error) = set {
                tracing::warn!("cannot remember a count: {}", crate::fault::chain(&error));
            }
        });
    }

    fn count_soon(self: &Rc<Self>, lane: &Arc<Lane>, key: &KeyArn) {
        if !self.counting.borrow_mut().insert(key.clone()) {
            return;
        }
        let (cx, lane, key) = (Rc::clone(self), Arc::clone(lane), key.clone());
        self.spawn(async move {
            let (mut grants, began) = (0, cx.time.now().latest);
            // What keeps it from being listed is told where it matters: when its grants are looked
            // at.
            if pages(&cx, &lane, Scope::Key(&key), None, |page| grants += page.len()).await.is_ok()
            {
                cx.counted(&key, grants, began);
            }
            cx.counting.borrow_mut().remove(&key);
        });
    }
}
