//! The command line as it is typed. What it means is decided by the module of each command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use super::accept_alias::AcceptAliasArgs;
pub use super::adopt::{AdoptArgs, ResumeArgs};
pub use super::backup::BackupArgs;
pub use super::check_args::{CheckArgs, DoctorArgs};
use super::create_args::CreateArgs;
use super::examples;
pub use super::explain_args::ExplainArgs;
use super::extend_args::ExtendArgs;
pub use super::govern_args::{FreezeArgs, ReloadArgs, UnfreezeArgs};
pub use super::iam_policy::IamPolicyArgs;
pub use super::scan::ScanArgs;
pub use super::sweep::SweepArgs;

/// Where the daemon listens unless told otherwise. The unit's `RuntimeDirectory=grantd` makes the
/// directory.
pub const DEFAULT_SOCKET: &str = "/run/grantd/grantd.sock";
/// Where the daemon's configuration is unless told otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/grantd/grantd.toml";

/// Temporary access to AWS KMS keys that really ends.
///
/// A KMS grant has no expiry. grantd makes grants with a deadline, records each before it is sent,
/// and ends it on time.
#[derive(Debug, Parser)]
#[command(name = "grantd", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = examples::GRANTD, after_long_help = examples::GRANTD_LONG)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Socket of the daemon
    #[arg(long, global = true, value_name = "PATH", env = "GRANTD_SOCKET")]
    #[arg(default_value = DEFAULT_SOCKET, help_heading = "Global options")]
    #[arg(value_parser = OsStringValueParser::new().map(socket))]
    pub socket: PathBuf,
    /// Whether it was typed, or stands in the environment: then the daemon listens there, whatever
    /// its configuration says.
    #[arg(skip)]
    pub socket_given: bool,
    /// Print JSON on stdout, and nothing else there
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Read a command line.
    ///
    /// # Errors
    /// clap's, ready to be printed; `--help` and `--version` are among them.
    pub fn read(argv: &[OsString]) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(argv)?;
        let mut typed = Self::from_arg_matches(&matches)?;
        let typed_out = matches.value_source("socket") != Some(ValueSource::DefaultValue);
        let empty = matches.get_raw("socket").is_some_and(|mut raw| raw.all(|v| v.is_empty()));
        typed.socket_given = typed_out && !empty;
        Ok(typed)
    }
}

/// An empty `GRANTD_SOCKET` is as good as none.
fn socket(typed: OsString) -> PathBuf {
    if typed.is_empty() { PathBuf::from(DEFAULT_SOCKET) } else { PathBuf::from(typed) }
}

/// What could be (a beginning of) a ref.
pub(super) fn reference(typed: &str) -> Result<String, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !typed.is_empty() && typed.bytes().all(fits) {
        return Ok(typed.to_owned());
    }
    Err("a ref is g- and 12 letters and digits, or a beginning of that, such as g-7k")
}

/// The commands, in the order in which a person meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a principal access to a key until a deadline
    Create(Box<CreateArgs>),
    /// List leases by deadline
    List(ListArgs),
    /// Show all particulars of a lease
    Show(ShowArgs),
    /// Give a lease a later or an earlier deadline
    Extend(ExtendArgs),
    /// End leases before their deadline
    Revoke(RevokeArgs),
    /// Keep new leases from being made, in an incident
    Freeze(FreezeArgs),
    /// Let new leases be made again
    Unfreeze(UnfreezeArgs),
    /// Show who did what and when, and what KMS answered
    History(HistoryArgs),
    /// Tell how the daemon is, and what needs attention
    Status(StatusArgs),
    /// Tell how a request would be decided, and by which policy
    #[command(after_help = examples::EXPLAIN)]
    Explain(Box<ExplainArgs>),
    /// Check a configuration as the daemon would load it
    Check(CheckArgs),
    /// Print the IAM policies that the configuration needs, and no more
    IamPolicy(IamPolicyArgs),
    /// Look at all that grantd stands on, and say what to do
    Doctor(DoctorArgs),
    /// Show every grant on the policies' keys, what it is, and what would become of it
    Scan(ScanArgs),
    /// Put one grant of somebody else under a deadline
    Adopt(AdoptArgs),
    /// Let grants of others end that a new policy or the brake holds
    Resume(ResumeArgs),
    /// Let an alias name the key that it was moved to
    AcceptAlias(AcceptAliasArgs),
    /// End what is past its deadline in one pass, without daemon or ledger
    Sweep(SweepArgs),
    /// Copy the ledger to a file that can be put back; also while the daemon runs
    Backup(BackupArgs),
    /// Have the daemon take the changed configuration
    Reload(ReloadArgs),
    /// Run the daemon in the foreground
    Run(RunArgs),
    /// See the whole story in a minute, without an AWS account
    Demo(DemoArgs),
    /// Run the embedded KMS alone, to try AWS tools against
    Sandbox(SandboxArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Write the man pages
    Man(ManArgs),
}

