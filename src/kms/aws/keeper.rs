//! The credentials of one lane, fetched before they are needed.
//!
//! The SDK's own cache fetches on demand, within the call: the first end after an idle hour would
//! pay for STS, and a refusal of STS would look like a lost CreateGrant (kms-facts 12). Here a call
//! starts only with credentials in hand, so that "no credentials" is always *nothing was sent*.
//!
//! Nothing is durable. Expiry is judged by AWS's last `Date` and the boot clock: on a host whose
//! wall clock is a day ahead, every new credential would otherwise look expired.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use futures_util::future::{FutureExt as _, LocalBoxFuture, Shared};

use super::settings::within;
use super::source::{Lack, Source};
use crate::clock::Clock;
use crate::rules::time::{MINUTE, SECOND, Time};

/// Refreshed when no longer valid than this. EC2 offers new ones at least 5 min before the old ones
/// expire.
const REFRESH_BEFORE: i64 = 10 * MINUTE;
/// Not used for a call when no longer valid than this: it would arrive with expired ones.
const SPARE: i64 = 10 * SECOND;
/// Credentials that name no expiry are read again this often (the SDK's own default): a file may
/// have new ones.
const UNDATED_LIFE: i64 = 15 * MINUTE;

/// A fetch is given up, and another begun, when it has no answer for so long. Until then whoever
/// comes goes on waiting for it: a slow `credential_process` would never end if each wait began it
/// anew.
const HUNG: i64 = MINUTE;
/// So many fetches that were given up may still be under way: the SDK does not end a
/// `credential_process` that hangs, and grantd must not fill the host with them.
const HUNG_MAX: usize = 4;

/// Where the SDK finds the credentials: whatever was put there last.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<RwLock<Option<Credentials>>>);

impl Slot {
    pub(super) fn put(&self, credentials: Credentials) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
    }
}

impl ProvideCredentials for Slot {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        future::ProvideCredentials::ready(
            held.ok_or_else(|| CredentialsError::not_loaded("none were fetched yet")),
        )
    }
}

/// AWS's clock as it was last heard: (`Date`, boot-time then).
#[derive(Debug, Clone, Default)]
pub(super) struct Witness(Rc<Cell<Option<(Time, i64)>>>);

impl Witness {
    pub(super) fn heard(&self, clock: &dyn Clock, date: Option<Time>) {
        if let Some(date) = date {
            self.0.set(Some((date, clock.read().boot)));
        }
    }

    /// AWS's time now, as far as we know.
    fn now(&self, clock: &dyn Clock) -> Time {
        let reading = clock.read();
        match self.0.get() {
            Some((date, boot)) => date.plus(reading.boot.saturating_sub(boot)),
            None => reading.wall,
        }
    }
}

/// When the credentials in the slot were fetched, and how long they serve.
#[derive(Debug, Clone, Copy)]
struct Held {
    at: Time,
    /// `None`: they name no expiry.
    expires: Option<Time>,
}

impl Held {
    fn usable(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| expires.since(now) > SPARE)
    }

    /// Due for a refresh, while they still serve.
    fn stale(&self, now: Time) -> bool {
        match self.expires {
            Some(expires) => {
                let half = expires.since(self.at) / 2;
                expires.since(now) <= REFRESH_BEFORE.min(half)
            }
            None => now.since(self.at) >= UNDATED_LIFE,
        }
    }
}

type Fetch = Shared<LocalBoxFuture<'static, Result<(), Lack>>>;

/// Keeps the credentials of one lane fresh.
pub(super) struct Keeper {
    clock: Rc<dyn Clock>,
    witness: Witness,
    source: Source,
    slot: Slot,
    patience: i64,
    held: Cell<Option<Held>>,
    /// How many were fetched: tells whose fault a refusal is.
    generation: Cell<u64>,
    /// The fetch under way: who comes meanwhile waits for it, and shares its failure.
    fetching: RefCell<Option<UnderWay>>,
    /// Those that were given up and have not ended.
    hung: RefCell<Vec<Fetch>>,
}

