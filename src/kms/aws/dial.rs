//! How connections are made: directly, or through the account's proxy.
//!
//! The SDK's own client would obey `HTTPS_PROXY` and its kin. A proxy stands in the config or
//! nowhere, as an endpoint does: whoever may set a variable of the daemon must not choose its way
//! to KMS, and what the file says must be what happens.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Where the sources of ambient credentials listen on the host itself: instance metadata, container
/// credentials of ECS and EKS, and loopback. No proxy could reach them.
const OF_THIS_HOST: &str = "169.254.169.254,fd00:ec2::254,169.254.170.2,169.254.170.23,fd00:ec2::23,localhost,127.0.0.1,::1";

/// The client for KMS and STS: through `proxy`, or directly.
pub(super) fn client(proxy: Option<&str>) -> SharedHttpClient {
    through(proxy.map_or_else(ProxyConfig::disabled, proxied))
}

/// The client for a chain of credentials that may ask the host itself as well as STS. Without a
/// proxy the chain is the SDK's own affair.
pub(super) fn for_credentials(proxy: Option<&str>) -> Option<SharedHttpClient> {
    proxy.map(|proxy| through(proxied(proxy).no_proxy(OF_THIS_HOST)))
}

fn proxied(url: &str) -> ProxyConfig {
    ProxyConfig::all(url).unwrap_or_else(|error| {
        // The config has read it as a URL. Direct would be another way than the one that is named.
        tracing::error!(url, %error, "this proxy cannot be used: nothing is reached");
        ProxyConfig::all("http://127.0.0.1:9").unwrap_or_else(|_| ProxyConfig::disabled())
    })
}

/// The SDK's default client (hyper, rustls with aws-lc) but for the proxy.
fn through(proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(tls);
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(proxy.clone()));
        connector.build()
    })
}
