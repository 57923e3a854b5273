//! `grantd create … -- COMMAND`: the lease lives while COMMAND runs.
//!
//! The daemon knows it by the connection on which this process holds the lease: whatever becomes of
//! us, `kill -9` too, the kernel closes it and the daemon ends the lease. COMMAND has our stdin,
//! stdout and stderr to itself, but for our words on stderr; its exit code is ours.

mod program;
mod signals;

use std::ffi::OsString;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::create::{self, Usable, headline};
use super::out::{Out, Stop};
use super::source::Daemon;
use super::token::TokenFile;
use super::words::{clean, utc};
use crate::api::pause;
use crate::fault::{Fault, Kind};
use crate::rules::time::Time;
use crate::wire::{HeldLease, Lease, LeaseMade, RevokeLease};
use signals::Signals;

/// Between two tries to hold the lease again, while the daemon restarts. It waits 30 s for us.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the daemon may take to hold the lease before COMMAND is given up: as long as it waits
/// for us.
const HELD_MAX: Duration = Duration::from_secs(30);
/// So long nobody wonders; then it is said what is waited for.
const SILENT_MAX: Duration = Duration::from_secs(2);
/// Where COMMAND finds the lease's ref.
const REF: &str = "GRANTD_REF";
/// Where COMMAND finds the instant at which its access ends at the latest (RFC 3339).
const DEADLINE: &str = "GRANTD_DEADLINE";

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As it was typed.
    pub(super) name: OsString,
    pub(super) args: Vec<OsString>,
    /// The variable in which COMMAND is to find the grant token.
    pub(super) token_env: Option<String>,
}

/// Make the lease, run COMMAND, and end the lease.
///
/// # Errors
/// The daemon's fault; COMMAND is not run then. When stderr takes no more.
pub(super) async fn create_and_run(
    usable: &Usable,
    wanted: &Wanted,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let path = match program::find(&wanted.name) {
        Ok(path) => path,
        // Nobody gets access for a command that is not there.
        Err(missing) => return missing.tell(out),
    };
    let token_file = usable.token_file.as_deref().map(TokenFile::new).transpose()?;
    let made = daemon.create(&usable.request, None).await;
    let late = made.as_ref().ok().and_then(create::late).filter(|_| !usable.quiet);
    let LeaseMade { lease, token, .. } = match made {
        Ok(made) => made,
        Err(fault) => {
            token_file.into_iter().for_each(TokenFile::drop_empty);
            return Err(not_run(fault).into());
        }
    };
    if let (Some(file), Some(token)) = (token_file, &token) {
        // Without its token COMMAND would fail: the lease is not held, so the daemon ends it.
        file.keep(token).map_err(|fault| not_run(fault.about(lease.reference.clone())))?;
    }
    late.iter().try_for_each(|late| out.note(late))?;
    if !usable.quiet {
        let line = headline(&lease, out);
        out.note(&format!("{line}, while {} runs", clean(&wanted.name.to_string_lossy())))?;
    }
    let mut command = Command::new(path);
    command.arg0(&wanted.name).args(&wanted.args);
    command.env(REF, lease.reference.as_str()).env(DEADLINE, lease.deadline.to_string());
    if let (Some(name), Some(token)) = (&wanted.token_env, token) {
        command.env(name, token);
    }
    run(command, &lease, daemon, usable.quiet, out).await
}

fn not_run(fault: Fault) -> Fault {
    let text = if fault.kind == Kind::OutcomeUnknown {
        "the command was not run, so the daemon ends the lease"
    } else {
        "the command was not run"
    };
    Fault { text: format!("{}; {text}", fault.text), ..fault }
}

/// Hold the lease, run `command` while it is held, and end it.
async fn run(
    mut command: Command,
    lease: &Lease,
    daemon: &dyn Daemon,
    quiet: bool,
    out: &mut Out,
) -> Result<u8, Stop> {
    let (hear, mut told) = watch::channel(None);
    let mut holding = pin!(hold_on(daemon, lease, &hear));
    // The daemon has to know us before COMMAND begins.
    let limit = held_within(lease, out.now);
    let held = async {
        match select(holding.as_mut(), pin!(told.changed())).await {
            Either::Left((fault, _)) => Err(fault),
            Either::Right(_) => Ok(()),
        }
    };
    match waited(held, limit, lease, quiet, out).await? {
        Some(Ok(())) => {}
        Some(Err(fault)) => {
            tell(end(daemon, lease, "the lease could not be held").await, true, lease, out)?;
            return Err(not_run(fault).into());
        }
        None => return Err(not_held(lease, limit).into()),
    }
    if told.borrow_and_update().as_ref().is_some_and(HeldLease::is_over) {
        let text = format!("lease {} is over already", lease.reference);
        return Err(not_run(Fault::new(Kind::LeaseOver, text)).into());
    }
    let mut signals = Signals::new()?;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tell(end(daemon, lease, "the command could not be run").await, quiet, lease, out)?;
            let name = command.as_std().get_program().to_string_lossy().into_owned();
            return program::Missing::of(&name, &error).tell(out);
        }
    };
    let mut lost = false;
    let status = loop {
        tokio::select! {
            ended = child.wait() => break ended?,
            signal = signals.next() => forward(&child, signal),
            Ok(()) = told.changed() => {
                let over = told.borrow_and_update().as_ref().is_some_and(HeldLease::is_over);
                if over && !lost {
                    lost = true;
                    tell_over(lease, out)?;
                }
            }
            fault = holding.as_mut(), if !lost => {
                lost = true;
                out.trouble(&fault)?;
            }
        }
    };
    let over = told.borrow().as_ref().is_some_and(HeldLease::is_over);
    if !over {
        let reason = reason(status);
        // Who cannot wait need not: the daemon ends what nobody holds.
        tokio::select! {
            ended = end(daemon, lease, &reason) => tell(ended, quiet, lease, out)?,
            _ = signals.next() => {}
        }
    }
    Ok(code(status))
}

