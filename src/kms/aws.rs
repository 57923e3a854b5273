//! The production adapter: KMS and STS through the AWS SDK. With `aws::map` the only code that
//! names the KMS SDK.
//!
//! One call is at most one request on the wire: SDK retries are off, because the ledger counts
//! every send before it leaves. A call takes at most the attempt time-out, credentials included, so
//! that nothing leaves long after its row said that it would. What reached the wire is noted by an
//! ear of the call's own: only what certainly never left, or what AWS refused by name, is a
//! refusal.
//!
//! Clients are built from the lane alone. Ambient endpoint variables and profiles cannot lead them
//! elsewhere (a daemon that trusts its environment can be pointed at a fake KMS), and ambient
//! proxies are not asked (`dial`). The ambient chain gives credentials, and nothing else.

mod dial;
mod hear;
mod keeper;
mod list;
mod map;
mod raw;
mod settings;
mod source;

use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use aws_sdk_kms::config::{IdentityCache, Region};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use futures_util::future::FutureExt as _;

use self::hear::{Ear, Heard, answer, given};
use self::keeper::{Keeper, Slot, Witness};
pub use self::settings::{APP, ATTEMPT_MAX, CONNECT_MAX, Settings};
use self::settings::{app_name, behavior, within};
use self::source::{Lack, Source, sts_client};
use super::classify::{Trouble, outcome};
use super::{Alias, Answer, Call, Created, Identity, KeyFacts, Kms, Lane, Page, Scope, Token};
use crate::clock::Clock;
use crate::ids::KeyArn;
use crate::ledger::{Intent, Warrant};
use crate::rules::life::{Class, Outcome, Via};

/// Variables that other AWS programs obey and that we do not.
const IGNORED: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS"];

/// KMS and STS of AWS, or of the lane's other endpoint. Belongs to one thread, inside a tokio
/// runtime.
pub struct AwsKms {
    settings: Settings,
    clock: Rc<dyn Clock>,
    witness: Witness,
    /// Few, and few new ones: a lane is an account in a Region.
    sites: RefCell<Vec<(Lane, Door, Rc<Site>)>>,
}

/// As whom a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// As the lane's own role or user.
    Own,
    /// As its revoke role: RevokeGrant, and nothing else.
    Revoke,
}

/// The clients of one lane, through one door.
struct Site {
    kms: aws_sdk_kms::Client,
    sts: aws_sdk_sts::Client,
    keeper: Rc<Keeper>,
}

impl AwsKms {
    /// Nothing is built or fetched before the first call on a lane. The clock bounds calls and
    /// judges expiry.
    #[must_use]
    pub fn new(settings: Settings, clock: Rc<dyn Clock>) -> Self {
        for name in IGNORED.into_iter().filter(|name| std::env::var_os(name).is_some()) {
            tracing::warn!(name, "ignored: an endpoint stands in the config or nowhere");
        }
        Self {
            settings: settings.bounded(),
            clock,
            witness: Witness::default(),
            sites: RefCell::new(Vec::new()),
        }
    }

    fn site(&self, lane: &Lane, door: Door) -> Rc<Site> {
        let mut sites = self.sites.borrow_mut();
        let same = |(known, through, _): &&(Lane, Door, Rc<Site>)| {
            *through == door && same_way(known, lane)
        };
        if let Some((_, _, site)) = sites.iter().find(same) {
            return Rc::clone(site);
        }
        let site = Rc::new(self.build(lane, door));
        sites.push((lane.clone(), door, Rc::clone(&site)));
        site
    }

