//! The ledger of these tests, and the fault that may come in place of the next answer.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt, ready};
use grantd::api::Books;
use grantd::fault::{Fault, Kind};
use grantd::rules::access::Sight;
use grantd::wire::*;
use serde_json::json;

use super::support::{HASH, REF, freeze, lease};

/// What the next answer is to be, whatever it would have been.
#[derive(Clone, Default)]
pub(crate) struct NextFault(Arc<Mutex<Option<Kind>>>);

impl NextFault {
    pub(crate) fn set(&self, kind: Kind) {
        *self.0.lock().unwrap() = Some(kind);
    }

    pub(crate) fn or<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        match self.0.lock().unwrap().take() {
            Some(kind) => Err(Fault::new(kind, "as the test wants it")),
            None => answer,
        }
    }
}

/// The ledger of these tests.
pub(crate) struct Shelf {
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) next_fault: NextFault,
}

impl Shelf {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn answer<'a, T: Send + 'a>(
        &self,
        answer: Result<T, Fault>,
    ) -> BoxFuture<'a, Result<T, Fault>> {
        ready(self.next_fault.or(answer)).boxed()
    }
}

impl Books for Shelf {
    fn lease<'a>(&'a self, prefix: &'a str, sight: Sight) -> BoxFuture<'a, Result<Lease, Fault>> {
        self.note(format!("lease {prefix}"));
        let lease = lease("active");
        let owner = lease.asker.as_ref().map(|asker| asker.uid);
        let found = match prefix {
            "g-0" => None,
            _ => Some(lease).filter(|lease| sight.takes_in(lease.policy.as_deref(), owner)),
        };
        let unknown = || Fault::new(Kind::RefUnknown, format!("no lease {prefix}"));
        let found = found.ok_or_else(unknown);
        self.answer(found)
    }

    fn leases(&self, filter: ListLeases, _: u32) -> BoxFuture<'_, Result<Page<Lease>, Fault>> {
        self.note(format!("{filter:?}"));
        let page = Page { items: vec![lease("active")], next: Some("c1".into()) };
        self.answer(Ok(page))
    }

    fn history(&self, filter: ListHistory) -> BoxFuture<'_, Result<Page<HistoryRow>, Fault>> {
        self.note(format!("{filter:?}"));
        let row = serde_json::from_value(json!({
            "seq": 1, "at": "2026-11-23T16:00:00Z", "ref": REF, "kind": "granted",
            "actor": "kms", "body": {"grant-id": "abc"}, "hash": HASH,
        }));
        self.answer(Ok(Page { items: vec![row.unwrap()], next: None }))
    }

    fn freezes(&self) -> BoxFuture<'_, Result<Page<Freeze>, Fault>> {
        self.note("freezes".into());
        self.answer(Ok(Page { items: vec![freeze()], next: None }))
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verified, Fault>> {
        self.note("verify".into());
        self.answer(Ok(Verified { rows: 1, seq: 1, head: HASH.into(), broken: None }))
    }
}

pub(crate) fn reloaded(dry_run: bool) -> Reloaded {
    let changed = Changed {
        what: "policy readers".to_owned(),
        key: "max-ttl".to_owned(),
        was: Some("8h".to_owned()),
        is: Some("2h".to_owned()),
        leases: 3,
        means: None,
    };
    Reloaded {
        config: "/etc/grantd/grantd.toml".to_owned(),
        dry_run,
        makes_again: false,
        changes: vec![changed],
        open_leases: 5,
        warnings: Vec::new(),
    }
}

/// An alias that had moved.
pub(crate) fn moved() -> Page<MovedAlias> {
    let key = |n: u32| format!("arn:aws:kms:ap-northeast-1:111122223333:key/k{n}");
    let moved = serde_json::json!({
        "account": "111122223333", "region": "ap-northeast-1", "alias": "alias/app",
        "was": key(1), "is": key(2), "since": "2026-11-23T16:00:00Z",
    });
    Page { items: vec![serde_json::from_value(moved).unwrap()], next: None }
}

/// What was held.
pub(crate) fn holds() -> Page<AdoptionHold> {
    let hold = serde_json::json!({
        "policy": "s3-readers", "key-arn": null, "since": "2026-11-23T16:00:00Z", "grants": 12,
    });
    Page { items: vec![serde_json::from_value(hold).unwrap()], next: None }
}

pub(crate) fn proven() -> Proven {
    serde_json::from_value(serde_json::json!({
        "key-arn": "arn:aws:kms:ap-northeast-1:111122223333:key/k1", "at": "2026-11-23T16:00:00Z",
    }))
    .unwrap()
}
