//! Every case of the tables, asked of every server: one trial each, two where AWS's answer is not
//! known. The sandbox is there always; MiniStack and moto come from a Python environment under
//! `target/`: where that cannot be made, their trials are shown as ignored, with the reason, and
//! with `CI=true` they fail.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use conformance::{Answer, Case, Server, Truth, World, cases};
use libtest_mimic::{Arguments, Failed, Trial};
use testbed::{Foreign, venv};

/// The emulators that run: each is started by the first trial that asks it.
#[derive(Default)]
struct Emulators {
    ministack: OnceLock<Result<Foreign, String>>,
    moto: OnceLock<Result<Foreign, String>>,
}

impl Emulators {
    fn world(&self, server: Server) -> Result<World, String> {
        let foreign = match server {
            Server::Sandbox => return Ok(World::sandbox(None)),
            Server::MiniStack => self.ministack.get_or_init(Foreign::ministack),
            Server::Moto => self.moto.get_or_init(Foreign::moto),
        };
        let url = foreign.as_ref().map_err(String::clone)?.url();
        World::emulator(server, url).map_err(|e| format!("{} makes no key: {e}", server.name()))
    }
}

fn sandbox_trial(case: &'static Case, answer: Option<&'static Answer>) -> Trial {
    let position = answer.map_or(String::new(), |answer| format!("::{}", answer.when));
    let run = move || {
        let seen = (case.steps)(&World::sandbox(answer));
        case.judge(Server::Sandbox, answer, &seen).map_err(Failed::from)
    };
    Trial::test(format!("{}::sandbox{position}", case.title()), run).with_kind(case.truth.mark())
}

fn emulator_trial(
    case: &'static Case,
    server: Server,
    emulators: &Arc<Emulators>,
    missing: Option<&str>,
) -> Trial {
    let emulators = Arc::clone(emulators);
    let run = move || {
        let seen = (case.steps)(&emulators.world(server)?);
        case.judge(server, None, &seen).map_err(Failed::from)
    };
    let mut name = format!("{}::{}", case.title(), server.name());
    if let Some(reason) = missing {
        name.push_str(&format!(" (not run: {reason})"));
    }
    let ignored = missing.is_some() && !venv::required();
    Trial::test(name, run).with_kind(case.truth.mark()).with_ignored_flag(ignored)
}

fn trials(emulators: &Arc<Emulators>, missing: Option<&str>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases::all() {
        match case.truth {
            Truth::Documented(..) | Truth::Recorded(..) => trials.push(sandbox_trial(case, None)),
            Truth::Unconfirmed(_, answers) => {
                trials.extend(answers.iter().map(|answer| sandbox_trial(case, Some(answer))));
            }
        }
        for server in [Server::MiniStack, Server::Moto] {
            if case.asks(server) {
                trials.push(emulator_trial(case, server, emulators, missing));
            }
        }
    }
    trials
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    // Whoever only lists the cases waits for no installation.
    let missing = if args.list { None } else { venv::missing() };
    let emulators = Arc::new(Emulators::default());
    libtest_mimic::run(&args, trials(&emulators, missing.as_deref())).exit_code()
}
