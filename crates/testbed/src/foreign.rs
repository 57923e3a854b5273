//! A KMS that we did not write, on loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::host::Ran;
use crate::venv;
use crate::wait::until_within;

/// A Python server starts in about a second; a cold disk takes longer.
const START: std::time::Duration = std::time::Duration::from_secs(60);

/// A running MiniStack or moto, and an AWS CLI that talks to it. Ended when dropped.
#[derive(Debug)]
pub struct Foreign {
    child: Child,
    addr: SocketAddr,
    /// Where the programs of its clients are.
    clients: PathBuf,
}

impl Foreign {
    /// MiniStack 1.5.33.
    ///
    /// # Errors
    /// What could not be installed.
    pub fn ministack() -> Result<Self, String> {
        let program = venv::SERVERS.programs()?.join("ministack");
        let addr = free_port();
        let mut command = Command::new(program);
        // Its default is to listen on every interface.
        command.env("BIND_HOST", addr.ip().to_string());
        command.env("GATEWAY_PORT", addr.port().to_string());
        command.env("SERVICES", "kms,sts,iam").env("LOG_LEVEL", "WARNING");
        Self::start(command, addr)
    }

    /// moto 5.2.5.
    ///
    /// # Errors
    /// What could not be installed.
    pub fn moto() -> Result<Self, String> {
        let program = venv::SERVERS.programs()?.join("moto_server");
        let addr = free_port();
        let mut command = Command::new(program);
        command.args(["-H", &addr.ip().to_string(), "-p", &addr.port().to_string()]);
        Self::start(command, addr)
    }

    fn start(mut command: Command, addr: SocketAddr) -> Result<Self, String> {
        let clients = venv::CLIENTS.programs()?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let mut server = Self { child, addr, clients };
        until_within(START, "the server listens", || {
            let ended = server.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            TcpStream::connect(addr).ok()
        });
        Ok(server)
    }

    /// What to give to `--endpoint-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Runs `aws ARGS` against it, as a person would.
    #[must_use]
    pub fn aws(&self, args: &[&str]) -> Ran {
        let mut command = self.client("aws");
        command.args(["--endpoint-url", &self.url(), "--output", "json"]).args(args);
        Ran::of(&command.output().expect("the AWS CLI runs"))
    }

    /// Runs `code` where boto3 can be imported; the server's address it has to be told.
    #[must_use]
    pub fn python(&self, code: &str) -> Ran {
        Ran::of(&self.client("python").args(["-c", code]).output().expect("Python runs"))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.clients.join(program));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .env("AWS_DEFAULT_REGION", "ap-northeast-1")
            .stdin(Stdio::null());
        command
    }

    /// Makes a key, and gives its ARN.
    #[must_use]
    pub fn create_key(&self) -> String {
        let made = self.aws(&["kms", "create-key"]).ok().json();
        let arn = made["KeyMetadata"]["Arn"].as_str();
        arn.expect("a key has an ARN").to_owned()
    }

    /// `aws kms list-grants` of a key.
    #[must_use]
    pub fn list_grants(&self, key: &str) -> Value {
        self.aws(&["kms", "list-grants", "--key-id", key]).ok().json()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that was free a moment ago: these servers do not take port 0 and tell.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket")
}
