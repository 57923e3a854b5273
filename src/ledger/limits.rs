//! Hard limits: live leases per policy and per asker, counted by the very transaction that makes
//! one more, so that two at once cannot both be the last; and how full a key was seen.

use rusqlite::{OptionalExtension as _, params};

use super::{Ledger, LedgerError, NewLease, sql};
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::rules::time::Time;

/// What a whole listing of a key saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Grants, whoever made them.
    pub grants: u32,
    /// When the listing was begun.
    pub seen_at: Time,
}

impl Ledger {
    /// Refuse a lease above what its policy lets live at once.
    pub(super) fn refuse_too_many(&self, new: &NewLease) -> Result<(), LedgerError> {
        let (Some(max), Some(policy)) = (new.max_live, &new.policy) else { return Ok(()) };
        let too_many = |text: String| Err(Fault::new(Kind::TooManyLive, text).into());
        let conn = self.conn()?;
        if let Some(asker) = &new.asker {
            let mut count = conn.prepare_cached(sql::LIVE_OF_ASKER)?;
            let live: u32 =
                count.query_row(params![policy, asker.uid, max.asker], |raw| raw.get(0))?;
            if live >= max.asker {
                let text = format!(
                    "{} has {live} live leases under policy {policy}, as many as it allows one \
                     asker at once (`max-live-per-asker`)",
                    asker.name
                );
                return too_many(text);
            }
        }
        let mut count = conn.prepare_cached(sql::LIVE_OF_POLICY)?;
        let live: u32 = count.query_row(params![policy, max.policy], |raw| raw.get(0))?;
        if live >= max.policy {
            let text = format!(
                "policy {policy} has {live} live leases, as many as it allows at once (`max-live`)"
            );
            return too_many(text);
        }
        Ok(())
    }

    /// What the last whole listing of a key saw; `None` before the first.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn census(&self, key: &KeyArn) -> Result<Option<Census>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::CENSUS)?;
        let seen = query.query_row([key.as_str()], |raw| {
            Ok(Census { grants: raw.get(0)?, seen_at: Time(raw.get(1)?) })
        });
        Ok(seen.optional()?)
    }

    /// Remember what a whole listing saw.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_census(&mut self, key: &KeyArn, census: Census) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::SET_CENSUS)?;
            change.execute(params![key.as_str(), census.grants, census.seen_at.0])?;
            Ok(())
        })
    }
}
