//! `grantd create` as it is typed: our flags, the AWS CLI's spellings of them, and those that are
//! refused with a reason.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::examples;

/// `grantd create`.
#[derive(Debug, Args)]
#[command(after_help = examples::CREATE)]
pub struct CreateArgs {
    /// The key: alias/NAME, alias ARN, key ARN or key id
    #[arg(long, visible_alias = "key-id")]
    pub key: String,
    /// Who gets access: an ARN, or role/NAME or user/NAME in the key's account
    #[arg(long, visible_alias = "grantee-principal")]
    pub grantee: String,
    /// To do what: read, write, or KMS's names such as Decrypt,DescribeKey
    #[arg(long, required = true, num_args = 1.., value_delimiter = ',', value_name = "OPERATION")]
    pub operations: Vec<String>,
    /// For how long, such as 2h or 90m [default: as the policy says]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, conflicts_with = "until")]
    pub ttl: Option<String>,
    /// Until when, with its zone: 2026-11-23T18:00:00Z, or 2026-11-23T19:00[Europe/Paris]
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The encryption context of each use contains these pairs; commas separate, quotes keep them:
    /// 'Team="a,b"'
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    #[arg(conflicts_with_all = ["context_equals", "constraints"])]
    pub context: Vec<String>,
    /// The encryption context of each use is exactly these pairs
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., conflicts_with = "constraints")]
    pub context_equals: Vec<String>,
    /// The same as the AWS CLI writes it: shorthand or JSON
    #[arg(long, value_name = "CONSTRAINTS")]
    pub constraints: Option<String>,
    /// The Region, where the key does not say
    #[arg(long)]
    pub region: Option<String>,
    /// Makes a repeat return the first lease, instead of making a second one
    #[arg(long, value_name = "TEXT")]
    pub idempotency_key: Option<String>,
    /// Print the grant token, which gives access before the grant has propagated
    #[arg(long, conflicts_with_all = ["token_file", "quiet"])]
    pub print_token: bool,
    /// Write the grant token to this new file, readable by you alone
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Put the grant token into this variable of COMMAND's environment
    #[arg(long, value_name = "NAME", requires = "command")]
    pub token_env: Option<String>,
    /// Print the ref and nothing else; with COMMAND, nothing at all
    #[arg(short, long)]
    pub quiet: bool,
    /// Run this while the lease lives: it ends with the command, and with whoever runs it
    #[arg(last = true, value_name = "COMMAND")]
    #[arg(conflicts_with_all = ["print_token", "idempotency_key"])]
    pub command: Vec<OsString>,
    /// Flags of `aws kms create-grant` that grantd does not take.
    #[command(flatten)]
    pub refused: Refused,
}

/// Flags of `aws kms create-grant` that would break a promise. Known, so that each can be refused
/// with its reason.
#[derive(Debug, Args)]
pub struct Refused {
    /// The Name carries the deadline.
    #[arg(long, hide = true, num_args = 0..)]
    pub name: Option<Vec<String>>,
    /// grantd must be able to retire the grant.
    #[arg(long, hide = true, num_args = 0..)]
    pub retiring_principal: Option<Vec<String>>,
    /// grantd's own permissions are not grants.
    #[arg(long, hide = true, num_args = 0..)]
    pub grant_tokens: Option<Vec<String>>,
    /// The daemon's credentials make the grant.
    #[arg(long, hide = true, num_args = 0..)]
    pub profile: Option<Vec<String>>,
    /// The endpoint stands in the daemon's configuration.
    #[arg(long, hide = true, num_args = 0..)]
    pub endpoint_url: Option<Vec<String>>,
}

impl Refused {
    /// The first of them that was typed: flag, reason, and what to do instead.
    #[must_use]
    pub fn typed(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let table = [
            (
                &self.name,
                "--name",
                "the Name of each grant carries its ref and deadline, so that a lost ledger can be \
                 rebuilt from KMS",
                "leave it out; --reason says what it is for, and --idempotency-key makes a repeat \
                 safe",
            ),
            (
                &self.retiring_principal,
                "--retiring-principal",
                "grantd's own role retires the grant at its deadline, and KMS takes only one \
                 retiring principal",
                "leave it out; `grantd revoke` ends the lease early",
            ),
            (
                &self.grant_tokens,
                "--grant-tokens",
                "grantd makes grants by its role's own permission, never by a grant that may end \
                 before it",
                "leave it out, and give grantd's role kms:CreateGrant",
            ),
            (
                &self.profile,
                "--profile",
                "the daemon makes the grant with its own credentials, and yours never reach it",
                "leave it out; the accounts and roles stand in the daemon's configuration",
            ),
            (
                &self.endpoint_url,
                "--endpoint-url",
                "a lease must end through the endpoint that made it, so only the daemon's \
                 configuration names one",
                "leave it out, and set endpoint-url of the [[account]] in the configuration",
            ),
        ];
        table
            .into_iter()
            .find(|(typed, ..)| typed.is_some())
            .map(|(_, flag, reason, instead)| (flag, reason, instead))
    }
}
