//! Leases that live only while somebody holds them. The row is born with the lease and goes with
//! the wish to end it, in one transaction each: whatever the daemon forgets, the ledger does not.

use rusqlite::OptionalExtension as _;

use super::reads::{LOOK_MAX, corrupt, limit};
use super::{Ledger, LedgerError, Note, Row, new, sql};
use crate::ids::Ref;
use crate::rules::life::Why;
use crate::rules::time::Now;

impl Ledger {
    /// The held leases, oldest first; at most 1,000, which is more than the API lets be held at
    /// once.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn held(&self) -> Result<Vec<Ref>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HELD)?;
        let refs = query.query_map([limit(LOOK_MAX)], |raw| raw.get::<_, String>("ref"))?;
        refs.map(|text| Ref::parse(text?).map_err(corrupt)).collect()
    }

    /// End a lease that nobody holds any more, told as its holder's doing: he went, for this `why`.
    /// Nothing is done to one that is not held: then its end is wanted already.
    ///
    /// # Errors
    /// Those of [`Ledger::end_lease`].
    pub fn end_held(
        &mut self,
        reference: &Ref,
        now: Now,
        why: &str,
    ) -> Result<Vec<Row>, LedgerError> {
        self.atomic(|ledger| {
            let Some((_, actor)) = ledger.hold(reference)? else { return Ok(Vec::new()) };
            let note = Note { actor, detail: Some(why.to_owned()), request_id: None };
            ledger.end_lease(reference, Why::Asked, now, &note)
        })
    }

    /// Nobody has to hold a lease whose end is wanted, also while its grant is still being made.
    pub(super) fn hold_over(&self, reference: &Ref) -> Result<(), LedgerError> {
        if let Some((lease, _)) = self.hold(reference)? {
            self.conn()?.prepare_cached(sql::HOLD_OVER)?.execute([lease])?;
        }
        Ok(())
    }

    /// The lease's row, and whoever holds it as he stands in the history: the one who asked for it.
    fn hold(&self, reference: &Ref) -> Result<Option<(i64, String)>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HOLD)?;
        let held = query.query_row([reference.as_str()], |raw| {
            let uid = raw.get::<_, Option<u32>>("asker_uid")?;
            let name = raw.get::<_, Option<String>>("asker")?.unwrap_or_default();
            let holder = uid.map_or_else(|| "grantd".to_owned(), |uid| new::actor(uid, &name));
            Ok((raw.get("lease")?, holder))
        });
        Ok(held.optional()?)
    }
}
