//! AWS as the configuration's accounts see it, asked by this process with the credentials that it
//! has. Nothing here makes a grant, and only [`sweep`] ends any.

mod one;
mod scan;
mod sweep;

use std::rc::Rc;
use std::time::Duration;

pub(super) use one::Seen;
pub(super) use scan::Scanned;
pub(super) use sweep::{End, Sweep, Swept};

use super::finding::Finding;
use crate::clock::Clock;
use crate::clock::system::SystemClock;
use crate::config::{Account, Config, Policy};
use crate::fault::{Fault, Kind};
use crate::ids::KeyArn;
use crate::kms::aws::{AwsKms, Settings};
use crate::kms::{Alias, Answer, Identity, KeyFacts, Kms, Lane, Listed, Scope};
use crate::rules::clocks::AGREE;
use crate::rules::life::{Class, Outcome};
use crate::rules::policy::{alias_names, lists_key, named_keys, unfit};
use crate::rules::time::{SECOND, Time};

/// Grants that a key can have (kms-facts 5); an account can have it raised.
const GRANTS_MAX: usize = 50_000;
/// From here on somebody should look.
const GRANTS_MANY: usize = GRANTS_MAX / 2;
/// From here on creates are refused.
const GRANTS_FULL: usize = GRANTS_MAX / 10 * 8 + 1;
/// What grantd's role may do is printed by this.
const ROLE: &str = "compare the role's policy with `grantd iam-policy`";

/// The way to AWS.
pub(super) struct Online<'c> {
    config: &'c Config,
    clock: Rc<SystemClock>,
    kms: AwsKms,
}

/// What a lane's Region shows.
struct Region {
    lane: Lane,
    aliases: Vec<Alias>,
}

impl<'c> Online<'c> {
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(super) fn new(config: &'c Config) -> Result<Self, Fault> {
        let clock = SystemClock::new().map_err(|e| Fault::new(Kind::Io, e.to_string()))?;
        let clock = Rc::new(clock);
        let ms = u64::try_from(config.time_out).unwrap_or(u64::MAX);
        let settings =
            Settings { attempt_timeout: Duration::from_millis(ms), ..Settings::default() };
        let kms = AwsKms::new(settings, Rc::clone(&clock) as Rc<dyn Clock>);
        Ok(Self { config, clock, kms })
    }