/// `grantd list`.
#[derive(Debug, Args)]
#[command(after_help = examples::LIST)]
pub struct ListArgs {
    /// Only this key: ARN, key id, or as it was asked for (such as alias/app; what was found by its
    /// Name at KMS has no alias)
    #[arg(long, visible_alias = "key-id")]
    pub key: Option<String>,
    /// Only this grantee: ARN, or as create takes it (such as role/RoleB or RoleB); * and ? are
    /// patterns, such as 'role/team-*'
    #[arg(long, visible_alias = "grantee-principal")]
    pub grantee: Option<String>,
    /// Only what this policy allowed
    #[arg(long)]
    pub policy: Option<String>,
    /// Only this state
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
    /// Only those past their deadline whose end KMS has not accepted
    #[arg(long)]
    pub overdue: bool,
    /// Only those that you asked for; what a policy shares with you, --policy lists
    #[arg(long)]
    pub mine: bool,
    /// Instead, every grant on the policies' keys, whoever made it, as `grantd scan --dry-run`
    #[arg(long, conflicts_with_all = ["grantee", "policy", "state", "overdue", "mine", "all", "ledger"])]
    pub foreign: bool,
    /// The configuration, for --foreign
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG, requires = "foreign")]
    pub config: PathBuf,
    /// Closed ones too, and the grants by which grantd proves that it can end grants
    #[arg(long)]
    pub all: bool,
    /// Also the policy, who asked and why
    #[arg(long, conflicts_with_all = ["foreign"])]
    pub wide: bool,
    /// Where to read instead of from the daemon.
    #[command(flatten)]
    pub offline: Offline,
}

/// The states of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// Recorded; KMS has not confirmed it yet
    Creating,
    /// The grantee has access
    Active,
    /// The end is due and not yet accepted
    Ending,
    /// KMS accepted the end; a listing has yet to confirm it
    Ended,
    /// Nothing of it is left at KMS
    Closed,
}

impl StateArg {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Closed => "closed",
        }
    }
}

/// Reading without the daemon.
#[derive(Debug, Args)]
pub struct Offline {
    /// Read this ledger, for when the daemon is down (such as /var/lib/grantd/ledger.db)
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// `grantd show`.
#[derive(Debug, Args)]
#[command(after_help = examples::SHOW)]
pub struct ShowArgs {
    /// The ref of the lease, or a unique beginning of it
    #[arg(value_name = "REF", value_parser = reference)]
    pub reference: String,
    /// Where to read instead of from the daemon.
    #[command(flatten)]
    pub offline: Offline,
}

/// `grantd revoke`.
#[derive(Debug, Args)]
#[command(after_help = examples::REVOKE)]
#[command(group = clap::ArgGroup::new("selector").multiple(true))]
pub struct RevokeArgs {
    /// The refs of the leases, or unique beginnings of them
    #[arg(value_name = "REF", value_parser = reference, conflicts_with = "selector")]
    #[arg(required_unless_present = "selector")]
    pub references: Vec<String>,
    /// All open ones of this key: ARN, key id, or as it was asked for
    #[arg(long, visible_alias = "key-id", group = "selector")]
    pub key: Option<String>,
    /// All open ones of this grantee: ARN, or as create takes it; * and ? are patterns, such as
    /// 'role/team-*'
    #[arg(long, visible_alias = "grantee-principal", group = "selector")]
    pub grantee: Option<String>,
    /// All open ones that this policy allowed
    #[arg(long, group = "selector")]
    pub policy: Option<String>,
    /// Those that you asked for, alone or of these
    #[arg(long, group = "selector")]
    pub mine: bool,
    /// Every open lease
    #[arg(long, group = "selector", conflicts_with_all = ["key", "grantee", "policy", "mine"])]
    pub all: bool,
    /// Show what would end, and end nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; needed where there is no terminal and no REF. --dry-run still ends nothing
    #[arg(short, long)]
    pub yes: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `grantd history`.
#[derive(Debug, Args)]
#[command(after_help = examples::HISTORY)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct HistoryArgs {
    /// Only this lease: its ref, or a unique beginning of it
    #[arg(value_name = "REF", value_parser = reference)]
    pub reference: Option<String>,
    /// Only since then: an instant (2026-11-23T18:00:00Z) or how long ago (2h)
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// All particulars of each row
    #[arg(long)]
    pub full: bool,
    /// Where to read instead of from the daemon.
    #[command(flatten)]
    pub offline: Offline,
    /// Its one subcommand.
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
}

/// What can be done with the history, other than reading it.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Check that no row was changed, inserted or removed
    Verify(VerifyArgs),
}

/// `grantd history verify`.
#[derive(Debug, Args)]
#[command(after_help = examples::VERIFY)]
pub struct VerifyArgs {
    /// Where to read instead of from the daemon.
    #[command(flatten)]
    pub offline: Offline,
}

/// `grantd status`.
#[derive(Debug, Args)]
#[command(after_help = examples::STATUS)]
pub struct StatusArgs {
    /// Instead, what ends when, and where more is due than can be sent in time
    #[arg(long)]
    pub forecast: bool,
}

/// `grantd run`.
#[derive(Debug, Args)]
#[command(after_help = examples::RUN)]
pub struct RunArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Where the ledger is kept
    #[arg(long, value_name = "DIR", env = "STATE_DIRECTORY", default_value = "/var/lib/grantd")]
    pub state_dir: PathBuf,
    /// Stop when the process that started it ends, however that ends (the demo)
    #[arg(long, hide = true)]
    pub with_parent: bool,
    /// How the log is written to stderr [default: as the configuration says, or text]
    #[arg(long, value_enum)]
    pub log: Option<LogFormat>,
}

/// The two ways to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people and the journal
    Text,
    /// One JSON object a line
    Json,
}

/// `grantd demo`.
#[derive(Debug, Args)]
#[command(after_help = examples::DEMO)]
pub struct DemoArgs {
    /// Leave all running at the end, and print commands to try by hand
    #[arg(long)]
    pub keep: bool,
}

/// `grantd sandbox`.
#[derive(Debug, Args)]
#[command(after_help = examples::SANDBOX)]
pub struct SandboxArgs {
    /// Where to listen: loopback only, since its credentials are public
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
}

/// `grantd completions`.
#[derive(Debug, Args)]
#[command(after_help = examples::COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `grantd man`.
#[derive(Debug, Args)]
#[command(after_help = examples::MAN)]
pub struct ManArgs {
    /// An existing directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}
