//! Where a lane's credentials come from: the default chain or the lane's profile, and AssumeRole on
//! top where a role is to be had. The revoke role too is assumed from there, not from the lane's
//! own role: it is wanted when that one is gone.
//!
//! What a profile asks (a `credential_process`, a chain of roles by way of STS) is the SDK's, so it
//! obeys AWS's endpoint variables; what grantd asks of STS itself does not.

use std::cell::Cell;
use std::error::Error;
use std::iter::successors;
use std::rc::Rc;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::{IdentityCache, Region};
use aws_sdk_sts::types::Credentials as Assumed;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::dial;
use super::hear::{Ear, trouble, words};
use super::keeper::Slot;
use super::settings::{APP, Settings, app_name, behavior};
use crate::config::is_loopback;
use crate::fault::chain;
use crate::ids::Principal;
use crate::kms::Lane;
use crate::kms::classify::{Trouble, outcome};
use crate::rules::life::{Class, Outcome};
use crate::rules::time::Time;

/// Fetches credentials.
pub(super) struct Source {
    region: Region,
    timeouts: TimeoutConfig,
    profile: Option<String>,
    proxy: Option<String>,
    role: Option<Role>,
    /// Whether STS is being asked: for the text of a fetch that is cut off.
    at_sts: Cell<bool>,
}

/// Why there are no credentials. Nothing was sent to KMS.
#[derive(Debug, Clone)]
pub(super) struct Lack {
    /// [`Trouble::NoCredentials`], or [`Trouble::Unfetched`] where nobody answered.
    pub(super) trouble: Trouble<'static>,
    pub(super) text: Rc<str>,
}

impl Lack {
    fn refused(text: String) -> Self {
        Self { trouble: Trouble::NoCredentials, text: text.into() }
    }

    /// Nobody said no: the same credentials may be had a moment later.
    pub(super) fn silent(text: String) -> Self {
        Self { trouble: Trouble::Unfetched, text: text.into() }
    }
}

struct Role {
    arn: String,
    session: String,
    external_id: Option<String>,
    /// Kept for the life of the lane: it learns how wrong this host's clock is, and signs
    /// accordingly.
    sts: aws_sdk_sts::Client,
    base: Slot,
}

/// A client of the Region's own STS endpoint, or of the emulator on this host that stands in for
/// all of AWS: any other endpoint of a lane is KMS's alone (a VPC endpoint of KMS does not know
/// AssumeRole). Built from nothing but the lane, so that no ambient variable or profile can lead it
/// elsewhere.
pub(super) fn sts_client(settings: &Settings, lane: &Lane, slot: Slot) -> aws_sdk_sts::Client {
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(behavior())
        .region(Region::new(lane.region.as_str().to_owned()))
        .credentials_provider(slot)
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .http_client(dial::client(lane.ways.proxy.as_deref()))
        .timeout_config(settings.timeouts());
    let local = lane.endpoint.clone().filter(|url| is_loopback(url));
    config.set_endpoint_url(local).set_app_name(app_name());
    aws_sdk_sts::Client::from_conf(config.build())
}

impl Source {
    /// Of `role`; without one, what the host has.
    pub(super) fn new(settings: &Settings, lane: &Lane, role: Option<&Principal>) -> Self {
        let role = role.map(|arn| {
            let base = Slot::default();
            Role {
                arn: arn.as_str().to_owned(),
                session: lane.ways.session_name.clone().unwrap_or_else(|| APP.to_owned()),
                external_id: lane.external_id.clone(),
                sts: sts_client(settings, lane, base.clone()),
                base,
            }
        });
        let region = Region::new(lane.region.as_str().to_owned());
        let (profile, proxy) = (lane.ways.profile.clone(), lane.ways.proxy.clone());
        let (timeouts, at_sts) = (settings.timeouts(), Cell::new(false));
        Self { region, timeouts, profile, proxy, role, at_sts }
    }

    /// Credentials for the lane, or what stands in the way, in STS's words where they are STS's.
    /// STS's `Date` comes along.
    pub(super) async fn fetch(&self) -> Result<(Credentials, Option<Time>), Lack> {
        self.at_sts.set(false);
        let base = match &self.profile {
            None => self.ambient().await?,
            Some(name) => self.profiled(name).await?,
        };
        let Some(role) = &self.role else {
            return Ok((base, None));
        };
        role.base.put(base);
        self.at_sts.set(true);
        role.assume().await
    }