    fn build(&self, lane: &Lane, door: Door) -> Site {
        let slot = Slot::default();
        let mut config = aws_sdk_kms::Config::builder()
            .behavior_version(behavior())
            .region(Region::new(lane.region.as_str().to_owned()))
            .credentials_provider(slot.clone())
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .http_client(dial::client(lane.ways.proxy.as_deref()))
            .timeout_config(self.settings.timeouts());
        config.set_endpoint_url(lane.endpoint.clone()).set_app_name(app_name());
        let role = match door {
            Door::Own => lane.role_arn.as_ref(),
            Door::Revoke => lane.ways.revoke_role.as_ref(),
        };
        let source = Source::new(&self.settings, lane, role);
        let patience = self.settings.attempt_ms();
        Site {
            kms: aws_sdk_kms::Client::from_conf(config.build()),
            sts: sts_client(&self.settings, lane, slot.clone()),
            keeper: Keeper::new(
                Rc::clone(&self.clock),
                self.witness.clone(),
                source,
                slot,
                patience,
            ),
        }
    }

    /// One bounded call: credentials, one request, one answer. `take` makes sense of a success, or
    /// says what it lacks.
    async fn call<O, E, T, F>(
        &self,
        lane: &Lane,
        send: impl FnOnce(Rc<Site>, Ear) -> F,
        take: impl FnOnce(O) -> Result<T, String>,
    ) -> Answer<T>
    where
        F: Future<Output = Result<O, SdkError<E, Response>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.call_as(Door::Own, lane, send, take).await
    }

    async fn call_as<O, E, T, F>(
        &self,
        door: Door,
        lane: &Lane,
        send: impl FnOnce(Rc<Site>, Ear) -> F,
        take: impl FnOnce(O) -> Result<T, String>,
    ) -> Answer<T>
    where
        F: Future<Output = Result<O, SdkError<E, Response>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let ear = Ear::default();
        let until = self.clock.read().boot.saturating_add(self.settings.attempt_ms());
        let whole = async {
            let site = self.site(lane, door);
            let generation = match site.keeper.ready().await {
                Ok(generation) => generation,
                Err(lack) => return unsigned(&lack),
            };
            // The host may have been suspended meanwhile: what is sent now must be what was
            // recorded just now.
            if self.clock.read().boot >= until {
                let text = "the credentials came too late for this attempt";
                return unsigned(&Lack::silent(text.to_owned()));
            }
            let result = send(Rc::clone(&site), ear.clone()).await;
            let answer = answer(ear.heard(), result, take);
            if matches!(answer.outcome, Outcome::Refused(Class::Credentials)) {
                site.keeper.doubt(generation);
            }
            answer
        };
        let answer = within(&*self.clock, self.settings.attempt_ms(), whole).await;
        let answer = answer.unwrap_or_else(|| self.cut_off(door, lane, ear.heard()));
        self.witness.heard(&*self.clock, answer.date);
        answer
    }

    /// The bound was reached: what certainly never left is refused, the rest is unknown.
    fn cut_off<T>(&self, door: Door, lane: &Lane, heard: Heard) -> Answer<T> {
        let ms = self.settings.attempt_ms();
        if !heard.sent {
            return unsigned(&self.site(lane, door).keeper.cut_off(ms));
        }
        given(heard, outcome(Trouble::Silent), Some(&format!("no answer within {ms} ms")))
    }

    /// RevokeGrant, as the lane's revoke role where it has one.
    async fn revoke(&self, warrant: &Warrant) -> Answer<()> {
        let (key, id) = (warrant.key_arn().as_str(), warrant.id().as_str());
        let send = |site: Rc<Site>, ear: Ear| {
            let call = site.kms.revoke_grant().key_id(key).grant_id(id);
            call.customize().interceptor(ear).send()
        };
        let lane = warrant.lane();
        if lane.ways.revoke_role.is_none() {
            return self.call(lane, send, |_| Ok(())).await;
        }
        let mut answer = self.call_as(Door::Revoke, lane, send, |_| Ok(())).await;
        // The lane's own credentials are another matter: its other ends do not wait for this.
        if let Outcome::Refused(class @ (Class::Credentials | Class::Unavailable)) =
            &mut answer.outcome
        {
            *class = Class::Denied;
        }
        answer
    }
}