    /// Everything: who the credentials are, the clock, the aliases, the keys and their grants; and
    /// the keys that policies name.
    pub(super) async fn findings(&self) -> (Vec<Finding>, Vec<KeyArn>) {
        let (mut all, mut regions, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (account, lane) in self.config.lanes() {
            let answer = self.kms.identity(&lane).await;
            let place = place(&lane);
            all.push(identity(account, &lane, &answer));
            all.extend(answer.date.map(|date| clock(&place, self.clock.read().wall.since(date))));
            // Without credentials each further question would get the same answer.
            if !matches!(answer.outcome, Outcome::Done(_)) {
                continue;
            }
            all.push(self.ways_out(&lane).await);
            let answer = self.kms.aliases(&lane, None).await;
            match done(&format!("aliases {place}"), answer) {
                Ok(aliases) => regions.push(Region { lane, aliases }),
                Err(finding) => all.push(finding),
            }
        }
        if regions.is_empty() {
            return (all, keys);
        }
        for policy in &self.config.policies {
            all.extend(aliases(policy, &regions));
        }
        for region in &regions {
            for key in named_keys(self.config, &region.lane, &region.aliases) {
                all.extend(self.key(region, &key).await);
                keys.push(key);
            }
        }
        (all, keys)
    }

    async fn key(&self, region: &Region, key: &KeyArn) -> Vec<Finding> {
        let (what, lane) = (format!("key {key}"), &region.lane);
        let facts = match done(&what, self.kms.describe(lane, key.as_str()).await) {
            Ok(facts) => facts,
            Err(finding) => return vec![finding],
        };
        let aliases = alias_names(&region.aliases, &facts.arn);
        let policies = self.config.policies.iter();
        let listing: Vec<&Policy> =
            policies.filter(|policy| lists_key(policy, &facts.arn, &aliases)).collect();
        vec![key_fits(&what, &facts, &aliases, &listing), self.grants(lane, &facts.arn).await]
    }

    /// How grants are ended. A revoke role is assumed, since it may be the last way out.
    async fn ways_out(&self, lane: &Lane) -> Finding {
        let what = format!("ways out {}", place(lane));
        let Some(role) = &lane.ways.revoke_role else {
            return Finding::ok(what, "one: retire (no revoke-role-arn is named)");
        };
        // The lane's own credentials are in hand by now: what is lacking is the role.
        let answer = self.kms.warm(lane).await;
        if answer.outcome == Outcome::Done(()) {
            return Finding::ok(what, format!("two: retire, and revoke as {role} (assumed)"));
        }
        let detail = answer.detail.unwrap_or_else(|| "no answer".to_owned());
        let seen = format!("one: retire; revoking as {role} does not work: {detail}");
        let remedy = "let the credentials that grantd starts with assume the revoke role: its trust \
                      policy, and theirs (`grantd iam-policy --revoke-role`)";
        Finding::failure(what, seen, remedy)
    }

    /// How much of the key's grant quota is used.
    async fn grants(&self, lane: &Lane, key: &KeyArn) -> Finding {
        self.listed(lane, key, |_| {}).await
    }

    /// The same, showing `each` grant on the way.
    async fn listed(&self, lane: &Lane, key: &KeyArn, mut each: impl FnMut(&Listed)) -> Finding {
        let what = format!("grants of {key}");
        let mut count = 0;
        let walked = self.walk(&what, lane, Scope::Key(key), |page, _| {
            count += page.len();
            page.iter().for_each(&mut each);
            Ok(())
        });
        if let Err((_, finding)) = walked.await {
            return finding;
        }
        let seen = format!("{count} of {GRANTS_MAX}, the quota unless it was raised");
        let remedy = "end grants that nobody needs, or have the quota of grants per key raised";
        match count {
            GRANTS_FULL.. => Finding::failure(what, seen, remedy),
            GRANTS_MANY.. => Finding::warning(what, seen, remedy),
            _ => Finding::ok(what, seen),
        }
    }

    /// A listing to its end, page by page, no faster than the account's pace for listings; with
    /// AWS's date for each page.
    ///
    /// # Errors
    /// What stopped it: KMS's refusal, or what `each` made of a page.
    async fn walk(
        &self,
        what: &str,
        lane: &Lane,
        scope: Scope<'_>,
        mut each: impl FnMut(&[Listed], Option<Time>) -> Result<(), Finding>,
    ) -> Result<(), (Option<Class>, Finding)> {
        let account = self.config.account(lane.account.as_str());
        let pause = account.map_or(SECOND, |account| SECOND / i64::from(account.rates.list));
        let mut marker = None;
        loop {
            let answer = self.kms.page(lane, scope, marker).await;
            let date = answer.date;
            let class = match &answer.outcome {
                Outcome::Refused(class) => Some(*class),
                Outcome::Done(_) | Outcome::Unknown => None,
            };
            let page = done(what, answer).map_err(|finding| (class, finding))?;
            each(&page.grants, date).map_err(|finding| (None, finding))?;
            marker = page.marker;
            if marker.is_none() {
                return Ok(());
            }
            self.clock.nap(pause).await;
        }
    }
}

fn place(lane: &Lane) -> String {
    format!("{} {}", lane.account, lane.region)
}

/// The value of an answer, or why there is none.
fn done<T>(what: &str, answer: Answer<T>) -> Result<T, Finding> {
    let detail = answer.detail.unwrap_or_else(|| "no answer".to_owned());
    let class = match answer.outcome.done() {
        Ok(value) => return Ok(value),
        Err(class) => class,
    };
    let remedy = match class {
        Class::Unavailable => "check the network, and the endpoints of KMS and STS in this Region",
        Class::Credentials => {
            "check this process's AWS credentials, `role-arn`, `external-id`, and the role's trust \
             policy (`grantd iam-policy --trust`)"
        }
        Class::Denied => ROLE,
        Class::NotFound => "correct the key in the policy, or take it out",
        Class::Throttled => "try again in a minute",
        Class::KeyState | Class::BadToken | Class::Quota | Class::Invalid => "see AWS's words",
    };
    Err(Finding::failure(what, detail, remedy))
}

/// Whether the credentials are the principal that retires what grantd makes.
fn identity(account: &Account, lane: &Lane, answer: &Answer<Identity>) -> Finding {
    let what = format!("credentials {}", place(lane));
    let found = match done(&what, answer.clone()) {
        Ok(found) => found,
        Err(finding) => return finding,
    };
    let own = account.retiring_principal.as_str();
    let how = match &lane.role_arn {
        Some(role) => format!("{} (assumed {role})", found.arn),
        None => found.arn.clone(),
    };
    if found.account != account.id.as_str() {
        let seen = format!("{how}, of account {}", found.account);
        return Finding::failure(what, seen, format!("use credentials of account {}", account.id));
    }
    if !is(&found.arn, own) {
        let remedy =
            format!("grants are retired by {own}: use its credentials, or correct the file");
        return Finding::failure(what, how, remedy);
    }
    Finding::ok(what, how)
}

/// Whether `arn` is that user, or a session of that role. The ARN of a session has the role's name
/// without its path.
fn is(arn: &str, own: &str) -> bool {
    let name = own.rsplit('/').next().unwrap_or_default();
    let session = arn.rsplit_once(":assumed-role/").and_then(|(_, rest)| rest.split_once('/'));
    arn == own || (own.contains(":role/") && session.is_some_and(|(role, _)| role == name))
}

/// This host's clock against AWS's `Date`, by `ms`.
fn clock(place: &str, ms: i64) -> Finding {
    let what = format!("clock against AWS, {place}");
    let side = if ms >= 0 { "ahead" } else { "behind" };
    let seen = format!("{} s {side}", ms.abs() / SECOND);
    if ms.abs() > AGREE {
        let remedy = "set the clock, and keep it so with chrony or systemd-timesyncd";
        return Finding::failure(what, seen, remedy);
    }
    Finding::ok(what, seen)
}

/// Whether each alias of the policy is somewhere, and in one place.
fn aliases(policy: &Policy, regions: &[Region]) -> Vec<Finding> {
    let by_alias = policy.keys.iter().filter(|pattern| pattern.by_alias());
    by_alias
        .map(|pattern| {
            let what = format!("{pattern} of policy {}", policy.name);
            let mut places = Vec::new();
            for region in regions {
                let hits = region.aliases.iter().filter(|alias| {
                    let names = std::slice::from_ref(&alias.name);
                    region.lane.target(alias).is_some_and(|arn| pattern.matches(&arn, names))
                });
                let hits: Vec<&str> = hits.map(|alias| alias.name.as_str()).collect();
                if !hits.is_empty() {
                    places.push(format!("{} ({})", place(&region.lane), hits.join(", ")));
                }
            }
            let one = !pattern.glob().contains(['*', '?', '[', '{']);
            match places.len() {
                0 => Finding::failure(
                    what,
                    "no such alias in any Region of the file",
                    "correct its name, or add the Region where it is",
                ),
                2.. if one => {
                    let remedy = "who asks by this alias has to add --region";
                    Finding::warning(what, places.join("; "), remedy)
                }
                _ => Finding::ok(what, places.join("; ")),
            }
        })
        .collect()
}

/// Whether the key's state and type fit what the policies lend on it.
fn key_fits(what: &str, facts: &KeyFacts, aliases: &[String], policies: &[&Policy]) -> Finding {
    let KeyFacts { spec, usage, state, manager, .. } = facts;
    let names = if aliases.is_empty() { "no alias".to_owned() } else { aliases.join(", ") };
    let seen = format!("{state}, {spec} for {usage}, {names}");
    if manager == "AWS" {
        let remedy = "its grants belong to AWS services: use a customer managed key";
        return Finding::failure(what, format!("{seen}, managed by AWS"), remedy);
    }
    if state != "Enabled" {
        return Finding::failure(what, seen, "enable the key, or take it out of the policy");
    }
    for policy in policies {
        if let Some((lacking, can)) = unfit(facts, &policy.operations) {
            let join = |all: &[crate::terms::Operation]| {
                all.iter().map(|op| op.as_str()).collect::<Vec<_>>().join(", ")
            };
            let seen = format!("{seen}; it cannot do {} of policy {}", join(&lacking), policy.name);
            let remedy = format!("it can do {}", join(&can));
            return Finding::warning(what, seen, remedy);
        }
    }
    Finding::ok(what, seen)
}
