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
use crate::fault::chain;
use crate::ids::Ref;
use crate::rules::time::Time;
use crate::wire::HistoryRow;

/// What is hashed is a history row of grantd, in this form and no other.
const DOMAIN: &[u8] = b"grantd history v1\n";
/// What stands in a listing for a row that cannot be read.
const UNREADABLE: &str = "unreadable";
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

/// A history row as it is stored.
pub(super) struct Stored {
    pub(super) seq: i64,
    at: i64,
    lease: Option<String>,
    kind: String,
    actor: String,
    body: String,
    pub(super) prev: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

impl Stored {
    pub(super) fn read(raw: &Raw<'_>) -> Result<Self, rusqlite::Error> {
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

    pub(super) fn digest(&self) -> [u8; 32] {
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

/// A history row for the wire. One that means nothing is shown as that, so that it hides no other.
pub(super) fn wire(raw: &Raw<'_>) -> Result<HistoryRow, LedgerError> {
    // STRICT, and the key of the table: whatever was done to the file, this one is a number.
    let seq = raw.get("seq")?;
    Ok(meant(raw).unwrap_or_else(|why| HistoryRow {
        seq,
        at: Time(raw.get("at").unwrap_or(0)),
        reference: None,
        kind: UNREADABLE.to_owned(),
        actor: "grantd".to_owned(),
        body: serde_json::json!({ "why": why }),
        hash: raw.get::<_, Vec<u8>>("hash").map_or_else(|_| String::new(), |hash| hex(&hash)),
    }))
}

fn meant(raw: &Raw<'_>) -> Result<HistoryRow, String> {
    let row = Stored::read(raw).map_err(|error| chain(&error))?;
    let reference = row.lease.as_ref().map(Ref::parse).transpose();
    Ok(HistoryRow {
        seq: row.seq,
        at: Time(row.at),
        reference: reference.map_err(|error| error.to_string())?,
        body: serde_json::from_str(&row.body).map_err(|error| error.to_string())?,
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
}
