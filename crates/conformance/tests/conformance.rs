//! Every case of the tables, asked of every server: one trial each, two where AWS's answer is not
//! known. The sandbox is there always; MiniStack and moto come from a Python environment under
//! `target/`: where that cannot be made, their trials are shown as ignored, with the reason, and
//! with `CI=true` they fail.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use conformance::{Answer, Case, Server, Truth, World, cases};
use libtest_mimic::{Arguments, Failed, Trial};
use testbed::{Foreign, venv};

/// An emulator, started by the first trial that asks it. One trial at a time: moto loses its head
/// when it lists grants while others make them.
#[derive(Default)]
struct Emulator(Mutex<Option<Result<Foreign, String>>>);

impl Emulator {
    /// Asks a case of it.
    fn ask(&self, case: &Case, server: Server) -> Result<(), String> {
        // A trial that panicked has failed; the emulator is as good as before.
        let mut turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = if server == Server::Moto { Foreign::moto } else { Foreign::ministack };
        let foreign = turn.get_or_insert_with(start).as_ref().map_err(String::clone)?;
        let world = World::emulator(server, foreign.url());
        let world = world.map_err(|e| format!("{} makes no key: {e}", server.name()))?;
        case.judge(server, None, &(case.steps)(&world))
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
    emulator: &Arc<Emulator>,
    missing: Option<&str>,
) -> Trial {
    let emulator = Arc::clone(emulator);
    let run = move || emulator.ask(case, server).map_err(Failed::from);
    let mut name = format!("{}::{}", case.title(), server.name());
    if let Some(reason) = missing {
        name.push_str(&format!(" (not run: {reason})"));
    }
    let ignored = missing.is_some() && !venv::required();
    Trial::test(name, run).with_kind(case.truth.mark()).with_ignored_flag(ignored)
}

fn trials(emulators: &[(Server, Arc<Emulator>)], missing: Option<&str>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases::all() {
        match case.truth {
            Truth::Documented(..) | Truth::Recorded(..) => trials.push(sandbox_trial(case, None)),
            Truth::Unconfirmed(_, answers) => {
                trials.extend(answers.iter().map(|answer| sandbox_trial(case, Some(answer))));
            }
        }
        let asked = emulators.iter().filter(|_| case.sandbox_only.is_none());
        trials.extend(
            asked.map(|(server, emulator)| emulator_trial(case, *server, emulator, missing)),
        );
    }
    trials
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    // Whoever only lists the cases waits for no installation.
    let missing = if args.list { None } else { venv::missing() };
    let emulators = [Server::MiniStack, Server::Moto].map(|server| (server, Arc::default()));
    libtest_mimic::run(&args, trials(&emulators, missing.as_deref())).exit_code()
}
