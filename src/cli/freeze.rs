//! `grantd freeze` and `grantd unfreeze`: no new leases for a while, and again.

use comfy_table::Cell;
use nix::unistd::User;

use super::args::{FreezeArgs, UnfreezeArgs};
use super::out::{Out, STRONG, Stop};
use super::select::{self, Selected, What};
use super::source::Daemon;
use super::words::{clean, utc};
use crate::fault::{Fault, Kind};
use crate::ids::AccountId;
use crate::wire::{Freeze, LiftFreeze, NewFreeze, Scope};

/// Where KMS did not say which key is meant.
const UNNAMED: &str = "KMS did not say which key that is: it is frozen as it is written, and what \
                       an alias names only until the alias is moved";

/// Freeze what was typed, or list what is frozen.
///
/// # Errors
/// The daemon's fault, bad usage, or stdout's.
pub(super) async fn freeze(
    args: &FreezeArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    if args.list {
        let freezes = daemon.freezes().await?.items;
        return list(&freezes, out);
    }
    let scope = scope(args)?;
    let reason = args.reason.clone().unwrap_or_default();
    let freeze = daemon.freeze(&NewFreeze { scope, all: args.all, reason }).await?;
    let told = format!(
        "{STRONG}freeze {}{STRONG:#}  {}: no lease is made there until `grantd unfreeze {}`",
        freeze.id,
        clean(&freeze.scope.to_string()),
        freeze.id
    );
    if freeze.scope.key.is_some() && freeze.keys.is_empty() {
        out.note(UNNAMED)?;
    }
    if args.revoke {
        out.note(&told)?;
        let (reason, yes) = (args.reason.clone(), args.yes);
        let what = What::Frozen(freeze);
        return select::end(&Selected { what, reason, dry_run: false, yes }, daemon, out).await;
    }
    if out.json {
        return Ok(out.document(&freeze).map(|()| 0)?);
    }
    out.line(told)?;
    // It stands, whether that can be counted or not.
    match What::Frozen(freeze).count(daemon).await {
        Ok(n) => out.note(&format!("open leases that it fits, and that live on: {n}"))?,
        Err(fault) => out.trouble(&fault)?,
    }
    Ok(0)
}

fn scope(args: &FreezeArgs) -> Result<Scope, Fault> {
    let account = args.account.clone().map(AccountId::parse).transpose();
    let account =
        account.map_err(|bad| Fault::new(Kind::BadArgument, format!("--account: {bad}")))?;
    let scope = Scope {
        key: args.key.clone(),
        grantee: args.grantee.clone(),
        policy: args.policy.clone(),
        account,
        caller: args.caller.as_deref().map(uid).transpose()?,
    };
    if scope.is_everything() && !args.all {
        return Err(Fault::new(Kind::Usage, "it is not said what to freeze")
            .hint("such as --key alias/app, or --all for everything"));
    }
    Ok(scope)
}

/// The uid of a user of this host, by name or in digits.
fn uid(user: &str) -> Result<u32, Fault> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    let found = User::from_name(user);
    let found = found.map_err(|error| {
        Fault::new(Kind::Io, format!("cannot look up the user {user:?}: {error}"))
    })?;
    found.map(|user| user.uid.as_raw()).ok_or_else(|| {
        let text = format!("--caller {user:?} is no user of this host");
        Fault::new(Kind::BadArgument, text).hint("name a user, or give his uid")
    })
}

fn list(freezes: &[Freeze], out: &mut Out) -> Result<u8, Stop> {
    if out.json {
        out.document(&freezes)?;
    } else if freezes.is_empty() {
        out.note("nothing is frozen")?;
    } else {
        let row = |freeze: &Freeze| {
            let text = [
                freeze.id.to_string(),
                clean(&freeze.scope.to_string()),
                utc(freeze.at),
                clean(&freeze.by.name),
                clean(&freeze.reason),
            ];
            text.map(Cell::new).to_vec()
        };
        let rows = freezes.iter().map(row).collect();
        out.table(&["FREEZE", "WHAT", "SINCE", "BY", "REASON"], rows)?;
    }
    Ok(0)
}

/// Lift what was typed; one that fails does not keep the others.
///
/// # Errors
/// The daemon's fault where it cannot be asked; stdout's.
pub(super) async fn unfreeze(
    args: &UnfreezeArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let ids = if args.all {
        daemon.freezes().await?.items.into_iter().map(|freeze| freeze.id).collect()
    } else {
        args.ids.clone()
    };
    if ids.is_empty() {
        out.note("nothing is frozen")?;
    }
    let request = LiftFreeze { reason: args.reason.clone() };
    let (mut lifted, mut first) = (Vec::new(), None);
    for id in ids {
        match daemon.lift(id, &request).await {
            Ok(freeze) if out.json => lifted.push(freeze),
            Ok(freeze) => {
                let what = clean(&freeze.scope.to_string());
                out.line(format!("{STRONG}freeze {id}{STRONG:#}  lifted: {what}"))?;
            }
            Err(fault) => {
                out.trouble(&fault)?;
                first.get_or_insert(fault);
            }
        }
    }
    if out.json {
        out.document(&lifted)?;
    }
    Ok(first.map_or(0, |fault| fault.kind.exit()))
}
