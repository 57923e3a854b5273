//! `grantd iam-policy`: what AWS has to be told so that grantd can do its work, and no more.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::args::DEFAULT_CONFIG;
use super::check::load;
use super::examples;
use super::out::{Out, Stop, WARN};
use crate::config::{Account, Config};
use crate::fault::{Fault, Kind};
use crate::ids::Principal;
use crate::rules::iam::{self, Document, Guard, MANAGED_MAX};
use crate::rules::suppose::{Given, suppose};

/// `grantd iam-policy`.
#[derive(Debug, Args)]
#[command(after_help = examples::IAM_POLICY)]
pub struct IamPolicyArgs {
    /// The configuration
    #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub file: PathBuf,
    /// The account, where the file has more than one
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Instead, the trust policy: this principal may become grantd's role (or the revoke role)
    #[arg(long, value_name = "ARN", group = "part")]
    pub trust: Option<String>,
    /// Instead, what that principal, the host's own identity, needs in its policy
    #[arg(long, group = "part")]
    pub host: bool,
    /// Instead, what the policy of this key needs, where it does not leave such decisions to IAM
    #[arg(long, value_name = "KEY", group = "part")]
    pub key_policy: Option<String>,
    /// An alias of that key, where it is named by its ARN; may be repeated
    #[arg(long, value_name = "ALIAS", requires = "key_policy")]
    pub alias: Vec<String>,
    /// Instead, what the revoke role needs
    #[arg(long, group = "part")]
    pub revoke_role: bool,
    /// Instead, what denies everybody else to make grants in grantd's name, for all accounts or
    /// that of --account: in the policy of a key (or a resource control policy), or in a service
    /// control policy
    #[arg(long, value_name = "WHERE", group = "part")]
    pub guard: Option<Guard>,
}

impl ValueEnum for Guard {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::KeyPolicy, Self::Scp]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::KeyPolicy => "key-policy",
            Self::Scp => "scp",
        }))
    }
}

/// Print the policy.
///
/// # Errors
/// The configuration's problems, or a part that it has no use for.
pub(super) fn iam_policy(args: &IamPolicyArgs, out: &mut Out) -> Result<u8, Stop> {
    let config = load(&args.file)?;
    let document = if let Some(key) = &args.key_policy {
        of_key(&config, args, key)?
    } else if let Some(stands) = args.guard {
        let all = match args.account.as_deref() {
            None => config.accounts.iter().collect(),
            one => vec![account(&config, one)?],
        };
        iam::guard(&all, stands)
    } else {
        let account = account(&config, args.account.as_deref())?;
        if let Some(who) = &args.trust {
            let who = Principal::parse(who.as_str()).ok().filter(|who| !who.is_unique_id());
            let who = who.filter(|who| who.as_str().starts_with("arn:")).ok_or_else(|| {
                Fault::new(Kind::BadArgument, "--trust takes the ARN of a role or user")
                    .hint("such as arn:aws:iam::111122223333:role/admin-host")
            })?;
            needed(account, iam::host(account), "role-arn").map(|_| iam::trust(account, &who))?
        } else if args.host {
            needed(account, iam::host(account), "role-arn")?
        } else if args.revoke_role {
            needed(account, iam::revoke_role(&config, account), "revoke-role-arn")?
        } else {
            iam::role(&config, account)
        }
    };
    out.document(&document)?;
    // The guard is no policy of a role, and what it stands in takes more.
    if args.guard.is_none() && document.size() > MANAGED_MAX {
        let text = "characters: a managed policy takes";
        let size = document.size();
        out.note(&format!(
            "{WARN}warning:{WARN:#} {size} {text} {MANAGED_MAX}, an inline policy of a role 10240; \
             say more with fewer patterns, or divide the statements among several policies"
        ))?;
    }
    Ok(0)
}

/// The account that is meant.
fn account<'c>(config: &'c Config, typed: Option<&str>) -> Result<&'c Account, Fault> {
    let all = || {
        let ids: Vec<&str> = config.accounts.iter().map(|account| account.id.as_str()).collect();
        ids.join(", ")
    };
    match (typed, config.accounts.as_slice()) {
        (None, [one]) => Ok(one),
        (None, _) => {
            let text = format!("{} has more than one account: {}", config.path, all());
            Err(Fault::new(Kind::BadArgument, text)
                .hint("add --account ID: each has a policy of its own"))
        }
        (Some(id), _) => config.account(id).ok_or_else(|| {
            let text = format!("{} has no account {id:?}", config.path);
            Fault::new(Kind::BadArgument, text).hint(format!("it has {}", all()))
        }),
    }
}

fn needed(account: &Account, part: Option<Document>, key: &str) -> Result<Document, Fault> {
    part.ok_or_else(|| {
        let text = format!("account {} names no {key}, so there is nothing to allow", account.id);
        Fault::new(Kind::BadArgument, text).hint("leave this part out")
    })
}

fn of_key(config: &Config, args: &IamPolicyArgs, key: &str) -> Result<Document, Fault> {
    let given = Given { aliases: args.alias.clone(), ..Given::default() };
    let supposed = suppose(config, key, None, &given)?;
    let arn = &supposed.facts.arn;
    let account = config.account_of(arn).ok_or_else(|| {
        let text = format!("{arn} is in an account and Region that {} does not serve", config.path);
        Fault::new(Kind::KeyNotFound, text).hint("name a key that a policy lists")
    })?;
    let lists = |policy| crate::rules::policy::lists_key(policy, arn, &supposed.aliases);
    if !config.policies.iter().any(lists) {
        let text = format!("no policy of {} lists {key}", config.path);
        return Err(Fault::new(Kind::KeyNotFound, text)
            .hint("where a policy goes by alias, name the key by it, or add --alias"));
    }
    Ok(iam::key(config, account, arn, &supposed.aliases))
}
