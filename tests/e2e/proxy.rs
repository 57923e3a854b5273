//! A proxy between this host and KMS: in the config or nowhere.

use testbed::{Config, Host, Proxy, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, request};

fn world(proxy: &Proxy) -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let account = format!("proxy = \"{}\"", proxy.url());
    let host = sandbox.host(GRANTD, &Config { account, ..Config::default() });
    (sandbox, host)
}

#[test]
fn every_call_goes_through_the_proxy_and_an_outage_of_it_delays_only() {
    let proxy = Proxy::start();
    let (sandbox, host) = world(&proxy);
    let _daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "4s");
    let place = sandbox.server.url().trim_start_matches("http://").to_owned();
    let through = |line: &String| line.contains(&place);
    assert!(!proxy.asked().is_empty() && proxy.asked().iter().all(through), "{:?}", proxy.asked());
    let addr = proxy.addr();
    drop(proxy);
    let refused = host.post("/v1/leases", &request(&sandbox, "1min"));
    assert!(matches!(refused.status, 202 | 503), "{refused:?}");
    until("the lane waits", || {
        let status = host.get("/v1/status").body;
        let waits = status["waits"].as_array()?.clone();
        waits.into_iter().find(|wait| wait["class"] == "unavailable")
    });
    let _back = Proxy::again(addr);
    let ended = until("it is ended once the proxy is back", || {
        let named = |name: &String| name.contains(&lease.reference);
        let mut grants = sandbox.leased().into_iter();
        grants.find(|grant| grant.name.as_ref().is_some_and(named))?.ended_at_ms
    });
    assert!(ended >= lease.deadline_ms, "not early: {ended}");
}

/// KMS itself is asked for by a tunnel, so that the proxy sees no more than its name.
#[test]
fn aws_is_reached_by_a_tunnel_alone() {
    let proxy = Proxy::start();
    let (_sandbox, host) = world(&proxy);
    let text = std::fs::read_to_string(host.config()).unwrap();
    let aws: Vec<&str> = text.lines().filter(|line| !line.starts_with("endpoint-url")).collect();
    host.configure(&aws.join("\n").replace("settle = \"1s\"", ""));
    let _daemon = host.ready();
    let wanted = "CONNECT sts.ap-northeast-1.amazonaws.com:443 HTTP/1.1";
    until("STS is asked for", || proxy.asked().iter().any(|line| line == wanted).then_some(()));
    let kms = "CONNECT kms.ap-northeast-1.amazonaws.com:443 HTTP/1.1";
    until("and KMS", || proxy.asked().iter().any(|line| line == kms).then_some(()));
    assert!(proxy.asked().iter().all(|line| line.starts_with("CONNECT ")), "{:?}", proxy.asked());
}

/// What stands in the environment is no way of ours.
#[test]
fn a_proxy_of_the_environment_is_not_obeyed() {
    let proxy = Proxy::start();
    let sandbox = Sandbox::start();
    let mut host = sandbox.host(GRANTD, &Config::default());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        host.set(name, proxy.url());
    }
    let _daemon = host.ready();
    Lease::make(&host, &sandbox, "2s").ends_on_time(&sandbox);
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

/// A reload gives what lives another way.
#[test]
fn a_reload_leads_another_way() {
    let (first, second) = (Proxy::start(), Proxy::start());
    let (sandbox, host) = world(&first);
    let _daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "5s");
    let text = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&text.replace(&first.url(), &second.url()));
    let told = host.grantd(&["reload"]).ok().stdout;
    assert!(told.contains("they are ended by this way from now on"), "{told}");
    drop(first);
    lease.ends_on_time(&sandbox);
    assert!(!second.asked().is_empty());
}
