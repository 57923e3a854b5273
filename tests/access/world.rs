//! A machine with users: a daemon whose socket lets everybody in, so that nothing but grantd itself
//! refuses; and processes that ask as somebody.

use std::fs::{File, Permissions};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testbed::{Config, Daemon, Host, Ran, Reply, Sandbox};

use crate::client::{AS_CLIENT, UNCONNECTED};

const GRANTD: &str = env!("CARGO_BIN_EXE_grantd");

const REVOKER: &str = "arn:aws:iam::111122223333:role/grantd-revoker";

/// What the configuration says of people; the numbers need not be known on this host.
const PEOPLE: &str =
    "[access]\nread = [\"user:64005\", \"group:64105\"]\nadmin = [\"group:64106\"]\n";

/// A process as the kernel sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    /// What he is in the matrix.
    pub(crate) name: &'static str,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary.
    pub(crate) groups: &'static [u32],
    /// Root of a user namespace of his own making.
    pub(crate) own_namespace: bool,
}

impl Actor {
    pub(crate) const fn new(name: &'static str, uid: u32, groups: &'static [u32]) -> Self {
        Self { name, uid, gid: uid, groups, own_namespace: false }
    }

    fn under(&self) -> Vec<String> {
        let Self { uid, gid, groups, own_namespace, .. } = self;
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let groups = match groups.is_empty() {
            true => "--clear-groups".to_owned(),
            false => format!("--groups={}", groups.join(",")),
        };
        let mut under = ["setpriv".to_owned(), format!("--reuid={uid}")].to_vec();
        under.extend([format!("--regid={gid}"), groups]);
        if *own_namespace {
            under.extend(["unshare", "--user", "--map-root-user"].map(ToOwned::to_owned));
        }
        under
    }

    /// `program`, run as he.
    fn command(&self, program: &OwnedFd) -> Command {
        let under = self.under();
        let program = format!("/proc/self/fd/{}", program.as_raw_fd());
        let mut command = Command::new(&under[0]);
        command.args(&under[1..]).arg(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").stdin(Stdio::null());
        command
    }
}

/// He asks for what the policies give him.
pub(crate) const OWNER: Actor = Actor::new("the owner", 64001, &[]);
/// He is no one's.
pub(crate) const STRANGER: Actor = Actor::new("a stranger", 64004, &[]);
pub(crate) const ADMIN: Actor = Actor::new("an administrator by his group", 64006, &[64106]);
pub(crate) const ROOT: Actor = Actor::new("root", 0, &[]);

/// A socket's answer, or why there was none.
pub(crate) type Answer = Result<Reply, String>;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    /// The programs, inherited: where they were built, only their builder may look.
    grantd: OwnedFd,
    client: OwnedFd,
}

