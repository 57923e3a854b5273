//! Freezes: rows that keep leases from being made. They are looked at in the transaction that
//! records a lease, so a freeze that is on the disk is never overtaken.

use rusqlite::{Row as Raw, params};
use serde_json::json;

use super::reads::corrupt;
use super::{Ledger, LedgerError, NewLease, new, sql};
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, KeyArn};
use crate::rules::freeze::{Subject, fits};
use crate::rules::life::Origin;
use crate::rules::time::{Now, Time};
use crate::wire::{Asker, Freeze, NewFreeze, Scope};

/// Freezes at once: each create looks at all of them, and a person has to keep them in mind.
const FREEZES_MAX: usize = 100;

impl Ledger {
    /// Freeze; `keys` are those that the scope's alias names.
    ///
    /// # Errors
    /// A `Fault` of `Busy` when there are 100; those of the disk.
    pub fn freeze(
        &mut self,
        new: &NewFreeze,
        keys: &[KeyArn],
        by: &Asker,
        now: Now,
    ) -> Result<Freeze, LedgerError> {
        self.atomic(|ledger| {
            if ledger.freezes()?.len() >= FREEZES_MAX {
                let text = format!("{FREEZES_MAX} freezes stand, as many as there may be");
                return Err(Fault::new(Kind::Busy, text).hint("lift some of them").into());
            }
            let Scope { key, grantee, policy, account, caller } = &new.scope;
            let account = account.as_ref().map(AccountId::as_str);
            let conn = ledger.conn()?;
            conn.prepare_cached(sql::NEW_FREEZE)?.execute(params![
                key,
                grantee,
                policy,
                account,
                caller,
                new.reason,
                by.uid,
                by.name,
                now.latest.0,
                serde_json::to_string(keys).map_err(corrupt)?
            ])?;
            let freeze = Freeze {
                id: conn.last_insert_rowid(),
                scope: new.scope.clone(),
                keys: keys.to_vec(),
                reason: new.reason.clone(),
                by: by.clone(),
                at: now.latest,
            };
            let body = json!({ "id": freeze.id, "scope": freeze.scope, "keys": freeze.keys,
                "reason": freeze.reason });
            ledger.append(now.latest, None, "frozen", &new::actor(by.uid, &by.name), &body)?;
            Ok(freeze)
        })
    }

    /// Lift a freeze.
    ///
    /// # Errors
    /// A `Fault` of `FreezeUnknown`; those of the disk.
    pub fn lift(
        &mut self,
        id: i64,
        by: &Asker,
        reason: Option<&str>,
        now: Now,
    ) -> Result<Freeze, LedgerError> {
        self.atomic(|ledger| {
            let freeze = ledger.freezes()?.into_iter().find(|freeze| freeze.id == id);
            let Some(freeze) = freeze else {
                let text = format!("no freeze {id} stands");
                return Err(Fault::new(Kind::FreezeUnknown, text).into());
            };
            ledger.conn()?.prepare_cached(sql::LIFT_FREEZE)?.execute([id])?;
            let body = json!({ "id": id, "scope": freeze.scope, "reason": reason });
            ledger.append(now.latest, None, "unfrozen", &new::actor(by.uid, &by.name), &body)?;
            Ok(freeze)
        })
    }

    /// The freezes that stand, oldest first; at most 100.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn freezes(&self) -> Result<Vec<Freeze>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::FREEZES)?;
        let mut rows = query.query([super::reads::limit(FREEZES_MAX)])?;
        let mut freezes = Vec::new();
        while let Some(raw) = rows.next()? {
            freezes.push(read(raw)?);
        }
        Ok(freezes)
    }

    /// Refuse what a freeze fits.
    ///
    /// # Errors
    /// A `Fault` of `Frozen`; those of the disk.
    pub fn refuse_frozen(&self, subject: &Subject<'_>) -> Result<(), LedgerError> {
        let freezes = self.freezes()?;
        match freezes.iter().find(|freeze| fits(&freeze.scope, &freeze.keys, subject)) {
            Some(freeze) => Err(frozen(freeze).into()),
            None => Ok(()),
        }
    }

    /// The same for a lease about to be recorded. A proof of the way out gives nobody access.
    pub(super) fn refuse_frozen_lease(&self, lease: &NewLease) -> Result<(), LedgerError> {
        match lease.origin {
            Origin::Asked => self.refuse_frozen(&lease.subject()),
            Origin::Probe | Origin::Found | Origin::Adopted => Ok(()),
        }
    }
}

fn frozen(freeze: &Freeze) -> Fault {
    let Freeze { id, scope, reason, by, at, .. } = freeze;
    let who = new::actor(by.uid, &by.name);
    let text = format!("{who} has frozen {scope} since {at}: {reason} (freeze {id})");
    Fault::new(Kind::Frozen, text)
}

fn read(raw: &Raw<'_>) -> Result<Freeze, LedgerError> {
    let account: Option<String> = raw.get("account")?;
    Ok(Freeze {
        id: raw.get("id")?,
        scope: Scope {
            key: raw.get("key")?,
            grantee: raw.get("grantee")?,
            policy: raw.get("policy")?,
            account: account.map(AccountId::parse).transpose().map_err(corrupt)?,
            caller: raw.get("caller")?,
        },
        keys: serde_json::from_str(&raw.get::<_, String>("keys")?).map_err(corrupt)?,
        reason: raw.get("reason")?,
        by: Asker { uid: raw.get("frozen_by")?, name: raw.get("frozen_by_name")? },
        at: Time(raw.get("frozen_at")?),
    })
}
