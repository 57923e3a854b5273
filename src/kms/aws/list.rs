//! Listings: of grants page by page, of aliases whole.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::hear::Ear;
use super::raw::Raw;
use super::{AwsKms, Site, map};
use crate::ids::KeyArn;
use crate::kms::classify::{Trouble, outcome};
use crate::kms::{Alias, Answer, Lane, Page, Scope};
use crate::rules::life::Outcome;

/// The most that a KMS listing takes as `Limit` (kms-facts 2); fewer pages, fewer chances to change
/// between them.
const PAGE: i32 = 100;
/// 100,000 aliases: far above any account's quota, and an end to a listing that has none.
const ALIAS_PAGES_MAX: usize = 1_000;

impl AwsKms {
    pub(super) async fn list(
        &self,
        lane: &Lane,
        scope: Scope<'_>,
        marker: Option<String>,
    ) -> Answer<Page> {
        let asked = marker.clone();
        let (key, id) = match scope {
            Scope::One(key, id) => (key, Some(id.as_str().to_owned())),
            Scope::Key(key) => (key, None),
            Scope::Retirable => return self.retirable(lane, marker).await,
        };
        let raw = Raw::default();
        let also = raw.clone();
        let send = |site: Rc<Site>, ear: Ear| {
            let call = site.kms.list_grants().key_id(key.as_str()).set_grant_id(id);
            let call = call.limit(PAGE).set_marker(marker).customize();
            call.interceptor(ear).interceptor(also).send()
        };
        self.call(lane, send, |out| {
            let bare = |id: &str| (key.key_id() == id).then(|| key.clone());
            map::page(out.grants, &raw, out.next_marker, out.truncated, asked.as_deref(), bare)
        })
        .await
    }

    async fn retirable(&self, lane: &Lane, marker: Option<String>) -> Answer<Page> {
        let principal = lane.retiring_principal.as_str();
        let asked = marker.clone();
        let raw = Raw::default();
        let also = raw.clone();
        let send = |site: Rc<Site>, ear: Ear| {
            let call = site.kms.list_retirable_grants().retiring_principal(principal).limit(PAGE);
            let call = call.set_marker(marker).customize();
            call.interceptor(ear).interceptor(also).send()
        };
        self.call(lane, send, |out| {
            let bare = |id: &str| lane.key(id).ok().filter(|_| lane.is_local());
            map::page(out.grants, &raw, out.next_marker, out.truncated, asked.as_deref(), bare)
        })
        .await
    }

    pub(super) async fn all_aliases(
        &self,
        lane: &Lane,
        key: Option<&KeyArn>,
    ) -> Answer<Vec<Alias>> {
        let (mut found, mut marker, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let asked: Option<String> = marker.clone();
            let send = |site: Rc<Site>, ear: Ear| {
                let call = site.kms.list_aliases().limit(PAGE).set_marker(marker);
                let call = call.set_key_id(key.map(|key| key.as_str().to_owned()));
                call.customize().interceptor(ear).send()
            };
            let page = self.call(lane, send, |out| {
                let entries = out.aliases.ok_or("KMS gives no list of aliases in its answer")?;
                let aliases: Result<Vec<_>, _> = entries.into_iter().map(map::alias).collect();
                Ok((aliases?, map::marker(out.next_marker, out.truncated, asked.as_deref())?))
            });
            let page = page.await;
            let (outcome, detail) = match page.outcome {
                Outcome::Done((aliases, next)) => {
                    found.extend(aliases);
                    match next {
                        None => (Outcome::Done(found), page.detail),
                        Some(next) if seen.len() < ALIAS_PAGES_MAX && seen.insert(next.clone()) => {
                            marker = Some(next);
                            continue;
                        }
                        Some(_) => {
                            let text = "the listing of aliases has no end, or runs in a circle";
                            (outcome(Trouble::Unreadable), Some(text.to_owned()))
                        }
                    }
                }
                Outcome::Refused(class) => (Outcome::Refused(class), page.detail),
                Outcome::Unknown => (Outcome::Unknown, page.detail),
            };
            return Answer { outcome, date: page.date, detail, request_id: page.request_id };
        }
    }
}
