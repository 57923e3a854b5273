//! What ends when, and where more is due than a lane's pace lets through (DESIGN 2: where several
//! are due in the same second, the k-th is sent within k / rate more).

use crate::rules::time::{DAY, HOUR, MINUTE, SECOND, Time};

/// Below this an end is on time: what is due in one second is sent within it.
const LATE: i64 = SECOND;
/// So far ahead ends are counted by the hour; beyond, by the day.
const BY_HOUR: i64 = 2 * DAY;

/// Ends that are due together faster than they can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// When the first of them is due that is sent a second late or more.
    pub from: Time,
    /// When the last of them is sent.
    pub over: Time,
    /// How many are sent late by a second or more.
    pub late: u32,
    /// How late the latest of them is sent, in ms after it is due.
    pub latest_ms: i64,
}

/// So far before a deadline it is looked for what may still be waiting then: at any pace, ten
/// minutes of ends.
pub const LOOK_BACK: i64 = 10 * MINUTE;

/// How many ends are due in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// When the span begins: a whole hour or day, UTC.
    pub from: Time,
    /// How long it is, in ms.
    pub span: i64,
    /// Ends.
    pub count: u32,
}

/// When each end leaves, if it is due at `due` (sorted) and no more than `pace` leave in any
/// second. The lane is idle now, and KMS takes what it gets.
fn sent(due: &[Time], pace: u32) -> Vec<Time> {
    let pace = usize::try_from(pace.max(1)).unwrap_or(1);
    let mut sent: Vec<Time> = Vec::with_capacity(due.len());
    for (i, at) in due.iter().enumerate() {
        let free = i.checked_sub(pace).map_or(*at, |before| sent[before].plus(SECOND));
        sent.push(free.max(*at));
    }
    sent
}

/// The bursts among ends that are due at `due` (sorted), in order.
#[must_use]
pub fn bursts(due: &[Time], pace: u32) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let mut open = false;
    for (due, sent) in due.iter().zip(sent(due, pace)) {
        let late = sent.since(*due);
        if late < LATE {
            open = false;
            continue;
        }
        match bursts.last_mut().filter(|_| open) {
            Some(burst) => {
                burst.over = sent;
                burst.late += 1;
                burst.latest_ms = burst.latest_ms.max(late);
            }
            None => {
                bursts.push(Burst { from: *due, over: sent, late: 1, latest_ms: late });
            }
        }
        open = true;
    }
    bursts
}

/// How late, in ms, one more end is sent that is due at `due`, after those that are due `before`
/// (sorted, none later than `due`).
#[must_use]
pub fn late(mut before: Vec<Time>, due: Time, pace: u32) -> i64 {
    before.push(due);
    sent(&before, pace).last().map_or(0, |sent| sent.since(due))
}

/// What is due (sorted) by the hour, later by the day; spans in which nothing is due are left out.
#[must_use]
pub fn shares(due: &[Time], now: Time) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for at in due {
        let span = if at.since(now) < BY_HOUR { HOUR } else { DAY };
        let from = at.plus(-at.0.rem_euclid(span));
        match shares.last_mut().filter(|share| at.since(share.from) < share.span) {
            Some(share) => share.count += 1,
            None => shares.push(Share { from, span, count: 1 }),
        }
    }
    shares
}

#[cfg(test)]
mod tests;
