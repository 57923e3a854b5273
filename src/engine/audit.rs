//! The books are checked after a start, in slices, beside the endings: a large ledger must not keep
//! a daemon from its first deadline.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::Context;
use crate::ledger::{LedgerError, Urgency};
use crate::rules::time::SECOND;

/// Rows of one slice: a few milliseconds of the ledger's thread.
const SLICE: u32 = 500;
/// Between two slices the ledger is everybody else's.
const PAUSE: i64 = SECOND / 20;
/// The first slice comes once what was due at the start has been sent.
const SETTLE_IN: i64 = 2 * SECOND;
/// So many findings are told one by one.
const TOLD: usize = 10;

/// What the last check found wrong; `status` shows it.
pub(crate) type Findings = RefCell<Vec<String>>;

/// Walk all rows and the chain once.
pub(crate) async fn check(cx: Rc<Context>) {
    cx.rest(SETTLE_IN).await;
    for result in [rows(&cx).await, chain(&cx).await] {
        if let Err(error) = result {
            found(
                &cx,
                format!("the ledger cannot be read through: {}", crate::fault::chain(&error)),
            );
        }
    }
}

async fn rows(cx: &Rc<Context>) -> Result<(), LedgerError> {
    let (mut after, mut done) = (0, false);
    while !done && !cx.stopping.get() {
        let limit = usize::try_from(SLICE).unwrap_or(1);
        let slice =
            cx.ledger.run(Urgency::Work, move |books| books.check_slice(after, limit)).await?;
        for (row, why) in slice.wrong {
            found(cx, format!("row {row} of the ledger means nothing: {why}"));
        }
        (after, done) = (slice.after, slice.done);
        cx.time.pause(PAUSE).await;
    }
    Ok(())
}

async fn chain(cx: &Rc<Context>) -> Result<(), LedgerError> {
    let (mut after, mut done) = (None, false);
    while !done && !cx.stopping.get() {
        let walk =
            cx.ledger.run(Urgency::Work, move |books| books.verify_slice(after, SLICE)).await?;
        if let Some(broken) = walk.broken {
            found(cx, format!("{broken}; see docs/recovery.md"));
        }
        (after, done) = (Some(walk.head), walk.done);
        cx.time.pause(PAUSE).await;
    }
    Ok(())
}

fn found(cx: &Context, what: String) {
    tracing::error!("{what}");
    let mut findings = cx.findings.borrow_mut();
    if findings.len() < TOLD {
        findings.push(what);
    }
}
