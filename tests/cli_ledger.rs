//! A ledger file read while the daemon is down; and refused while it runs.

use testbed::{Config, Sandbox};

#[test]
fn a_ledger_is_read_while_the_daemon_is_down_and_only_then() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(env!("CARGO_BIN_EXE_grantd"), &Config::default());
    let daemon = host.ready();
    let alias = sandbox.story.alias;
    let create = ["create", "-q", "--key", alias, "--grantee", "role/RoleB", "--operations"];
    let made = host.grantd(&[&create[..], &["Decrypt", "--ttl", "1h"]].concat()).ok();
    let reference = made.stdout.trim();
    let file = host.state_dir().join("ledger.db");
    let read =
        |words: &[&str]| host.grantd(&[words, &["--ledger", file.to_str().unwrap()]].concat());

    let refused = read(&["list"]);
    assert_eq!(refused.code, Some(73), "{refused:?}");
    assert!(refused.stderr.contains("hint: the daemon runs: leave out --ledger"), "{refused:?}");
    let shown = host.grantd(&["show", reference, "--json"]).ok().json();
    let history = host.grantd(&["history", reference, "--json"]).ok().stdout;
    assert_eq!(daemon.stop(), Some(0));

    assert_eq!(read(&["show", &reference[..6], "--json"]).ok().json(), shown);
    assert_eq!(read(&["list", "--mine", "--json"]).ok().json()[0], shown);
    assert!(read(&["list"]).ok().stdout.contains(reference));
    assert_eq!(read(&["history", reference, "--json"]).ok().stdout, history);
    assert!(read(&["history", "verify"]).ok().stdout.contains("the chain is whole"));
    assert_eq!(read(&["show", "g-zzzz"]).code, Some(66));
    let absent = host.grantd(&["list", "--ledger", "/nonexistent/ledger.db"]);
    assert_eq!(absent.code, Some(66), "{absent:?}");
}
