//! What the searches see change, each told once: keys that cannot be used, aliases that point
//! elsewhere, grants that are listed no more.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, params};
use serde_json::json;

use super::reads::{corrupt, limit};
use super::{Ledger, LedgerError, new, sql};
use crate::ids::{AccountId, GrantId, KeyArn, Region};
use crate::kms::Lane;
use crate::rules::time::Time;
use crate::wire::{Asker, KeyOff, MovedAlias};

/// So many of each are read: more than anybody looks through.
const SHOWN_MAX: usize = 1_000;

/// An active grant of ours, as far as a search compares it with what KMS lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listable {
    /// Its row.
    pub row: i64,
    /// KMS's id.
    pub grant_id: GrantId,
    /// Its key.
    pub key_arn: KeyArn,
    /// When its last CreateGrant left.
    pub sent: Time,
    /// Whether a look has missed it.
    pub missing: bool,
}

impl Ledger {
    /// Active grants of a lane that we made or found, after this key and row; at most 1,000.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn listable(
        &self,
        lane: i64,
        after: Option<(&KeyArn, i64)>,
    ) -> Result<Vec<Listable>, LedgerError> {
        let (key, row) = after.map_or(("", 0), |(key, row)| (key.as_str(), row));
        let mut query = self.conn()?.prepare_cached(sql::LISTABLE)?;
        let mut rows = query.query(params![lane, key, row, limit(SHOWN_MAX)])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(Listable {
                row: raw.get(0)?,
                grant_id: GrantId::parse(raw.get::<_, String>(1)?).map_err(corrupt)?,
                key_arn: KeyArn::parse(raw.get::<_, String>(2)?).map_err(corrupt)?,
                sent: Time(raw.get(3)?),
                missing: raw.get(4)?,
            });
        }
        Ok(found)
    }

    /// How many open grants were only found, counted up to 1,000: they use up no room of a policy.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn found_live(&self) -> Result<i64, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::FOUND_LIVE)?;
        Ok(query.query_row([limit(SHOWN_MAX)], |raw| raw.get(0))?)
    }

    /// How many grants that were made here KMS lists no more before their deadlines; counted up to
    /// 1,000. What was only found, its own host or people there may end early.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn missing(&self) -> Result<i64, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::MISSING)?;
        Ok(query.query_row([limit(SHOWN_MAX)], |raw| raw.get(0))?)
    }

    /// Note how the keys of a lane are: those in `off` cannot be used, the others of `seen` can.
    /// What is neither has no lease any more. What is new, by key and state (none: it can be used
    /// again).
    ///
    /// # Errors
    /// Those of the disk.
    pub fn note_keys(
        &mut self,
        lane: i64,
        off: &BTreeMap<KeyArn, String>,
        seen: &BTreeSet<KeyArn>,
        now: Time,
    ) -> Result<Vec<(KeyArn, Option<String>)>, LedgerError> {
        let known = self.keys_off_of(lane)?;
        let old = known.iter().filter(|(key, state)| off.get(*key) != Some(state));
        let old: Vec<KeyArn> = old.map(|(key, _)| key.clone()).collect();
        let new = off.iter().filter(|(key, state)| known.get(*key) != Some(state));
        let new: Vec<(KeyArn, String)> =
            new.map(|(key, state)| (key.clone(), state.clone())).collect();
        if old.is_empty() && new.is_empty() {
            return Ok(Vec::new());
        }
        self.atomic(|ledger| {
            let mut told = Vec::new();
            for key in &old {
                ledger.conn()?.prepare_cached(sql::KEY_ON)?.execute(params![lane, key.as_str()])?;
                if seen.contains(key) && !off.contains_key(key) {
                    let body = json!({ "key-arn": key });
                    ledger.append(now, None, "key-usable-again", "grantd", &body)?;
                    told.push((key.clone(), None));
                }
            }
            for (key, state) in new {
                let values = params![lane, key.as_str(), state, now.0];
                ledger.conn()?.prepare_cached(sql::KEY_OFF)?.execute(values)?;
                let body = json!({ "key-arn": key, "state": state });
                ledger.append(now, None, "key-unusable", "grantd", &body)?;
                told.push((key, Some(state)));
            }
            Ok(told)
        })
    }

    fn keys_off_of(&self, lane: i64) -> Result<BTreeMap<KeyArn, String>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::KEYS_OFF_OF)?;
        let keys = query.query_map([lane], |raw| Ok((raw.get::<_, String>(0)?, raw.get(1)?)))?;
        keys.map(|row| {
            let (key, state) = row?;
            Ok((KeyArn::parse(key).map_err(corrupt)?, state))
        })
        .collect()
    }

    /// The keys with live leases that cannot be used; at most 1,000.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keys_off(&self) -> Result<Vec<KeyOff>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::KEYS_OFF)?;
        let mut rows = query.query([limit(SHOWN_MAX)])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(KeyOff {
                key_arn: KeyArn::parse(raw.get::<_, String>(0)?).map_err(corrupt)?,
                state: raw.get(1)?,
                since: Time(raw.get(2)?),
            });
        }
        Ok(found)
    }

    /// Compare aliases of a lane with where they pointed; one that is new is pinned. Those that are
    /// not to be believed.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn pin(
        &mut self,
        lane: i64,
        aliases: &[(String, KeyArn)],
        now: Time,
    ) -> Result<Vec<String>, LedgerError> {
        let lane = self.lane_of(lane)?;
        let mut moved = Vec::new();
        for (alias, is) in aliases {
            let known = self.pinned(&lane, alias)?;
            match known {
                Some((was, told)) if was == is.as_str() => {
                    if told.is_some() {
                        self.alias_moves(&lane, alias, None, now)?;
                    }
                }
                Some((_, told)) => {
                    if told.as_deref() != Some(is.as_str()) {
                        self.alias_moves(&lane, alias, Some(is), now)?;
                    }
                    moved.push(alias.clone());
                }
                None => {
                    let (account, region) = (lane.account.as_str(), lane.region.as_str());
                    let values = params![account, region, alias, is.as_str(), now.0];
                    self.atomic(|ledger| {
                        ledger.conn()?.prepare_cached(sql::PIN)?.execute(values)?;
                        Ok(())
                    })?;
                }
            }
        }
        Ok(moved)
    }

    fn pinned(
        &self,
        lane: &Lane,
        alias: &str,
    ) -> Result<Option<(String, Option<String>)>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::PINNED)?;
        let values = params![lane.account.as_str(), lane.region.as_str(), alias];
        let pinned = query.query_row(values, |raw| Ok((raw.get(0)?, raw.get(1)?)));
        Ok(pinned.optional()?)
    }

    /// It points elsewhere now, or (`None`) where it did.
    fn alias_moves(
        &mut self,
        lane: &Lane,
        alias: &str,
        to: Option<&KeyArn>,
        now: Time,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let (account, region) = (lane.account.as_str(), lane.region.as_str());
            let at = to.map(|_| now.0);
            let values = params![account, region, alias, to.map(KeyArn::as_str), at];
            ledger.conn()?.prepare_cached(sql::ALIAS_MOVES)?.execute(values)?;
            let was = ledger.pinned(lane, alias)?.map(|(was, _)| was);
            let kind = if to.is_some() { "alias-moved" } else { "alias-back" };
            let body = json!({ "account": account, "region": region, "alias": alias, "was": was,
                "is": to });
            ledger.append(now, None, kind, "grantd", &body)
        })
    }

    /// The aliases that wait to be accepted; at most 1,000.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn moved_aliases(&self) -> Result<Vec<MovedAlias>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::MOVED_ALIASES)?;
        let mut rows = query.query([limit(SHOWN_MAX)])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(MovedAlias {
                account: AccountId::parse(raw.get::<_, String>(0)?).map_err(corrupt)?,
                region: Region::parse(raw.get::<_, String>(1)?).map_err(corrupt)?,
                alias: raw.get(2)?,
                was: KeyArn::parse(raw.get::<_, String>(3)?).map_err(corrupt)?,
                is: KeyArn::parse(raw.get::<_, String>(4)?).map_err(corrupt)?,
                since: Time(raw.get(5)?),
            });
        }
        Ok(found)
    }

    /// Let moved aliases point where they point, as somebody has seen it: one that has moved on
    /// since stays.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn accept_aliases(
        &mut self,
        moved: &[MovedAlias],
        by: &Asker,
        reason: Option<&str>,
        now: Time,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            for alias in moved {
                let (account, region) = (alias.account.as_str(), alias.region.as_str());
                let (was, is) = (alias.was.as_str(), alias.is.as_str());
                let values = params![account, region, alias.alias, was, is, now.0];
                ledger.conn()?.prepare_cached(sql::ACCEPT_ALIAS)?.execute(values)?;
                let mut body = json!(alias);
                body["reason"] = json!(reason);
                let actor = new::actor(by.uid, &by.name);
                ledger.append(now, None, "alias-accepted", &actor, &body)?;
            }
            Ok(())
        })
    }
}
