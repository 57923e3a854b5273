//! What the ledger remembers beside leases: clocks, identities, proofs of the way out, and who
//! waits for what.

use rusqlite::{OptionalExtension as _, params};

use std::sync::Arc;

use super::columns::{parse, word};
use super::{Ledger, LedgerError, sql};
use crate::ids::{KeyArn, Ref};
use crate::kms::Lane;
use crate::rules::life::Class;
use crate::rules::time::Time;

/// At most so many waiting things are read at once: one per key with a fault of its own.
const STALLS_MAX: i64 = 1_000;

/// What outlives a restart of the clock guard (`rules::clocks`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    /// The latest time ever believed.
    pub high_water: Time,
    /// Within which boot the anchor holds.
    pub boot_id: Arc<str>,
    /// The wall clock at the anchor.
    pub anchor_wall: Time,
    /// `CLOCK_BOOTTIME` at the anchor, in ms.
    pub anchor_boot: i64,
}

/// What waits of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// All of it.
    Lane,
    /// What is ours on this key.
    Key(KeyArn),
    /// What was adopted on this key, which ends by a permission of its own.
    Adopted(KeyArn),
}

/// How the adopted grants of a key stand in the `stall` table; no ARN begins so.
const ADOPTED: &str = "adopted ";

impl Waiting {
    fn text(&self) -> String {
        match self {
            Self::Lane => String::new(),
            Self::Key(key) => key.to_string(),
            Self::Adopted(key) => format!("{ADOPTED}{key}"),
        }
    }

    fn parse(text: &str) -> Result<Self, LedgerError> {
        let key = |text: &str| {
            KeyArn::parse(text).map_err(|error| LedgerError::Corrupt(error.to_string()))
        };
        match text.strip_prefix(ADOPTED) {
            _ if text.is_empty() => Ok(Self::Lane),
            Some(arn) => key(arn).map(Self::Adopted),
            None => key(text).map(Self::Key),
        }
    }
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The lane.
    pub lane: Arc<Lane>,
    /// What of it.
    pub what: Waiting,
    /// For what.
    pub class: Class,
    /// Since when it has been this class.
    pub since: Time,
    /// Tries since then.
    pub tries: u32,
    /// When the next one comes.
    pub until: Time,
    /// KMS's own words at the last try.
    pub detail: String,
}

impl Ledger {
    /// The stored clocks; `None` on a fresh ledger.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn clocks(&self) -> Result<Option<Clocks>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HOST)?;
        let clocks = query.query_row([], |raw| {
            Ok(Clocks {
                high_water: Time(raw.get(0)?),
                boot_id: raw.get(1)?,
                anchor_wall: Time(raw.get(2)?),
                anchor_boot: raw.get(3)?,
            })
        });
        Ok(clocks.optional()?)
    }

    /// Store the clocks.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_clocks(&mut self, clocks: &Clocks) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::SET_HOST)?;
            change.execute(params![
                clocks.high_water.0,
                clocks.boot_id,
                clocks.anchor_wall.0,
                clocks.anchor_boot
            ])?;
            Ok(())
        })
    }

    /// The unique id that last stood behind a lane's credentials; `None` before it was first asked
    /// for.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn identity(&self, lane: i64) -> Result<Option<String>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::IDENTITY)?;
        let identity: Option<Option<String>> =
            query.query_row([lane], |raw| raw.get(0)).optional()?;
        Ok(identity.flatten())
    }

    /// Store it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_identity(&mut self, lane: i64, unique_id: &str) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::SET_IDENTITY)?;
            change.execute(params![lane, unique_id])?;
            Ok(())
        })
    }

    /// Whether a grant of the lane that was asked for before `at` is still owed its end.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn owes_before(&self, lane: i64, at: Time) -> Result<bool, LedgerError> {
        Ok(self.conn()?.prepare_cached(sql::OWES_BEFORE)?.exists(params![lane, at.0])?)
    }

    /// When grantd last proved that it can end grants on this key.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn proof(&self, lane: i64, key: &KeyArn) -> Result<Option<Time>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::PROOF)?;
        let at = query.query_row(params![lane, key.as_str()], |raw| raw.get(0));
        Ok(at.optional()?.map(Time))
    }

    /// Record the proof.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_proof(&mut self, lane: i64, key: &KeyArn, at: Time) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::SET_PROOF)?;
            change.execute(params![lane, key.as_str(), at.0])?;
            Ok(())
        })
    }

    /// Everything that waits, by lane and key; at most 1,000.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn stalls(&self) -> Result<Vec<Stall>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::STALLS)?;
        let mut rows = query.query([STALLS_MAX])?;
        let mut stalls = Vec::new();
        while let Some(raw) = rows.next()? {
            stalls.push(Stall {
                lane: self.lane_of(raw.get("lane")?)?,
                what: Waiting::parse(&raw.get::<_, String>("key_arn")?)?,
                class: parse(raw.get("class")?)?,
                since: Time(raw.get("since")?),
                tries: raw.get("tries")?,
                until: Time(raw.get("until")?),
                detail: raw.get("detail")?,
            });
        }
        Ok(stalls)
    }

    /// A lane (or something of it) waits until `until`. While the class stays the same, `since`
    /// stays and tries count up.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_stall(
        &mut self,
        lane: i64,
        what: &Waiting,
        class: Class,
        now: Time,
        until: Time,
        detail: &str,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::SET_STALL)?;
            let what = what.text();
            change.execute(params![lane, what, word(class), now.0, until.0, detail])?;
            Ok(())
        })
    }

    /// It waits no more. True when it did.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn clear_stall(&mut self, lane: i64, what: &Waiting) -> Result<bool, LedgerError> {
        self.atomic(|ledger| {
            let mut change = ledger.conn()?.prepare_cached(sql::CLEAR_STALL)?;
            Ok(change.execute(params![lane, what.text()])? > 0)
        })
    }

    /// What this user asked for under this idempotency key: the SHA-256 of the request, its lease,
    /// and the serial of its grant there.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn by_idempotency(
        &self,
        uid: u32,
        key: &str,
    ) -> Result<Option<([u8; 32], Ref, u32)>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::IDEMPOTENCY)?;
        let read = |raw: &rusqlite::Row<'_>| Ok((raw.get(0)?, raw.get(1)?, raw.get(2)?));
        let found: Option<([u8; 32], String, u32)> =
            query.query_row(params![uid, key], read).optional()?;
        found
            .map(|(hash, reference, serial)| {
                let reference = Ref::parse(reference)
                    .map_err(|error| LedgerError::Corrupt(error.to_string()))?;
                Ok((hash, reference, serial))
            })
            .transpose()
    }
}
