//! Listings, page by page.

use std::rc::Rc;

use super::super::context::Context;
use super::super::lane::{Op, Sent};
use crate::ids::KeyArn;
use crate::kms::{Lane, Listed, Scope};
use crate::rules::life::Class;
use crate::rules::pace::Part;

/// A listing of so many pages is a key with twice KMS's default quota of grants: something is wrong
/// with the paging.
const PAGES_MAX: usize = 1_000;
/// A marker that KMS takes no more begins the listing anew, so often.
const RESTARTS: usize = 3;

/// The pages of one listing, in their order.
pub(crate) struct Pages<'a> {
    cx: &'a Rc<Context>,
    lane: &'a Lane,
    scope: Scope<'a>,
    waits: Option<&'a KeyArn>,
    /// `None` once it came to its end.
    next: Option<Option<String>>,
    seen: usize,
}

impl<'a> Pages<'a> {
    /// Where `waits` names a key, that key waits after a refusal.
    pub(crate) const fn new(
        cx: &'a Rc<Context>,
        lane: &'a Lane,
        scope: Scope<'a>,
        waits: Option<&'a KeyArn>,
    ) -> Self {
        Self { cx, lane, scope, waits, next: Some(None), seen: 0 }
    }

    /// The next page; `None` behind the last one. Or what kept us from it: then all that came
    /// before is no whole listing.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, Class> {
        let Self { cx, lane, scope, waits, .. } = *self;
        let Some(marker) = self.next.take() else { return Ok(None) };
        if self.seen == PAGES_MAX {
            return Err(Class::Invalid);
        }
        cx.place(lane, Op::List, Part::Due).await;
        // Hundreds of pages are more than a stop waits for.
        if cx.stopping.get() {
            return Err(Class::Unavailable);
        }
        let answer = cx.kms.page(lane, scope, marker).await;
        cx.heard(lane, Op::List, waits, Sent::default(), &answer);
        let page = answer.outcome.done().inspect_err(|class| {
            tracing::warn!(account = %lane.account, region = %lane.region, ?class,
                "a listing broke off: {}", answer.detail.as_deref().unwrap_or("no answer"));
        })?;
        self.seen += 1;
        self.next = page.marker.map(Some);
        Ok(Some(page.grants))
    }
}

/// A listing, followed to its end; or what kept us from it.
pub(crate) async fn list(
    cx: &Rc<Context>,
    lane: &Lane,
    scope: Scope<'_>,
) -> Result<Vec<Listed>, Class> {
    let key = match scope {
        Scope::One(key, _) | Scope::Key(key) => Some(key),
        Scope::Retirable => None,
    };
    let (mut all, began) = (Vec::new(), cx.time.now().latest);
    let mut left = RESTARTS;
    while let Err(class) = pages(cx, lane, scope, key, |page| all.extend(page)).await {
        // Such as a marker that KMS does not know any more: what came before it is no part.
        if class != Class::Invalid || left == 0 {
            return Err(class);
        }
        left -= 1;
        all.clear();
    }
    if let Scope::Key(key) = scope {
        cx.counted(key, all.len(), began);
    }
    Ok(all)
}

/// Each page of a listing to its end, or what kept us from it. Where `waits` names a key, that key
/// waits after a refusal.
pub(crate) async fn pages(
    cx: &Rc<Context>,
    lane: &Lane,
    scope: Scope<'_>,
    waits: Option<&KeyArn>,
    mut take: impl FnMut(Vec<Listed>),
) -> Result<(), Class> {
    let mut pages = Pages::new(cx, lane, scope, waits);
    while let Some(page) = pages.next().await? {
        take(page);
    }
    Ok(())
}
