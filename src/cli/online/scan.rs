//! Every grant of the keys that the policies name, and what it is.

use super::super::finding::Finding;
use super::{Online, Region, done, place};
use crate::clock::Clock as _;
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::kms::{Kms as _, Listed, Scope};
use crate::rules::foreign::{self, Seen, Verdict};
use crate::rules::keyref::KeyRef;
use crate::rules::policy::{alias_names, named_keys};

/// One key, as it was looked at.
pub(in super::super) struct Scanned<'c> {
    pub(in super::super) key: KeyArn,
    pub(in super::super) aliases: Vec<String>,
    pub(in super::super) grants: Vec<(Listed, Verdict<'c>)>,
}

impl<'c> Online<'c> {
    /// Look at the keys that the policies name, or at those of them that are `wanted`. `tell` is
    /// told how many grants of a key were seen so far. With what could not be looked at.
    ///
    /// # Errors
    /// [`Kind::KeyNotFound`] for a wanted key that no policy names.
    pub(in super::super) async fn scan(
        &self,
        wanted: &[(String, KeyRef)],
        mut tell: impl FnMut(&KeyArn, usize),
    ) -> Result<(Vec<Scanned<'c>>, Vec<Finding>), Fault> {
        let (regions, mut failures) = self.regions().await;
        let mut keys = Vec::new();
        for region in &regions {
            let named = named_keys(self.config, &region.lane, &region.aliases);
            keys.extend(named.into_iter().map(|key| (region, key)));
        }
        let is = |wanted: &KeyRef, (region, key): &(&Region, KeyArn)| match wanted {
            KeyRef::Arn(arn) => arn == key,
            KeyRef::Id(id) => id == key.key_id(),
            KeyRef::Alias(name) => alias_names(&region.aliases, key).contains(name),
            KeyRef::AliasArn(account, of, name) => {
                *of == region.lane.region
                    && *account == region.lane.account
                    && alias_names(&region.aliases, key).contains(name)
            }
        };
        let missing = wanted.iter().find(|(_, want)| !keys.iter().any(|key| is(want, key)));
        if let Some((typed, _)) = missing.filter(|_| failures.is_empty()) {
            let text = format!("no policy names a key {typed} that is in a Region of the file");
            return Err(Fault::new(Kind::KeyNotFound, text)
                .hint("`grantd check --online` shows the keys that the policies name"));
        }
        keys.retain(|key| wanted.is_empty() || wanted.iter().any(|(_, want)| is(want, key)));
        let mut scanned = Vec::new();
        for (region, key) in keys {
            match self.scan_key(region, key, &mut tell).await {
                Ok(key) => scanned.push(key),
                Err(finding) => failures.push(finding),
            }
        }
        Ok((scanned, failures))
    }

    /// The lanes that answer, with their aliases, and what is wrong with the others.
    pub(super) async fn regions(&self) -> (Vec<Region>, Vec<Finding>) {
        let (mut regions, mut failures) = (Vec::new(), Vec::new());
        for (_, lane) in self.config.lanes() {
            let answer = self.kms.aliases(&lane, None).await;
            match done(&format!("aliases {}", place(&lane)), answer) {
                Ok(aliases) => regions.push(Region { lane, aliases }),
                Err(finding) => failures.push(finding),
            }
        }
        (regions, failures)
    }

    async fn scan_key(
        &self,
        region: &Region,
        key: KeyArn,
        tell: &mut impl FnMut(&KeyArn, usize),
    ) -> Result<Scanned<'c>, Finding> {
        let lane = &region.lane;
        let facts = done(&format!("key {key}"), self.kms.describe(lane, key.as_str()).await)?;
        let aliases = alias_names(&region.aliases, &key);
        let seen = Seen { aliases: &aliases, aws_managed: facts.manager == "AWS" };
        let mut grants = Vec::new();
        let what = format!("grants of {key}");
        let walked = self.walk(&what, lane, Scope::Key(&key), |page, date| {
            let now = date.unwrap_or_else(|| self.clock.read().wall);
            for listed in page {
                let verdict = foreign::judge(self.config, lane, seen, listed, now);
                grants.push((listed.clone(), verdict));
            }
            tell(&key, grants.len());
            Ok(())
        });
        walked.await.map_err(|(_, finding)| finding)?;
        Ok(Scanned { key, aliases, grants })
    }
}