#[derive(Clone)]
struct UnderWay {
    /// Boot-time.
    since: i64,
    fetch: Fetch,
}

impl Keeper {
    /// Puts into `slot` what `source` gives; a fetch takes at most `patience` ms.
    pub(super) fn new(
        clock: Rc<dyn Clock>,
        witness: Witness,
        source: Source,
        slot: Slot,
        patience: i64,
    ) -> Rc<Self> {
        Rc::new(Self {
            clock,
            witness,
            source,
            slot,
            patience,
            held: Cell::new(None),
            generation: Cell::new(0),
            fetching: RefCell::new(None),
            hung: RefCell::default(),
        })
    }

    /// Make sure that the slot holds credentials; the generation they are of.
    pub(super) async fn ready(self: &Rc<Self>) -> Result<u64, Lack> {
        let now = self.witness.now(&*self.clock);
        if !self.held.get().is_some_and(|held| held.usable(now)) {
            self.fetch().await?;
        }
        Ok(self.generation.get())
    }

    /// Refresh them if they do not last much longer.
    pub(super) async fn warm(self: &Rc<Self>) -> Result<(), Lack> {
        let now = self.witness.now(&*self.clock);
        match self.held.get() {
            Some(held) if held.usable(now) && !held.stale(now) => Ok(()),
            _ => self.fetch().await,
        }
    }

    /// AWS refused them: fetch before the next call, unless that was done since.
    pub(super) fn doubt(&self, generation: u64) {
        if self.generation.get() == generation {
            self.held.set(None);
        }
    }

    /// What to say of a fetch under way that is given up after `ms`.
    pub(super) fn cut_off(&self, ms: i64) -> Lack {
        self.source.cut_off(ms)
    }

    /// Fetch, or wait for the fetch under way; nobody waits longer than his patience.
    async fn fetch(self: &Rc<Self>) -> Result<(), Lack> {
        let fetched = within(&*self.clock, self.patience, self.under_way()).await;
        fetched.unwrap_or_else(|| Err(self.cut_off(self.patience)))
    }

    /// The fetch to wait for: the one under way, or a new one.
    fn under_way(self: &Rc<Self>) -> Fetch {
        let now = self.clock.read().boot;
        let old = self.fetching.borrow().clone();
        if let Some(UnderWay { since, fetch }) = old {
            let age = now.saturating_sub(since);
            // Those who waited for it have left, so nobody drove it on: it may have ended since. An
            // old failure is no answer to who asks now.
            match fetch.clone().now_or_never() {
                Some(Err(_)) if age >= self.patience => {}
                None if age >= HUNG && self.may_give_up(&fetch) => {}
                Some(_) | None => return fetch,
            }
        }
        let fetch = Rc::clone(self).fetch_once(now).boxed_local().shared();
        self.fetching.replace(Some(UnderWay { since: now, fetch: fetch.clone() }));
        fetch
    }

    /// Put a hung fetch aside, if not too many are there already.
    fn may_give_up(&self, fetch: &Fetch) -> bool {
        let mut hung = self.hung.take();
        hung.retain(|fetch| fetch.clone().now_or_never().is_none());
        let room = hung.len() < HUNG_MAX;
        hung.extend(room.then(|| fetch.clone()));
        self.hung.replace(hung);
        room
    }

    async fn fetch_once(self: Rc<Self>, since: i64) -> Result<(), Lack> {
        let fetched = self.source.fetch().await;
        let mut fetching = self.fetching.borrow_mut();
        fetching.take_if(|current| current.since == since);
        drop(fetching);
        let (mut credentials, date) = fetched?;
        self.witness.heard(&*self.clock, date);
        let expires = credentials.expiry().map(|at| {
            let after = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Time(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
        });
        // The SDK must not judge the expiry by the wall clock, which may be wrong.
        *credentials.expiry_mut() = None;
        self.slot.put(credentials);
        let at = self.witness.now(&*self.clock);
        self.held.set(Some(Held { at, expires }));
        self.generation.set(self.generation.get().wrapping_add(1));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
