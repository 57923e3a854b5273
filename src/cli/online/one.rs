//! One request, as AWS stands to it now: what the daemon would find besides the file.

use super::super::finding::{Finding, Level};
use super::{Online, ROLE, clock, identity, place};
use crate::clock::Clock as _;
use crate::config::Account;
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Region};
use crate::kms::{Answer, KeyFacts, Kms as _, Lane};
use crate::rules::keyref::KeyRef;
use crate::rules::life::{Class, Outcome};
use crate::rules::policy::expand_grantee;
use crate::wire::CreateLease;

/// The daemon is not asked, so what AWS refuses says nothing about it.
const MINE: &str = "this command asks AWS with your own credentials, not with the daemon's: use \
                    those of grantd's role, or leave --online out";

/// What AWS tells the command's own credentials.
trait Mine<T> {
    /// # Errors
    /// Why it says nothing: whose credentials are at fault is said.
    fn mine(self, key: &str) -> Result<T, Fault>;
}

impl<T> Mine<T> for Answer<T> {
    fn mine(self, key: &str) -> Result<T, Fault> {
        self.told_to("this command", key).map_err(|fault| {
            let mine = matches!(fault.kind, Kind::KmsDenied | Kind::Credentials);
            if mine { fault.hint(MINE) } else { fault }
        })
    }
}

/// The key of a request, and what else was seen.
pub(in super::super) struct Seen {
    pub(in super::super) facts: KeyFacts,
    pub(in super::super) aliases: Vec<String>,
    pub(in super::super) findings: Vec<Finding>,
}

impl Online<'_> {
    /// Look at what `request` is about.
    ///
    /// # Errors
    /// Those of a create whose key is not found, or in several places; AWS's.
    pub(in super::super) async fn one(&self, request: &CreateLease) -> Result<Seen, Fault> {
        let key = KeyRef::parse(&request.key)
            .map_err(|error| Fault::new(Kind::BadArgument, error.to_string()))?;
        let mut found = Vec::new();
        for (account, lane) in self.candidates(&key, request.region.as_ref())? {
            if let Some(arn) = self.arn(&lane, &key, &request.key).await? {
                found.push((account, lane, arn));
            }
        }
        if found.len() > 1 {
            let places: Vec<String> = found.iter().map(|(_, lane, _)| place(lane)).collect();
            let text = format!("{} is in more than one place: {}", request.key, places.join(", "));
            let hint = "add --region, or give the key's ARN";
            return Err(Fault::new(Kind::BadArgument, text).hint(hint));
        }
        let Some((account, lane, arn)) = found.pop() else {
            let text = format!("there is no key {} where grantd looks", request.key);
            return Err(Fault::new(Kind::KeyNotFound, text));
        };
        self.seen(account, &lane, &arn, request).await
    }

    async fn seen(
        &self,
        account: &Account,
        lane: &Lane,
        arn: &KeyArn,
        request: &CreateLease,
    ) -> Result<Seen, Fault> {
        let answer = self.kms.identity(lane).await;
        let mut mine = identity(account, lane, &answer);
        if let Some(remedy) = &mut mine.remedy {
            remedy.push_str("; this command asks AWS with your own credentials, not the daemon's");
        }
        let mut findings = vec![mine];
        let date = answer.date.map(|date| self.clock.read().wall.since(date));
        findings.extend(date.map(|ms| clock(&place(lane), ms)));
        let facts = self.kms.describe(lane, arn.as_str()).await.mine(&request.key)?;
        // KMS shows nobody another account's aliases.
        let aliases = match facts.arn.account() == lane.account.as_str() {
            true => self.kms.aliases(lane, Some(&facts.arn)).await.mine(&request.key)?,
            false => Vec::new(),
        };
        let aliases = aliases.into_iter().map(|alias| alias.name).collect();
        let what = format!("key {}", facts.arn);
        let seen = format!("{}, {} for {}", facts.state, facts.spec, facts.usage);
        findings.push(match facts.state.as_str() {
            "Enabled" => Finding::ok(what, seen),
            _ => Finding::failure(what, seen, "enable the key, or name another"),
        });
        let grantee = expand_grantee(&request.grantee, &facts.arn).ok();
        let mut to_him = 0;
        let count = |grant: &crate::kms::Listed| {
            to_him += u32::from(grantee.as_ref().is_some_and(|who| who.as_str() == grant.grantee));
        };
        findings.push(self.listed(lane, &facts.arn, count).await);
        findings.extend(grantee.map(|who| {
            let seen = format!(
                "{to_him} grants of the key name it; whether it exists, KMS says at the create"
            );
            Finding::ok(format!("grantee {who}"), seen)
        }));
        // Where they are not grantd's credentials, its role is not what lacks a permission.
        let stranger = findings.first().is_some_and(|mine| mine.level != Level::Ok);
        for finding in &mut findings {
            if stranger && finding.remedy.as_deref() == Some(ROLE) {
                finding.remedy = Some(MINE.to_owned());
            }
        }
        Ok(Seen { facts, aliases, findings })
    }

    /// The lanes in which the key may be.
    fn candidates(
        &self,
        key: &KeyRef,
        asked: Option<&Region>,
    ) -> Result<Vec<(&Account, Lane)>, Fault> {
        let (account, region) = key.place(Some(self.config), asked)?;
        let fits = |lane: &Lane| {
            region.as_ref().is_none_or(|region| *region == lane.region)
                && account.as_ref().is_none_or(|account| *account == lane.account)
        };
        let lanes: Vec<_> = self.config.lanes().filter(|(_, lane)| fits(lane)).collect();
        if lanes.is_empty() {
            let text = "the configuration has no account and Region for this key";
            return Err(Fault::new(Kind::KeyNotFound, text)
                .hint("grantd serves the accounts and Regions of its configuration file"));
        }
        Ok(lanes)
    }

    /// The key in this lane, if it is here.
    async fn arn(&self, lane: &Lane, key: &KeyRef, text: &str) -> Result<Option<KeyArn>, Fault> {
        let name = match key {
            KeyRef::Arn(arn) => return Ok(Some(arn.clone())),
            KeyRef::Id(id) => {
                let answer = self.kms.describe(lane, id).await;
                if answer.outcome == Outcome::Refused(Class::NotFound) {
                    return Ok(None);
                }
                return answer.mine(text).map(|facts| Some(facts.arn));
            }
            KeyRef::Alias(name) | KeyRef::AliasArn(_, _, name) => name,
        };
        let aliases = self.kms.aliases(lane, None).await.mine(text)?;
        let alias = aliases.iter().find(|alias| alias.name == *name);
        Ok(alias.and_then(|alias| lane.target(alias)))
    }
}
