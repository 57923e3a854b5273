//! The command line: what is typed ([`args`]), what it means (a module for each command), what is
//! read ([`out`]).
//!
//! Nothing here decides about leases: the daemon does. Faults come as
//! [`Fault`](crate::fault::Fault) and leave as text, hint and exit code of its one table.

pub mod accept_alias;
pub mod adopt;
pub mod args;
pub mod backup;
pub mod check_args;
pub mod create_args;
pub mod examples;
pub mod explain_args;
pub mod extend_args;
pub mod govern_args;
pub mod iam_policy;
pub mod out;
pub mod scan;
pub mod source;
pub mod sweep;
pub mod words;

mod cases;
mod check;
mod command;
mod create;
mod docs;
mod doctor;
mod doors;
mod explain;
mod extend;
mod finding;
mod forecast;
mod freeze;
mod history;
mod list;
mod online;
mod question;
mod reload;
mod revoke;
mod run;
mod select;
mod shorthand;
mod show;
mod status;
mod token;

use args::{Cli, Command, ListArgs, ScanArgs};
use out::{Out, Stop};
use select::Selected;

#[cfg(not(feature = "demo"))]
use crate::fault::{Fault, Kind};

/// Do what was typed; the exit code where no fault says another.
///
/// # Errors
/// What stopped it.
pub fn dispatch(typed: Cli, out: &mut Out) -> Result<u8, Stop> {
    let done = command(typed, out);
    done.map_err(|stop| match stop {
        Stop::Fault(fault) => Stop::Fault(crate::client::with_late_groups(fault)),
        output @ Stop::Output(_) => output,
    })
}

fn command(typed: Cli, out: &mut Out) -> Result<u8, Stop> {
    let socket = typed.socket;
    match typed.command {
        Command::Completions(args) => docs::completions(&args, out),
        Command::Man(args) => docs::man(&args, out),
        Command::Explain(args) => explain::explain(*args, out),
        Command::Check(args) => check::check(&args, out),
        Command::IamPolicy(args) => iam_policy::iam_policy(&args, out),
        Command::Doctor(args) => wait(doctor::doctor(&args, &socket, out)),
        Command::Scan(args) => wait(scan::scan(&args, &*doors::daemon(&socket), out)),
        Command::Adopt(args) => wait(adopt::adopt(&args, &*doors::daemon(&socket), out)),
        Command::AcceptAlias(args) => {
            wait(accept_alias::accept_alias(&args, &*doors::daemon(&socket), out))
        }
        Command::Resume(args) => wait(adopt::resume(&args, &*doors::daemon(&socket), out)),
        Command::Sweep(args) => wait(sweep::sweep(&args, out)),
        Command::Backup(args) => backup::backup(&args, out),
        Command::Run(args) => run::run(args, socket, typed.socket_given),
        Command::Demo(args) => demo(&args, out),
        Command::Sandbox(args) => sandbox(&args, out),
        Command::Create(args) => {
            let usable = create::Usable::of(*args, out.json)?;
            let daemon = doors::daemon(&socket);
            match &usable.command {
                Some(wanted) => wait(command::create_and_run(&usable, wanted, &*daemon, out)),
                None => wait(create::create(&usable, &*daemon, out)),
            }
        }
        Command::List(args) if args.foreign => {
            let ListArgs { config, key, .. } = args;
            let args = ScanArgs { config, key: key.into_iter().collect(), dry_run: true };
            wait(scan::scan(&args, &*doors::daemon(&socket), out))
        }
        Command::List(args) => {
            let source = doors::source(args.offline.ledger.as_deref(), &socket, out.now)?;
            wait(list::list(&args, &*source, out))
        }
        Command::Show(args) => {
            let source = doors::source(args.offline.ledger.as_deref(), &socket, out.now)?;
            wait(show::show(&args, &*source, out))
        }
        Command::Extend(args) => wait(extend::extend(&args, &*doors::daemon(&socket), out)),
        Command::Revoke(args) if args.references.is_empty() || args.dry_run => {
            wait(select::end(&Selected::of(&args)?, &*doors::daemon(&socket), out))
        }
        Command::Freeze(args) => wait(freeze::freeze(&args, &*doors::daemon(&socket), out)),
        Command::Unfreeze(args) => wait(freeze::unfreeze(&args, &*doors::daemon(&socket), out)),
        Command::Revoke(args) => wait(revoke::revoke(&args, &*doors::daemon(&socket), out)),
        Command::Reload(args) => wait(reload::reload(&args, &*doors::daemon(&socket), out)),
        Command::History(args) => wait(history::history(&args, &socket, out)),
        Command::Status(args) if args.forecast => {
            wait(forecast::forecast(&*doors::daemon(&socket), out))
        }
        Command::Status(_) => wait(status::status(&*doors::daemon(&socket), out)),
    }
}

#[cfg(feature = "demo")]
use crate::demo::{demo, sandbox};

#[cfg(not(feature = "demo"))]
fn demo(_: &args::DemoArgs, _: &mut Out) -> Result<u8, Stop> {
    Err(without("demo"))
}

#[cfg(not(feature = "demo"))]
fn sandbox(_: &args::SandboxArgs, _: &mut Out) -> Result<u8, Stop> {
    Err(without("sandbox"))
}

/// A package may leave the embedded KMS out; its users are told what is missing.
#[cfg(not(feature = "demo"))]
fn without(command: &str) -> Stop {
    let text = format!("this grantd was built without the embedded KMS, so it has no {command}");
    let fault = Fault::new(Kind::Usage, text);
    fault.hint("build it with the default features: cargo install grantd").into()
}

/// A runtime for one conversation.
fn wait<T>(conversation: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(conversation)
}