/// How long the daemon may take to know us, in ms: no longer than access lasts.
fn held_within(lease: &Lease, now: Time) -> Duration {
    let left = u64::try_from(lease.deadline.since(now)).unwrap_or(0);
    Duration::from_millis(left).min(HELD_MAX)
}

/// Wait for `held`, and say so where it takes its time; `None` after `limit`.
async fn waited<T>(
    held: impl Future<Output = T>,
    limit: Duration,
    lease: &Lease,
    quiet: bool,
    out: &mut Out,
) -> Result<Option<T>, Stop> {
    let mut held = pin!(held);
    let silent = SILENT_MAX.min(limit);
    if let Either::Left((done, _)) = select(held.as_mut(), pin!(pause(silent))).await {
        return Ok(Some(done));
    }
    if !quiet && silent < limit {
        out.note(&format!("waiting for the daemon to hold lease {}", lease.reference))?;
    }
    match select(held, pin!(pause(limit.saturating_sub(silent)))).await {
        Either::Left((done, _)) => Ok(Some(done)),
        Either::Right(_) => Ok(None),
    }
}

fn not_held(lease: &Lease, limit: Duration) -> Fault {
    let text = format!(
        "the daemon has not said within {} s that it holds lease {}; the command was not run, and \
         the lease ends by itself",
        limit.as_secs(),
        lease.reference
    );
    Fault::new(Kind::DaemonDown, text).about(lease.reference.clone())
}

/// Hold the lease for as long as it lives, through restarts of the daemon. Comes back only where
/// that cannot be done.
async fn hold_on(
    daemon: &dyn Daemon,
    lease: &Lease,
    hear: &watch::Sender<Option<HeldLease>>,
) -> Fault {
    loop {
        let mut told = |line| drop(hear.send_replace(Some(line)));
        let ended = daemon.hold(lease.reference.as_str(), &mut told).await;
        let last = hear.borrow().clone();
        let passing = |fault: &Fault| {
            matches!(fault.kind, Kind::DaemonDown | Kind::Stopping | Kind::Busy | Kind::Io)
        };
        match ended {
            _ if last.as_ref().is_some_and(HeldLease::is_over) => std::future::pending().await,
            Ok(()) => {}
            Err(fault) if last.is_some() && passing(&fault) => {}
            Err(fault) if fault.kind == Kind::DaemonDown => {}
            Err(fault) => return fault,
        }
        pause(AGAIN).await;
    }
}

fn tell_over(lease: &Lease, out: &mut Out) -> Result<(), Stop> {
    let text = format!(
        "grantd: lease {} ends: {} has no access from now on; the command runs on",
        lease.reference,
        clean(lease.grantee.short())
    );
    Ok(out.note(&text)?)
}

/// End the lease early.
async fn end(daemon: &dyn Daemon, lease: &Lease, reason: &str) -> Result<Lease, Fault> {
    let request = RevokeLease { reason: Some(reason.to_owned()) };
    daemon.revoke(lease.reference.as_str(), &request).await
}

/// A fault of the end is told, and keeps nobody from the exit code of COMMAND.
fn tell(
    ended: Result<Lease, Fault>,
    quiet: bool,
    lease: &Lease,
    out: &mut Out,
) -> Result<(), Stop> {
    let accepted = ended.map(|ended| ended.grants.iter().filter_map(|g| g.accepted_at).max());
    match accepted {
        Ok(Some(at)) if !quiet => {
            let text = format!("{}  ended: KMS accepted at {}", lease.reference, utc(at));
            out.note(&text)?;
        }
        Ok(_) => {}
        Err(fault) => out.trouble(&fault)?,
    }
    Ok(())
}

/// Pass a signal on. A child that is gone needs none.
fn forward(child: &Child, signal: rustix::process::Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
        let _sent = rustix::process::kill_process(pid, signal).is_ok();
    }
}

fn reason(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the command exited with {code}"),
        (None, Some(signal)) => format!("signal {signal} ended the command"),
        (None, None) => "the command ended".to_owned(),
    }
}

/// As shells tell it: the exit code, or 128 and the signal.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
