//! What happened, and when: the sandbox's own record, against which tests measure.

use std::collections::VecDeque;

use serde::Serialize;

use crate::op::Op;

/// One call of a mutating operation, taken or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Counts from 1 without gaps, in the order in which calls took effect.
    pub seq: u64,
    /// Unix milliseconds, by the sandbox's clock, at which it took effect or was refused.
    pub at_ms: i64,
    /// The operation.
    pub op: Op,
    /// The caller's ARN.
    pub caller: String,
    /// The key's ARN, where the call got as far as finding the key.
    pub key_arn: Option<String>,
    /// The grant that was made or ended, or that the call asked to end.
    pub grant_id: Option<String>,
    /// That grant's Name.
    pub name: Option<String>,
    /// `None` if it was accepted, else the error code.
    pub refused: Option<String>,
    /// CreateGrant only: answered with a grant that existed before (Name idempotency).
    pub repeat: bool,
}

impl Entry {
    /// Whether the call was accepted.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.refused.is_none()
    }
}

/// What the running call has found out so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) key_arn: Option<String>,
    pub(crate) grant_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) repeat: bool,
}

/// The entries, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Journal {
    /// All entries that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Those after a sequence number; 0 for all.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(from..)
    }

    /// The accepted calls of one operation that did something: repeats of a named create are left
    /// out.
    pub fn accepted(&self, op: Op) -> impl Iterator<Item = &Entry> {
        self.iter().filter(move |entry| entry.op == op && entry.accepted() && !entry.repeat)
    }

    /// When the grant was ended, if a call ended it.
    #[must_use]
    pub fn ended_at(&self, grant_id: &str) -> Option<i64> {
        let ends = |e: &&Entry| matches!(e.op, Op::RetireGrant | Op::RevokeGrant) && e.accepted();
        self.iter().filter(ends).find(|e| e.grant_id.as_deref() == Some(grant_id)).map(|e| e.at_ms)
    }

    pub(crate) fn push(&mut self, mut entry: Entry, limit: usize) {
        self.next += 1;
        entry.seq = self.next;
        self.entries.push_back(entry);
        while self.entries.len() > limit {
            self.entries.pop_front();
        }
    }
}
