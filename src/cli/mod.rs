//! The command line: what is typed ([`args`]), what it means (a module for each command), what is
//! read ([`out`]).
//!
//! Nothing here decides about leases: the daemon does. Faults come as
//! [`Fault`](crate::fault::Fault) and leave as text, hint and exit code of its one table.

pub mod args;
pub mod create_args;
pub mod examples;
pub mod out;
pub mod source;
pub mod words;

mod check;
mod create;
mod docs;
mod doors;
mod history;
mod list;
mod revoke;
mod shorthand;
mod show;
mod status;

use args::{Cli, Command};
use out::{Out, Stop};

use crate::fault::{Fault, Kind};

/// Do what was typed; the exit code where no fault says another.
///
/// # Errors
/// What stopped it.
pub fn dispatch(typed: Cli, out: &mut Out) -> Result<u8, Stop> {
    let socket = typed.socket;
    match typed.command {
        Command::Completions(args) => docs::completions(&args, out),
        Command::Man(args) => docs::man(&args, out),
        Command::Check(args) => check::check(&args, out),
        Command::Run(_) | Command::Demo(_) | Command::Sandbox(_) => {
            Err(Fault::new(Kind::Bug, "this command is not in this build").into())
        }
        Command::Create(args) => {
            let usable = create::Usable::of(*args, out.json)?;
            wait(create::create(&usable, &*doors::daemon(&socket), out))
        }
        Command::List(args) => {
            let source = doors::source(args.offline.ledger.as_deref(), &socket, out.now)?;
            wait(list::list(&args, &*source, out))
        }
        Command::Show(args) => {
            let source = doors::source(args.offline.ledger.as_deref(), &socket, out.now)?;
            wait(show::show(&args, &*source, out))
        }
        Command::Revoke(args) => wait(revoke::revoke(&args, &*doors::daemon(&socket), out)),
        Command::History(args) => wait(history::history(&args, &socket, out)),
        Command::Status(_) => wait(status::status(&*doors::daemon(&socket), out)),
    }
}

/// A runtime for one conversation.
fn wait(conversation: impl Future<Output = Result<u8, Stop>>) -> Result<u8, Stop> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(conversation)
}
