//! What `explain` says beforehand is what the daemon then does.

use serde_json::{Value, json};
use testbed::{Config, Host, Sandbox};

use crate::GRANTD;

/// The flags of a request, and the same as the body of `POST /v1/leases`.
fn both(changes: &[(&str, &str)]) -> (Vec<String>, Value) {
    let mut body = json!({
        "key": "alias/my-kms-grant-example-key", "grantee": "role/RoleB",
        "operations": ["Decrypt"], "ttl": "2min",
    });
    for (field, value) in changes {
        body[field] = if *field == "operations" { json!([value]) } else { json!(value) };
    }
    let mut flags = Vec::new();
    for (field, value) in body.as_object().unwrap() {
        let value = value.as_str().or_else(|| value[0].as_str()).unwrap();
        flags.extend([format!("--{field}"), value.to_owned()]);
    }
    (flags, body)
}

/// `allow` or the code of the fault; and the policy that decided.
fn explained(host: &Host, flags: &[String]) -> (String, String) {
    let config = host.config().display().to_string();
    let mut line = vec!["explain", "--json", "--config", &config];
    line.extend(flags.iter().map(String::as_str));
    let told = host.grantd(&line);
    let document = told.json();
    let word = match document["decision"].as_str() {
        Some("allow") => "allow".to_owned(),
        Some(_) => document["fault"]["type"].as_str().unwrap().to_owned(),
        None => document["type"].as_str().unwrap().to_owned(),
    };
    let code = told.code.unwrap();
    assert_eq!(code == 0, word == "allow", "{told:?}");
    (word, document["policy"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn explain_says_what_the_daemon_does() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    let mut seen = Vec::new();
    for changes in [
        &[][..],
        &[("ttl", "59min")],
        &[("ttl", "61min")],
        &[("ttl", "0s")],
        &[("until", "2020-01-01T00:00:00Z"), ("ttl", "")],
        &[("operations", "DescribeKey")],
        &[("operations", "Encrypt")],
        &[("operations", "CreateGrant")],
        &[("grantee", "role/RoleA")],
        &[("grantee", "role/grantd")],
        &[("grantee", "s3.amazonaws.com")],
        &[("key", "alias/nothing")],
        &[("reason", "a ticket")],
    ] {
        let (mut flags, mut body) = both(changes);
        if body["ttl"] == "" {
            body.as_object_mut().unwrap().remove("ttl");
            let at = flags.iter().position(|flag| flag == "--ttl").unwrap();
            flags.drain(at..at + 2);
        }
        let (word, policy) = explained(&host, &flags);
        let made = host.post("/v1/leases", &body);
        let did = match made.status {
            201 => "allow".to_owned(),
            _ => made.body["type"].as_str().unwrap().to_owned(),
        };
        // An alias that is not there is supposed to be: what explain cannot know, it says.
        if body["key"] == "alias/nothing" {
            assert_eq!((word.as_str(), did.as_str()), ("no-policy", "key-not-found"));
            continue;
        }
        assert_eq!(word, did, "{body}: {made:?}");
        if did == "allow" {
            assert_eq!(made.body["lease"]["policy"], policy.as_str());
        }
        seen.push(did);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["allow", "bad-argument", "deadline-past", "no-policy", "ttl-above-max"]);
    assert_eq!(daemon.stop(), Some(0));
}
