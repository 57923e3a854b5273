//! Leases that live only while somebody holds them. The row is born with the lease and goes with
//! the wish to end it, in one transaction each: whatever the daemon forgets, the ledger does not.

use rusqlite::OptionalExtension as _;

use super::reads::{LOOK_MAX, corrupt, limit};
use super::{Ledger, LedgerError, Note, Row, new, sql};
use crate::ids::Ref;
use crate::rules::life::Why;
use crate::rules::time::Now;

/// A lease that lives only while it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The lease.
    pub reference: Ref,
    /// Who asked for it, and so holds it, as he stands in the history.
    pub holder: String,
}

impl Ledger {
    /// The held leases, oldest first; at most 1,000, which is more than the API lets be held at
    /// once.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn held(&self) -> Result<Vec<Hold>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HELD)?;
        let mut rows = query.query([limit(LOOK_MAX)])?;
        let mut held = Vec::new();
        while let Some(raw) = rows.next()? {
            let reference = Ref::parse(raw.get::<_, String>("ref")?).map_err(corrupt)?;
            let uid = raw.get::<_, Option<u32>>("asker_uid")?;
            let name = raw.get::<_, Option<String>>("asker")?.unwrap_or_default();
            let holder = uid.map_or_else(|| "grantd".to_owned(), |uid| new::actor(uid, &name));
            held.push(Hold { reference, holder });
        }
        Ok(held)
    }

    /// End a lease that nobody holds any more. Nothing is done to one that is not held: then its
    /// end is wanted already.
    ///
    /// # Errors
    /// Those of [`Ledger::end_lease`].
    pub fn end_held(
        &mut self,
        reference: &Ref,
        now: Now,
        note: &Note,
    ) -> Result<Vec<Row>, LedgerError> {
        self.atomic(|ledger| match ledger.hold(reference)? {
            Some(_) => ledger.end_lease(reference, Why::Asked, now, note),
            None => Ok(Vec::new()),
        })
    }

    /// Nobody has to hold a lease whose end is wanted, also while its grant is still being made.
    pub(super) fn hold_over(&self, reference: &Ref) -> Result<(), LedgerError> {
        if let Some(lease) = self.hold(reference)? {
            self.conn()?.prepare_cached(sql::HOLD_OVER)?.execute([lease])?;
        }
        Ok(())
    }

    fn hold(&self, reference: &Ref) -> Result<Option<i64>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HOLD)?;
        Ok(query.query_row([reference.as_str()], |raw| raw.get(0)).optional()?)
    }
}