    /// Whom the credentials come from, where it is not STS.
    fn host(&self) -> String {
        match &self.profile {
            None => "the source of this host's AWS credentials".to_owned(),
            Some(name) => format!("AWS profile {name:?}"),
        }
    }

    /// What to say of a fetch that has no answer after `ms`.
    pub(super) fn cut_off(&self, ms: i64) -> Lack {
        let asked = if self.at_sts.get() { "STS".to_owned() } else { self.host() };
        Lack::silent(format!("{asked} does not answer within {ms} ms"))
    }

    /// The default chain, built anew each time: its providers remember files and variables for
    /// ever, and an administrator who replaced a key should not have to restart the daemon.
    async fn ambient(&self) -> Result<Credentials, Lack> {
        let mut chain = aws_config::defaults(behavior())
            .region(self.region.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.timeouts.clone());
        if let Some(client) = dial::for_credentials(self.proxy.as_deref()) {
            chain = chain.http_client(client);
        }
        let ambient = chain.load().await;
        let provider = ambient
            .credentials_provider()
            .ok_or_else(|| Lack::refused("the SDK has no credentials chain".to_owned()))?;
        self.had(provider.provide_credentials().await)
    }

    /// A profile of AWS's own files, and nothing of the environment: also built anew each time.
    async fn profiled(&self, name: &str) -> Result<Credentials, Lack> {
        let mut config = ProviderConfig::default()
            .with_region(Some(self.region.clone()))
            .with_retry_config(RetryConfig::disabled())
            .with_timeout_config(self.timeouts.clone());
        if let Some(client) = dial::for_credentials(self.proxy.as_deref()) {
            config = config.with_http_client(client);
        }
        let profile = ProfileFileCredentialsProvider::builder().configure(&config);
        self.had(profile.profile_name(name).build().provide_credentials().await)
    }

    fn had(&self, found: Result<Credentials, CredentialsError>) -> Result<Credentials, Lack> {
        found.map_err(|error| {
            let (host, text) = (self.host(), chain(&error));
            match &self.profile {
                _ if unreachable(&error) => Lack::silent(format!("{host} does not answer: {text}")),
                None => Lack::refused(format!("no AWS credentials: {text}")),
                Some(_) => Lack::refused(format!("{host} gives no credentials: {text}")),
            }
        })
    }
}

/// Whether the chain found whom to ask, and got no answer. (That nobody answers at the address of
/// the instance metadata service says only that this host is no instance; the SDK tells it as "not
/// loaded".)
pub(super) fn unreachable(error: &CredentialsError) -> bool {
    let mut causes = successors(error.source(), |&cause| cause.source());
    match error {
        CredentialsError::ProviderTimedOut(_) => true,
        CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_) => {
            causes.any(|cause| cause.is::<ConnectorError>())
        }
        // The last: any kind that a later SDK adds.
        CredentialsError::CredentialsNotLoaded(_)
        | CredentialsError::InvalidConfiguration(_)
        | _ => false,
    }
}

impl Role {
    async fn assume(&self) -> Result<(Credentials, Option<Time>), Lack> {
        let ear = Ear::default();
        let call = self.sts.assume_role().role_arn(&self.arn).role_session_name(&self.session);
        let call = call.set_external_id(self.external_id.clone()).customize();
        let result = call.interceptor(ear.clone()).send().await;
        let heard = ear.heard();
        let refused = |text: String| Lack::refused(format!("cannot assume {}: {text}", self.arn));
        let output = result.map_err(|error| {
            let text = words(&heard, &error);
            match outcome::<()>(trouble(&heard, &error)) {
                // No word of AWS's on the credentials themselves.
                Outcome::Unknown | Outcome::Refused(Class::Unavailable) => {
                    Lack::silent(format!("STS does not answer: cannot assume {}: {text}", self.arn))
                }
                Outcome::Refused(Class::Throttled) => Lack::silent(format!(
                    "STS throttles grantd: cannot assume {}: {text}",
                    self.arn
                )),
                Outcome::Refused(_) | Outcome::Done(()) => refused(text),
            }
        })?;
        let given = output.credentials;
        let given = given.ok_or_else(|| refused("STS gives no credentials".to_owned()))?;
        Ok((usable(given).map_err(refused)?, heard.date))
    }
}

fn usable(given: Assumed) -> Result<Credentials, String> {
    let expires = std::time::SystemTime::try_from(given.expiration)
        .map_err(|e| format!("STS gives an expiry that is no time: {e}"))?;
    Ok(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(expires),
        "AssumeRole",
    ))
}
