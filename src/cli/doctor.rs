//! `grantd doctor`: all that grantd stands on, each with what to do. It reads, and makes no grant.

mod host;
mod proofs;

use std::path::Path;

use serde_json::json;

use super::args::DoctorArgs;
use super::check::load;
use super::doors::source;
use super::finding::{self, Finding, Level, worst};
use super::online::Online;
use super::out::{Out, Stop};
use crate::client::Client;
use crate::config::Config;
use crate::fault::{Fault, Kind, exit};
use crate::rules::time::Time;
use crate::wire::{Status, Verified};

/// The exit code when the daemon is silent, as `status` has it.
const SILENT: u8 = 3;
/// The ledger's file in the state directory (docs/recovery.md).
const LEDGER: &str = "ledger.db";

/// Look, and tell.
///
/// # Errors
/// When stdout takes no more, or this machine's clocks cannot be read.
pub(super) async fn doctor(args: &DoctorArgs, socket: &Path, out: &mut Out) -> Result<u8, Stop> {
    let client = Client::connect(socket);
    let mut all = Vec::new();
    let config = match load(&args.config) {
        Ok(config) => {
            all.push(loaded(&config));
            Some(config)
        }
        Err(fault) => {
            all.push(Finding::failure("configuration", fault.text.clone(), fault.remedy()));
            None
        }
    };
    let status = client.status().await;
    all.push(daemon(&status));
    all.extend(host::socket(socket));
    all.push(host::unit(status.is_ok()));
    all.push(host::disk(&args.state_dir));
    all.extend(host::ballast(&args.state_dir));
    all.extend(host::broken(&args.state_dir));
    all.push(history(&client, status.is_ok(), args, socket, out.now).await);
    if let Some(config) = &config {
        let online = Online::new(config)?;
        let (findings, keys) = online.findings().await;
        all.extend(findings);
        all.extend(proofs::of(&client, status.is_ok(), (&keys, args.probe), out.now).await);
        all.push(guard());
    }
    let silent = status.as_ref().is_err_and(|fault| fault.kind.exit() == exit::UNREACHABLE);
    let worst = worst(&all);
    if out.json {
        out.document(&json!({ "worst": worst, "daemon-silent": silent, "findings": all }))?;
    } else {
        finding::print(&all, out)?;
    }
    Ok(match worst {
        _ if silent => SILENT,
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Failure => 2,
    })
}

fn loaded(config: &Config) -> Finding {
    let (what, seen) = ("configuration", format!("{} loads", config.path));
    let warnings: Vec<String> = config.warnings.lines().collect();
    match warnings.first() {
        None => Finding::ok(what, seen),
        Some(first) => {
            let seen = format!("{seen}; {} warnings, the first: {first}", warnings.len());
            Finding::warning(what, seen, "`grantd check` shows them all")
        }
    }
}

/// grantd may not read the policies of keys and of an organization, so it cannot know whether the
/// guard is there.
fn guard() -> Finding {
    let seen = "recommended: the statement of `grantd iam-policy --guard key-policy` (or `scp`) \
                lets nobody but grantd make grants in its name; doctor cannot see whether it is \
                there";
    Finding::ok("guard", seen)
}

fn daemon(status: &Result<Status, Fault>) -> Finding {
    let status = match status {
        Ok(status) => status,
        Err(fault) => return Finding::failure("daemon", fault.text.clone(), fault.remedy()),
    };
    let seen = match (&status.end_only, status.alarms.first()) {
        (Some(why), _) => format!("it only ends leases: {why}"),
        (None, Some(alarm)) => format!("{} alarms, the first: {alarm}", status.alarms.len()),
        (None, None) => format!("grantd {} answers and is well", status.version),
    };
    let remedy = "`grantd status` shows all of it";
    match status.health {
        0 => Finding::ok("daemon", seen),
        1 => Finding::warning("daemon", seen, remedy),
        _ => Finding::failure("daemon", seen, remedy),
    }
}

/// The history, as a walk over its chain finds it: the daemon's walk, or, where none answers, one
/// over a copy of the file.
async fn history(
    client: &Client,
    answers: bool,
    args: &DoctorArgs,
    socket: &Path,
    now: Time,
) -> Finding {
    let what = "history";
    let file = args.state_dir.join(LEDGER);
    let walked = match answers {
        true => client.verify().await,
        false => match source(Some(&file), socket, now) {
            Ok(copy) => copy.verify().await,
            Err(fault) => Err(fault),
        },
    };
    match walked {
        Ok(Verified { rows, broken: None, .. }) => {
            Finding::ok(what, format!("{rows} rows, and their chain is whole"))
        }
        Ok(Verified { broken: Some(broken), .. }) => Finding::failure(
            what,
            broken.to_string(),
            "somebody changed the ledger: see docs/recovery.md",
        ),
        Err(fault) if fault.kind == Kind::FileAbsent => {
            Finding::warning(what, fault.text, "start the daemon: it makes the ledger")
        }
        Err(fault) => Finding::failure(what, fault.text.clone(), fault.remedy()),
    }
}
