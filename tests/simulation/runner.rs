//! Many seeds on all cores; and of one that fails, the shortest script that still does.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};
use std::thread;

use crate::clock::SimRng;
use crate::figures::Figures;
use crate::script::{self, DAY, Event};
use crate::world::{Trace, World};

/// So many runs to shorten a script: some seconds.
const TRIES: usize = 300;
/// After so many failures no other seed is begun.
const FAILURES: usize = 10;
/// Lines of the trace that are shown: the last ones.
const LINES: usize = 400;

/// Run them all; the first that fails is told shortened, others in a line each.
pub(crate) fn all(seeds: impl IntoIterator<Item = u64>) -> Figures {
    let queue = Mutex::new(seeds.into_iter().collect::<Vec<u64>>().into_iter());
    let total = Mutex::new(Figures::default());
    let failed: Mutex<Vec<(u64, String)>> = Mutex::default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while failed.lock().unwrap().len() < FAILURES {
                    let Some(seed) = queue.lock().unwrap().next() else { return };
                    let script = script::of(&SimRng::new(seed));
                    match attempt(seed, &script) {
                        Ok(figures) => total.lock().unwrap().add(&figures),
                        Err((why, _)) => failed.lock().unwrap().push((seed, why)),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some((seed, why)) = failed.first() {
        let seeds: Vec<String> =
            failed.iter().map(|(seed, why)| format!("{seed}: {why}")).collect();
        panic!("{}\n{}", report(*seed, why), seeds.join("\n"));
    }
    total.into_inner().unwrap()
}

/// Run a script; if it fails, why, and the trace until then.
fn attempt(seed: u64, script: &[Event]) -> Result<Figures, (String, Vec<String>)> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        // A failing script is run again and again: it is told once.
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    let trace = Trace::default();
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| World::play(seed, script.to_vec(), DAY, &trace)));
    QUIET.set(false);
    let lines = trace.take();
    result.map_err(|panic| (words(panic.as_ref()), lines))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

/// What went wrong, without what differs from run to run.
fn kind(why: &str) -> String {
    let end = why.find(['{', '(']).unwrap_or(why.len());
    why[..end].chars().filter(|c| !c.is_ascii_digit()).take(60).collect()
}

/// Leave out what is not needed for the same failure: halves first, then ever smaller parts.
fn shorten(seed: u64, script: Vec<Event>, why: &str) -> Vec<Event> {
    let wanted = kind(why);
    let (mut script, mut tries) = (script, 0);
    let mut part = script.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < script.len() && tries < TRIES {
            let mut fewer = script.clone();
            fewer.drain(from..(from + part).min(script.len()));
            tries += 1;
            match attempt(seed, &fewer) {
                Err((why, _)) if kind(&why) == wanted => {
                    script = fewer;
                    shorter = true;
                }
                Ok(_) | Err(_) => from += part,
            }
        }
        if !shorter || tries >= TRIES {
            part /= 2;
        }
    }
    script
}

/// What the daemon asks every few minutes, whatever happens.
fn is_routine(line: &str) -> bool {
    ["GetCallerIdentity ok", "ListAliases ok", "ListRetirableGrants ok"]
        .iter()
        .any(|call| line.ends_with(call))
}

fn report(seed: u64, why: &str) -> String {
    let whole = script::of(&SimRng::new(seed));
    let events = whole.len();
    let script = shorten(seed, whole, why);
    let (why, trace) = match attempt(seed, &script) {
        Err((why, trace)) => (why, trace),
        Ok(_) => (why.to_owned(), vec!["the shortened script does not fail again".to_owned()]),
    };
    let script: Vec<String> = script.iter().map(Event::to_string).collect();
    let telling: Vec<String> = trace.into_iter().filter(|line| !is_routine(line)).collect();
    let shown = &telling[telling.len().saturating_sub(LINES)..];
    format!(
        "seed {seed} fails: {why}\n\nof its {events} events these are enough:\n{}\n\nthe last {} \
         of {} lines of their trace, without the daemon's rounds:\n{}\n\nagain: \
         GRANTD_SEEDS={seed} cargo test --test simulation every_day\n",
        script.join("\n"),
        shown.len(),
        telling.len(),
        shown.join("\n"),
    )
}
