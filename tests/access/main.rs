//! Access, with real processes: users, groups, namespaces, passed connections, against the real
//! binary on its own socket. It takes root to be other users; where the tests have no root, or may
//! make no user namespace, the trials are shown as ignored, with the reason, and with `CI=true`
//! they fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod matrix;
mod paths;
mod people;
mod world;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// Why this machine cannot run them, if it cannot.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can be other users".to_owned());
    }
    let can = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    if !can("setpriv", &["--version"]) {
        return Some("there is no setpriv (util-linux)".to_owned());
    }
    let user = ["--reuid=64004", "--regid=64004", "--clear-groups"];
    let namespace = ["unshare", "--user", "--map-root-user", "true"];
    (!can("setpriv", &[&user[..], &namespace[..]].concat()))
        .then(|| "users may make no user namespace here".to_owned())
}

fn trials(missing: Option<&str>) -> Vec<Trial> {
    let tests: [(&str, fn()); 8] = [
        ("nobody_gets_what_is_not_his", matrix::nobody_gets_what_is_not_his),
        ("nor_does_a_command_help", matrix::nor_does_a_command_help),
        ("a_passed_connection_is_its_maker_s", paths::a_passed_connection_is_its_maker_s),
        ("each_request_is_judged_anew", paths::each_request_is_judged_anew),
        ("forged_headers_open_nothing", paths::forged_headers_open_nothing),
        ("who_has_no_uid_here_is_nobody", paths::who_has_no_uid_here_is_nobody),
        ("the_socket_s_mode_keeps_out_and_says_so", paths::the_socket_s_mode_keeps_out_and_says_so),
        ("unknown_names_match_nobody_and_warn", paths::unknown_names_match_nobody_and_warn),
    ];
    let trial = |(name, test): (&str, fn())| {
        let Some(reason) = missing else {
            return Trial::test(name, move || {
                test();
                Ok(())
            });
        };
        let fails = reason.to_owned();
        let name = format!("{name} (not run: {reason})");
        let trial = Trial::test(name, move || Err(Failed::from(fails)));
        trial.with_ignored_flag(!testbed::venv::required())
    };
    tests.into_iter().map(trial).collect()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some((client::AS_CLIENT, rest)) = args.split_first().map(|(a, rest)| (a.as_str(), rest))
    {
        return client::run(rest);
    }
    let args = Arguments::from_args();
    let missing = if args.list { None } else { missing() };
    libtest_mimic::run(&args, trials(missing.as_deref())).exit_code()
}
