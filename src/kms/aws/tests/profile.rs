//! Profiles of AWS's own files: a `credential_process` that fails, hangs or gives no expiry, and a
//! chain of roles. The files are named by `AWS_CONFIG_FILE`, so each test is told where they lie by
//! its environment.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use futures_util::future::LocalBoxFuture;

use super::*;
use crate::clock::Reading;

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY";

/// A directory for one test, the same in the child process that runs it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("grantd-profile-{name}"));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn config(&self) -> String {
        self.0.join("config").display().to_string()
    }

    /// A profile `p` whose `credential_process` notes that it was started and does `what`.
    fn process(&self, what: &str) {
        let script = self.0.join("give");
        let starts = self.starts();
        let _gone = fs::remove_file(&starts);
        let text = format!("#!/bin/sh\necho x >> {}\n{what}\n", starts.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let profile = format!("[profile p]\ncredential_process = {}\n", script.display());
        fs::write(self.config(), profile).unwrap();
    }

    fn starts(&self) -> PathBuf {
        self.0.join("starts")
    }

    fn started(&self) -> usize {
        fs::read_to_string(self.starts()).unwrap_or_default().lines().count()
    }
}

/// Run `scenario` with a directory of its own for AWS's files.
fn with_files(name: &str, scenario: impl AsyncFnOnce(Files)) {
    let files = Files::new(name);
    let config = files.config();
    alone(&[("AWS_CONFIG_FILE", &config), KEYS[0], KEYS[1]], async || scenario(files).await);
}

fn of_profile(endpoint: &str) -> Lane {
    let ways = Ways { profile: Some("p".to_owned()), ..Ways::default() };
    Lane { ways, ..lane(endpoint) }
}

fn given(more: &str) -> String {
    format!(
        "echo '{{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"{SECRET}\"{more}}}'"
    )
}

#[test]
fn a_process_gives_the_credentials_with_and_without_an_expiry() {
    with_files("gives", async |files| {
        for more in ["", ",\"Expiration\":\"2019-11-23T19:00:00Z\",\"SessionToken\":\"t\""] {
            files.process(&given(more));
            let fake = Fake::start(|_| Reply::json(DESCRIBED));
            let (adapter, lane) = (adapter(), of_profile(&fake.endpoint));
            for _ in 0..2 {
                let answer = adapter.describe(&lane, KEY).await;
                assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
            }
            assert!(fake.heard()[0].head.contains("credential=akiaprocess/"));
            assert_eq!(files.started(), 1, "one answer serves until it is refused or old");
        }
    });
}

#[test]
fn a_process_that_fails_or_prints_nonsense_is_told_and_nothing_is_sent() {
    with_files("fails", async |files| {
        let nonsense = format!("echo '{{\"SecretAccessKey\":\"{SECRET}\", oops'");
        for (what, told) in [
            ("echo no ticket >&2; exit 3", "no ticket"),
            (nonsense.as_str(), "could not parse response"),
            ("echo '{\"Version\":2}'", "unknown version number"),
            ("exec /nonexistent/helper", "exited with code"),
        ] {
            files.process(what);
            let fake = Fake::start(|_| Reply::json(DESCRIBED));
            let answer = adapter().describe(&of_profile(&fake.endpoint), KEY).await;
            assert_eq!(answer.outcome, Outcome::Refused(Class::Credentials), "{answer:?}");
            let text = detail(&answer);
            assert!(text.starts_with("AWS profile \"p\" gives no credentials: "), "{text}");
            assert!(text.contains(told) && !text.contains(SECRET), "{text}");
            assert!(fake.heard().is_empty());
        }
    });
}

#[test]
fn an_unknown_profile_is_no_reason_to_take_other_credentials() {
    with_files("unknown", async |files| {
        fs::write(files.config(), "[default]\nregion = us-east-1\n").unwrap();
        let fake = Fake::start(|_| Reply::json(DESCRIBED));
        let answer = adapter().describe(&of_profile(&fake.endpoint), KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Credentials), "{answer:?}");
        assert!(detail(&answer).contains("profile `p` was not defined"), "{answer:?}");
        assert!(fake.heard().is_empty());
    });
}

#[test]
fn a_slow_process_is_waited_for_and_started_once() {
    with_files("slow", async |files| {
        files.process(&format!("sleep 3\n{}", given("")));
        let fake = Fake::start(|_| Reply::json(DESCRIBED));
        let (adapter, lane) = (adapter(), of_profile(&fake.endpoint));
        let answer = adapter.describe(&lane, KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Unavailable), "{answer:?}");
        assert_eq!(detail(&answer), "AWS profile \"p\" does not answer within 2000 ms");
        let answer = adapter.describe(&lane, KEY).await;
        assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
        assert_eq!(files.started(), 1);
    });
}

/// The system's clock, set ahead.
struct Ahead(SystemClock, Cell<i64>);

impl Clock for Ahead {
    fn read(&self) -> Reading {
        let now = self.0.read();
        Reading { boot: now.boot + self.1.get(), ..now }
    }

    fn nap(&self, ms: i64) -> LocalBoxFuture<'_, ()> {
        self.0.nap(ms)
    }
}

#[test]
fn processes_that_hang_are_given_up_and_never_many() {
    with_files("hangs", async |files| {
        files.process("sleep 20");
        let clock = Rc::new(Ahead(SystemClock::new().unwrap(), Cell::new(0)));
        let short = Duration::from_millis(100);
        let settings = Settings { attempt_timeout: short, connect_timeout: short };
        let adapter = AwsKms::new(settings, Rc::clone(&clock) as Rc<dyn Clock>);
        let lane = of_profile("http://127.0.0.1:1");
        // Once a minute another is started, until four hang beside it: more would fill the host.
        for expected in [1, 2, 3, 4, 5, 5, 5] {
            for _ in 0..3 {
                let answer = adapter.warm(&lane).await;
                assert_eq!(answer.outcome, Outcome::Refused(Class::Unavailable), "{answer:?}");
            }
            let started = || (files.started() >= expected).then_some(());
            for _ in 0..100 {
                if started().is_some() {
                    break;
                }
                clock.nap(20).await;
            }
            assert_eq!(files.started(), expected);
            clock.1.set(clock.1.get() + 60_000);
        }
    });
}

#[test]
fn a_profile_may_be_a_chain_of_roles() {
    let files = Files::new("chain");
    let text = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n\
                [profile p]\nrole_arn = arn:aws:iam::111122223333:role/middle\n\
                source_profile = base\n";
    fs::write(files.config(), text).unwrap();
    // A chain's STS is the SDK's affair, which obeys the variable: found out by asking nobody.
    let env = [
        ("AWS_CONFIG_FILE", files.config()),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1".to_owned()),
    ];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    alone(&env, async || {
        let answer = adapter().describe(&of_profile("http://127.0.0.1:1"), KEY).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Unavailable), "{answer:?}");
        assert!(detail(&answer).starts_with("AWS profile \"p\" does not answer: "), "{answer:?}");
    });
}
