//! Where a lane's credentials come from: the default chain, and STS AssumeRole on top where the
//! lane names a role.

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::config::{IdentityCache, Region};
use aws_sdk_sts::types::Credentials as Assumed;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::hear::{Ear, words};
use super::keeper::Slot;
use super::settings::{APP, Settings, app_name, behavior};
use crate::fault::chain;
use crate::kms::Lane;
use crate::rules::time::Time;

/// Fetches credentials.
pub(super) struct Source {
    region: Region,
    timeouts: TimeoutConfig,
    role: Option<Role>,
}

struct Role {
    arn: String,
    external_id: Option<String>,
    /// Kept for the life of the lane: it learns how wrong this host's clock is, and signs
    /// accordingly.
    sts: aws_sdk_sts::Client,
    base: Slot,
}

/// A client of the Region's own STS endpoint, or of the lane's other one. Built from nothing but
/// the lane, so that no ambient variable or profile can lead it elsewhere.
pub(super) fn sts_client(settings: &Settings, lane: &Lane, slot: Slot) -> aws_sdk_sts::Client {
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(behavior())
        .region(Region::new(lane.region.as_str().to_owned()))
        .credentials_provider(slot)
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .timeout_config(settings.timeouts());
    config.set_endpoint_url(lane.endpoint.clone()).set_app_name(app_name());
    aws_sdk_sts::Client::from_conf(config.build())
}

impl Source {
    pub(super) fn new(settings: &Settings, lane: &Lane) -> Self {
        let role = lane.role_arn.as_ref().map(|arn| {
            let base = Slot::default();
            Role {
                arn: arn.as_str().to_owned(),
                external_id: lane.external_id.clone(),
                sts: sts_client(settings, lane, base.clone()),
                base,
            }
        });
        let region = Region::new(lane.region.as_str().to_owned());
        Self { region, timeouts: settings.timeouts(), role }
    }

    /// Credentials for the lane, or what stands in the way, in STS's words where they are STS's.
    /// STS's `Date` comes along.
    pub(super) async fn fetch(&self) -> Result<(Credentials, Option<Time>), String> {
        let ambient = self.ambient().await?;
        let Some(role) = &self.role else {
            return Ok((ambient, None));
        };
        role.base.put(ambient);
        role.assume().await
    }

    /// The default chain, built anew each time: its providers remember files and variables for
    /// ever, and an administrator who replaced a key should not have to restart the daemon.
    async fn ambient(&self) -> Result<Credentials, String> {
        let ambient = aws_config::defaults(behavior())
            .region(self.region.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.timeouts.clone())
            .load()
            .await;
        let provider = ambient.credentials_provider().ok_or("the SDK has no credentials chain")?;
        let found = provider.provide_credentials().await;
        found.map_err(|error| format!("no AWS credentials: {}", chain(&error)))
    }
}

impl Role {
    async fn assume(&self) -> Result<(Credentials, Option<Time>), String> {
        let ear = Ear::default();
        let call = self.sts.assume_role().role_arn(&self.arn).role_session_name(APP);
        let call = call.set_external_id(self.external_id.clone()).customize();
        let result = call.interceptor(ear.clone()).send().await;
        let heard = ear.heard();
        let refused = |text: String| format!("cannot assume {}: {text}", self.arn);
        let output = result.map_err(|error| refused(words(&heard, &error)))?;
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