impl Kms for AwsKms {
    fn create<'a>(&'a self, intent: &'a Intent) -> Call<'a, Created> {
        let send = |site: Rc<Site>, ear: Ear| {
            let call = map::create(site.kms.create_grant(), intent.request());
            call.customize().interceptor(ear).send()
        };
        self.call(intent.lane(), send, map::created).boxed_local()
    }

    fn end<'a>(&'a self, warrant: &'a Warrant, via: Via, token: Option<&'a Token>) -> Call<'a, ()> {
        let (key, id) = (warrant.key_arn().as_str(), warrant.id().as_str());
        async move {
            let mut answer = match via {
                Via::Retire => {
                    let send = |site: Rc<Site>, ear: Ear| {
                        let call = site.kms.retire_grant();
                        let call = match token {
                            Some(token) => call.grant_token(token.reveal()),
                            None => call.key_id(key).grant_id(id),
                        };
                        call.customize().interceptor(ear).send()
                    };
                    self.call(warrant.lane(), send, |_| Ok(())).await
                }
                Via::Revoke => self.revoke(warrant).await,
            };
            // A server may quote in its refusal what it was sent.
            if let (Some(token), Some(detail)) = (token, &mut answer.detail) {
                *detail = detail.replace(token.reveal(), "(token)");
            }
            answer
        }
        .boxed_local()
    }

    fn page<'a>(
        &'a self,
        lane: &'a Lane,
        scope: Scope<'a>,
        marker: Option<String>,
    ) -> Call<'a, Page> {
        self.list(lane, scope, marker).boxed_local()
    }

    fn aliases<'a>(&'a self, lane: &'a Lane, key: Option<&'a KeyArn>) -> Call<'a, Vec<Alias>> {
        self.all_aliases(lane, key).boxed_local()
    }

    fn describe<'a>(&'a self, lane: &'a Lane, key: &'a str) -> Call<'a, KeyFacts> {
        let send = move |site: Rc<Site>, ear: Ear| {
            site.kms.describe_key().key_id(key).customize().interceptor(ear).send()
        };
        self.call(lane, send, |out| map::key_facts(out.key_metadata)).boxed_local()
    }

    fn identity<'a>(&'a self, lane: &'a Lane) -> Call<'a, Identity> {
        let send = |site: Rc<Site>, ear: Ear| {
            site.sts.get_caller_identity().customize().interceptor(ear).send()
        };
        let take = |out: aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput| {
            let (Some(account), Some(arn), Some(id)) = (out.account, out.arn, out.user_id) else {
                return Err("STS does not say who the credentials are".to_owned());
            };
            let unique_id = id.split(':').next().unwrap_or_default().to_owned();
            Ok(Identity { account, arn, unique_id })
        };
        self.call(lane, send, take).boxed_local()
    }

    fn warm<'a>(&'a self, lane: &'a Lane) -> Call<'a, ()> {
        async move {
            let own = self.site(lane, Door::Own).keeper.warm().await;
            // A revoke role that cannot be had is told now, not when it is the last way out.
            let revoke = match lane.ways.revoke_role {
                Some(_) => self.site(lane, Door::Revoke).keeper.warm().await,
                None => Ok(()),
            };
            match own.and(revoke) {
                Ok(()) => given(Heard::default(), Outcome::Done(()), None),
                Err(lack) => unsigned(&lack),
            }
        }
        .boxed_local()
    }
}

/// Nothing was sent, for want of credentials.
fn unsigned<T>(lack: &Lack) -> Answer<T> {
    given(Heard::default(), outcome(lack.trouble), Some(&lack.text))
}

/// The same credentials to the same place: one client serves both. The retiring principal is only
/// an argument.
fn same_way(one: &Lane, other: &Lane) -> bool {
    one.account == other.account
        && one.region == other.region
        && one.role_arn == other.role_arn
        && one.external_id == other.external_id
        && one.endpoint == other.endpoint
        && one.ways == other.ways
}

#[cfg(test)]
mod tests;