impl World {
    /// With a configuration, and nothing running.
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::start();
        let grantd = sandbox.story.grantd.arn.clone();
        sandbox.handle().with(|core| {
            let may = kms_sandbox::IamPolicy::allow(["kms:RevokeGrant"]);
            core.put_role(REVOKER, may, &[&grantd], None);
        });
        let account = format!("revoke-role-arn = \"{REVOKER}\"");
        let config = Config { create_rate: 100, end_rate: 100, account, ..Config::default() };
        let host = sandbox.host(GRANTD, &config).direct();
        let text = sandbox.config(&config);
        let policies = text.find("[[policy]]").unwrap();
        let policy = |name: &str, grantee: &str, callers: &str, more: &str| {
            format!(
                "[[policy]]\nname = \"{name}\"\nkeys = [\"{}\"]\ngrantees = [\"role/{grantee}\"]\n\
                 operations = [\"Decrypt\"]\ncallers = [{callers}]\ndefault-ttl = \"10min\"\n\
                 max-ttl = \"1h\"\nmax-live = 10000\nmax-live-per-asker = 10000\n{more}\n",
                sandbox.story.alias
            )
        };
        let callers = "\"user:64001\", \"group:64102\"";
        let own = policy("readers", "RoleB", callers, "");
        let shared =
            policy("shared", "RoleA", "\"user:64001\", \"user:64007\"", "own = \"policy\"");
        host.configure(&format!("{}{PEOPLE}{own}{shared}", &text[..policies]));
        open(host.dir());
        let (grantd, client) =
            (inherited(Path::new(GRANTD)), inherited(&std::env::current_exe().unwrap()));
        Self { sandbox, host, grantd, client }
    }

    /// A daemon that everybody may connect to.
    pub(crate) fn ready(&self) -> Daemon {
        let daemon = self.host.ready();
        self.let_in(0o666);
        daemon
    }

    /// The mode of the socket.
    pub(crate) fn let_in(&self, mode: u32) {
        let socket = self.host.socket();
        std::fs::set_permissions(socket, Permissions::from_mode(mode)).unwrap();
    }

    /// What the daemon answers to a process of `actor`.
    pub(crate) fn ask(&self, actor: &Actor, request: &str) -> Answer {
        let mut command = actor.command(&self.client);
        command.args([AS_CLIENT, "ask"]).arg(self.host.socket()).arg(request);
        answer(command)
    }

    /// `lender` connects, and passes the connection to `borrower`, who asks on it.
    pub(crate) fn ask_on_borrowed(
        &self,
        (lender, borrower): (&Actor, &Actor),
        request: &str,
    ) -> Answer {
        let (here, there) = UnixStream::pair().unwrap();
        let mut lends = lender.command(&self.client);
        lends.args([AS_CLIENT, "lend"]).arg(self.host.socket());
        lends.stdin(Stdio::from(OwnedFd::from(here)));
        let lent = lends.status().unwrap();
        assert!(lent.success(), "{lent}");
        let mut borrows = borrower.command(&self.client);
        borrows.args([AS_CLIENT, "borrow", request]);
        borrows.stdin(Stdio::from(OwnedFd::from(there)));
        answer(borrows)
    }

    /// The program's own commands, run as `actor`.
    pub(crate) fn grantd(&self, actor: &Actor, args: &[&str]) -> Ran {
        let mut command = actor.command(&self.grantd);
        command.env("GRANTD_SOCKET", self.host.socket()).args(args);
        Ran::of(&command.output().unwrap())
    }

    /// A lease that the owner has asked for.
    pub(crate) fn lease(&self, grantee: &str, held: bool) -> String {
        let made = self.ask(&OWNER, &self.create(grantee, held)).unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        made.body["lease"]["ref"].as_str().unwrap().to_owned()
    }

    /// A request for one.
    pub(crate) fn create(&self, grantee: &str, held: bool) -> String {
        let body = json!({ "key": self.sandbox.story.alias, "grantee": format!("role/{grantee}"),
            "operations": ["Decrypt"], "hold": held });
        http("POST", "/v1/leases", Some(&body))
    }
}

/// A descriptor that each child has too, under the same number.
fn inherited(program: &Path) -> OwnedFd {
    rustix::io::dup(File::open(program).unwrap()).unwrap()
}

fn open(dir: &Path) {
    std::fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
}

fn answer(mut command: Command) -> Answer {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(Reply::parse(&said).unwrap_or_else(|| panic!("{said:?}"))),
        Some(code) if code == i32::from(UNCONNECTED) => Err(said),
        _ => panic!("{command:?}: {output:?}"),
    }
}

/// A request as bytes.
pub(crate) fn http(method: &str, path: &str, body: Option<&Value>) -> String {
    with("Host: localhost", method, path, body)
}

/// The same with these header lines.
pub(crate) fn with(headers: &str, method: &str, path: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string).unwrap_or_default();
    let declared = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    format!("{method} {path} HTTP/1.1\r\n{headers}\r\n{declared}Connection: close\r\n\r\n{body}")
}
