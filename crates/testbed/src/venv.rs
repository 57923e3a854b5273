//! Python environments under `target/`, made once: MiniStack and moto for servers, the AWS CLI as a
//! client that we did not write either.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::wait::Turn;

/// An environment, by name, and what is in it, pinned.
#[derive(Debug, Clone, Copy)]
pub struct Venv {
    name: &'static str,
    packages: &'static [&'static str],
}

/// MiniStack pins an older botocore than the clients want: hence two environments.
pub const SERVERS: Venv =
    Venv { name: "venv-servers", packages: &["ministack==1.5.33", "moto[server]==5.2.5"] };

/// What a person has on the machine, and the library behind it.
pub const CLIENTS: Venv =
    Venv { name: "venv-clients", packages: &["awscli==1.46.3", "boto3==1.44.8"] };

/// What makes requests from the API's document.
pub const FUZZERS: Venv = Venv { name: "venv-fuzzers", packages: &["schemathesis==4.32.5"] };

impl Venv {
    /// The directory of its programs, made if need be.
    ///
    /// # Errors
    /// What is missing: Python, its venv module, or the way to the package index.
    pub fn programs(self) -> Result<PathBuf, String> {
        let _turn = Turn::wait(self.name);
        let dir = target().join(self.name);
        let wanted = self.packages.join("\n");
        let stamp = dir.join("installed");
        // Written last: an environment without it is half made.
        if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
            return Ok(dir.join("bin"));
        }
        let path = dir.display().to_string();
        run("python3", &["-m", "venv", "--clear", &path])?;
        let pip = dir.join("bin/pip").display().to_string();
        let quiet = ["install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
        run(&pip, &[&quiet[..], self.packages].concat())?;
        std::fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
        Ok(dir.join("bin"))
    }
}

/// Why the servers and clients of these environments cannot be had here; installs them if need be.
#[must_use]
pub fn missing() -> Option<String> {
    SERVERS.programs().and_then(|_| CLIENTS.programs()).err()
}

/// Whether a test that needs them fails where they are missing, instead of being shown as not run.
#[must_use]
pub fn required() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or_default();
    Err(format!("{program} {}: {last}", args.join(" ")))
}

/// Cargo's target directory: the nearest above the running test that cargo has tagged as a cache.
#[must_use]
pub fn target() -> &'static Path {
    static TARGET: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    TARGET.get_or_init(|| {
        let exe = std::env::current_exe().expect("the test's own path");
        let tagged = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
        let target = exe.ancestors().skip(1).find(tagged);
        target.expect("cargo's target directory").to_owned()
    })
}
