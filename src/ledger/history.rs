//! The history: append-only, each row carrying the SHA-256 of the one before, written in the
//! transaction of the change it tells of.
//!
//! `hash = SHA-256(domain ‖ seq ‖ at ‖ lease ‖ kind ‖ actor ‖ body ‖ prev)`: numbers as 8 bytes
//! big-endian, texts as their length (8 bytes) and their bytes, a missing lease as one zero byte
//! before which a present one has a one. So no two different rows have the same form. Whoever owns
//! file and journal can rewrite both; against anybody else the head in the journal shows an edit,
//! an insertion, a deletion, and a cut tail.

use rusqlite::{OptionalExtension as _, Row as Raw, params};
use sha2::{Digest as _, Sha256};

use super::{Ledger, LedgerError, sql};
use crate::ids::Ref;
use crate::rules::time::Time;
use crate::wire::{Broken, HistoryRow};

/// What is hashed is a history row of grantd, in this form and no other.
const DOMAIN: &[u8] = b"grantd history v1\n";
/// At most so many rows are walked in one job (about 10 ms), so that endings never wait for a
/// verification.
const WALK_MAX: u32 = 1_000;

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last row's number; 0 while there is none.
    pub seq: i64,
    /// Its hash; zeros while there is none.
    pub hash: [u8; 32],
}

impl Head {
    /// The hash in hex, as the journal and `history verify` show it.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.hash)
    }
}

/// One slice of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// How many rows of this slice fit.
    pub rows: i64,
    /// The last row that fits: where the next slice starts.
    pub head: Head,
    /// The first row that does not, and why.
    pub broken: Option<Broken>,
    /// There are no more rows, or there is no use in going on.
    pub done: bool,
}

/// A history row as it is stored.
struct Stored {
    seq: i64,
    at: i64,
    lease: Option<String>,
    kind: String,
    actor: String,
    body: String,
    prev: Vec<u8>,
    hash: Vec<u8>,
}

impl Stored {
    fn read(raw: &Raw<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            seq: raw.get("seq")?,
            at: raw.get("at")?,
            lease: raw.get("lease")?,
            kind: raw.get("kind")?,
            actor: raw.get("actor")?,
            body: raw.get("body")?,
            prev: raw.get("prev")?,
            hash: raw.get("hash")?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut sum = Sha256::new();
        sum.update(DOMAIN);
        sum.update(self.seq.to_be_bytes());
        sum.update(self.at.to_be_bytes());
        let mut field = |bytes: &[u8]| {
            sum.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            sum.update(bytes);
        };
        match &self.lease {
            None => field(&[0]),
            Some(lease) => field(&[&[1], lease.as_bytes()].concat()),
        }
        field(self.kind.as_bytes());
        field(self.actor.as_bytes());
        field(self.body.as_bytes());
        field(&self.prev);
        sum.finalize().into()
    }
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// A history row for the wire.
pub(super) fn wire(raw: &Raw<'_>) -> Result<HistoryRow, LedgerError> {
    let row = Stored::read(raw)?;
    let corrupt = |why: String| LedgerError::Corrupt(format!("history row {}: {why}", row.seq));
    Ok(HistoryRow {
        seq: row.seq,
        at: Time(row.at),
        reference: row
            .lease
            .as_ref()
            .map(Ref::parse)
            .transpose()
            .map_err(|error| corrupt(error.to_string()))?,
        body: serde_json::from_str(&row.body).map_err(|error| corrupt(error.to_string()))?,
        hash: hex(&row.hash),
        kind: row.kind,
        actor: row.actor,
    })
}

impl Ledger {
    /// The end of the chain: goes to the journal at least once a minute.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn head(&self) -> Result<Head, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_HEAD)?;
        let head = query
            .query_row([], |raw| Ok(Head { seq: raw.get(0)?, hash: raw.get(1)? }))
            .optional()?;
        Ok(head.unwrap_or_default())
    }

    /// Add a row for what is no transition of a grant: `daemon-started`, `refused`, `alarm`, ….
    ///
    /// # Errors
    /// Those of the disk.
    pub fn note(
        &mut self,
        at: Time,
        lease: Option<&Ref>,
        kind: &str,
        actor: &str,
        body: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| ledger.append(at, lease, kind, actor, body))
    }

    /// Add a row that a lease has once: what is seen again and again is news the first time, also
    /// over restarts.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn note_once(
        &mut self,
        at: Time,
        lease: &Ref,
        kind: &str,
        body: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        let told = {
            let mut query = self.conn()?.prepare_cached(sql::HISTORY_HAS)?;
            query.exists(params![lease.as_str(), kind])?
        };
        if told { Ok(()) } else { self.note(at, Some(lease), kind, "grantd", body) }
    }

    /// Add a row within the caller's transaction.
    pub(super) fn append(
        &mut self,
        at: Time,
        lease: Option<&Ref>,
        kind: &str,
        actor: &str,
        body: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        let head = self.head()?;
        let row = Stored {
            seq: head.seq + 1,
            at: at.0,
            lease: lease.map(ToString::to_string),
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            body: body.to_string(),
            prev: head.hash.to_vec(),
            hash: Vec::new(),
        };
        let hash = row.digest();
        let mut insert = self.conn()?.prepare_cached(sql::NEW_HISTORY)?;
        insert.execute(params![
            row.seq, row.at, row.lease, row.kind, row.actor, row.body, row.prev, hash
        ])?;
        Ok(())
    }

    /// Walk the chain on from `after` (`Head::default()` to start), over at most `limit` (and
    /// 1,000) rows.
    ///
    /// # Errors
    /// Those of the disk. A chain that does not fit is no error: [`Walk::broken`] says where.
    pub fn verify_slice(&self, after: Head, limit: u32) -> Result<Walk, LedgerError> {
        let limit = limit.min(WALK_MAX);
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_FROM)?;
        let mut rows = query.query(params![after.seq, limit])?;
        let mut walk = Walk { rows: 0, head: after, broken: None, done: false };
        while let Some(raw) = rows.next()? {
            let row = Stored::read(raw)?;
            let digest = row.digest();
            if let Some(why) = misfit(&row, &walk.head, &digest) {
                let seq = row.seq;
                walk.broken = Some(Broken { seq, why });
                walk.done = true;
                return Ok(walk);
            }
            walk.rows += 1;
            walk.head = Head { seq: row.seq, hash: digest };
        }
        walk.done = walk.rows < i64::from(limit);
        Ok(walk)
    }

    /// The whole chain, slice by slice, for who keeps nobody waiting by it: of a copy.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn verify(&self) -> Result<Walk, LedgerError> {
        let mut all = Walk { rows: 0, head: Head::default(), broken: None, done: false };
        while !all.done {
            let slice = self.verify_slice(all.head, WALK_MAX)?;
            all = Walk { rows: all.rows + slice.rows, ..slice };
        }
        Ok(all)
    }

    /// The hash of row `seq`, to compare with a head that the journal holds; `None` when the tail
    /// was cut before it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn hash_of(&self, seq: i64) -> Result<Option<[u8; 32]>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_HASH)?;
        Ok(query.query_row([seq], |raw| raw.get(0)).optional()?)
    }
}

fn misfit(row: &Stored, before: &Head, digest: &[u8; 32]) -> Option<String> {
    if row.seq != before.seq + 1 {
        return Some(format!("row {} is missing, or was removed", before.seq.saturating_add(1)));
    }
    if row.prev != before.hash {
        return Some("it does not follow the row before: one of them was changed".to_owned());
    }
    (row.hash != digest).then(|| "its content does not fit its hash: it was changed".to_owned())
}
