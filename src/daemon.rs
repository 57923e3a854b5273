//! The daemon: the one place that knows everybody. It opens the ledger, loads the config, starts
//! the three threads (engine, API, ledger), tells systemd, and puts everything away in the right
//! order.

use std::cell::RefCell;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use crate::api::{self, Backend, LedgerBooks, Limits};
use crate::clock::Clock;
use crate::clock::system::SystemClock;
use crate::config::{self, Config, ConfigError};
use crate::engine::{self, Beat, Command, EndOnly, Engine, Load, Ports, Refusals};
use crate::fault::{Fault, Kind};
use crate::kms::aws::{AwsKms, Settings};
use crate::ledger::{Handle, Ledger, broken_files};
use crate::logging::{self, Format};
use crate::notify::Notifier;
use crate::rng::OsRng;
use crate::rules::time::{SECOND, Time};
use crate::wire::{self, ListLeases};

/// Commands that wait for the engine: as many as the API has connections; one more is told `busy`.
const COMMANDS: usize = 64;

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// The directory of the ledger. Never from the file: a broken file must not hide the ledger.
    pub state_dir: PathBuf,
    /// The control socket, where the command line or the environment names one.
    pub socket: Option<PathBuf>,
    /// The control socket where nothing else names one, the configuration neither.
    pub default_socket: PathBuf,
    /// How the log is written, where the command line says so.
    pub log: Option<Format>,
}

/// Run until SIGTERM or SIGINT.
///
/// # Errors What kept it from starting, or stopped it. With leases open, a bad config is no error:
/// they are ended on time.
pub fn run(options: &Options) -> Result<(), Fault> {
    // First of all: the file says how the rest is logged. A broken one says nothing, and what keeps
    // the daemon reachable comes from the command line.
    let loaded = config::load(&options.config);
    let log = loaded.as_ref().map(|config| config.log).unwrap_or_default();
    logging::start(options.log.or(log.format).unwrap_or_default(), log.level.unwrap_or_default());
    let notifier = Notifier::from_env();
    let (ledger, _) = Ledger::open(&options.state_dir)?;
    let (config, end_only) = what_to_do(loaded, options, &ledger)?;
    let socket = config.as_ref().and_then(|config| config.socket.as_ref());
    let socket = options.socket.as_ref().or(socket).unwrap_or(&options.default_socket);
    let why = end_only.as_ref().map(|end_only| end_only.why.as_str());
    introduce((options, socket), &ledger, config.as_deref(), why)?;
    let listener = api::socket::bind(socket, None)?;
    let (handle, ledger_thread) = Handle::thread(ledger).map_err(thread_fault)?;
    let (engine, commands) = mpsc::channel(COMMANDS);
    let (stop, stopped) = watch::channel(false);
    let present = Arc::new(AtomicI64::new(0));
    let told = Arc::clone(&present);
    let books = LedgerBooks::new(handle.clone(), move || Time(told.load(Ordering::Relaxed)));
    let (told, in_force) = watch::channel(config.clone());
    let hangup = engine.downgrade();
    let refusals = Refusals::default();
    let ledger = Arc::new(books);
    let backend = Backend { engine, ledger, config: in_force, refusals: refusals.clone() };
    let metrics = metrics_port(config.as_deref());
    let api = serve_api((listener, metrics), backend, stopped)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_fault)?;
    let pulse = (&notifier, present);
    let reload = Reload { file: options.config.clone(), told, hangup };
    let work = drive((config, end_only), (handle, refusals), commands, stop, (pulse, reload));
    let result = runtime.block_on(LocalSet::new().run_until(work));
    // A user's name that is looked up for a reload may hang in a directory server.
    runtime.shutdown_background();
    let served = api.join().unwrap_or_else(|_| Err(Fault::new(Kind::Bug, "the API panicked")));
    if ledger_thread.join().is_err() {
        return Err(Fault::new(Kind::Bug, "the ledger's thread panicked"));
    }
    result.and(served)
}

/// The first words in the log: what an operator wants to know of a start.
fn introduce(
    (options, socket): (&Options, &Path),
    ledger: &Ledger,
    config: Option<&Config>,
    end_only: Option<&str>,
) -> Result<(), Fault> {
    let counts = ledger.counts()?;
    let open: i64 = counts.iter().filter(|(state, _)| *state != "closed").map(|(_, n)| n).sum();
    tracing::info!(
        config = %options.config.display(),
        state_dir = %options.state_dir.display(),
        socket = %socket.display(),
        group = config.map(|config| config.group.as_str()),
        policies = config.map(|config| config.policies.len()),
        lanes = config.map(|config| config.lanes().count()),
        open_grants = open,
        "grantd {} starts",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(why) = end_only {
        tracing::error!("grantd only ends leases, creates are refused: {why}");
    }
    Ok(())
}

/// The config, or why the daemon only ends. The config makes grants; the ledger alone ends them
/// (DESIGN 5).
fn what_to_do(
    loaded: Result<Config, ConfigError>,
    options: &Options,
    ledger: &Ledger,
) -> Result<(Option<Arc<Config>>, Option<EndOnly>), Fault> {
    let broken = broken_files(&options.state_dir).map_err(|error| {
        Fault::new(Kind::Io, format!("cannot read the state directory: {error}"))
    })?;
    let broken = broken.first().map(|file| {
        let file = file.display();
        let why = format!("the ledger was corrupt and lies in {file}: see docs/recovery.md");
        EndOnly { why, problem: None, lasting: true }
    });
    match loaded {
        Ok(config) => {
            for problem in config.warnings.to_string().lines() {
                tracing::warn!("{problem}");
            }
            let stranded = stranded(&config, ledger)?;
            let stranded =
                stranded.map(|why| EndOnly { problem: Some(why.clone()), why, lasting: false });
            Ok((Some(Arc::new(config)), broken.or(stranded)))
        }
        Err(error) => {
            let counts = ledger.counts()?;
            let live = counts.iter().any(|(state, n)| state != "closed" && *n > 0);
            if !live && broken.is_none() {
                return Err(Fault::from(&error));
            }
            tracing::error!("the configuration does not load:\n{error}");
            let unloaded = format!("the configuration does not load: {}", error.summary());
            let (why, lasting) = broken.map_or((unloaded, false), |broken| (broken.why, true));
            Ok((None, Some(EndOnly { why, problem: Some(error.to_string()), lasting })))
        }
    }
}

/// A lane or group with live leases that the config no longer names.
fn stranded(config: &Config, ledger: &Ledger) -> Result<Option<String>, Fault> {
    for lane in ledger.lanes()? {
        let current = engine::is_current(config, &lane);
        if !current && !ledger.live_keys(lane.id, None)?.is_empty() {
            return Ok(Some(format!(
                "leases live in account {}, Region {}, under {}, and {} no longer names those",
                lane.account, lane.region, lane.retiring_principal, config.path
            )));
        }
    }
    // As a rule all open leases that were made here bear one group.
    let open = ledger.leases(&ListLeases::default(), None, Time(0))?;
    Ok(engine::other_group(config, &open.items).map(|was| {
        format!(
            "leases live under the group {was}, and {} says {}; name {was} among its \
             `former-groups`",
            config.path, config.group
        )
    }))
}

/// The port of the metrics, where the file names one. That another program has it is no reason to
/// end no leases; a Prometheus sees that nobody answers.
fn metrics_port(config: Option<&Config>) -> Option<TcpListener> {
    let address = config?.metrics?;
    match api::port::bind(address) {
        Ok(listener) => Some(listener),
        Err(fault) => {
            tracing::error!("{fault}");
            None
        }
    }
}

fn serve_api(
    (listener, metrics): (std::os::unix::net::UnixListener, Option<TcpListener>),
    backend: Backend,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<Result<(), Fault>>, Fault> {
    let until_stopped = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the engine is gone: stop as well.
        if stopped.wait_for(|stop| *stop).await.is_err() {
            tracing::debug!("the engine is gone");
        }
    };
    let serve = move || {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_fault)?;
        let limits = Limits::default();
        let scrapes = async {
            if let Some(port) = metrics {
                let (engine, stop) = (backend.engine.clone(), until_stopped(stopped.clone()));
                api::port::serve(port, engine, limits.clone(), stop).await;
            }
        };
        let calls =
            api::serve(listener, backend.clone(), limits.clone(), until_stopped(stopped.clone()));
        let (served, ()) = runtime.block_on(async { tokio::join!(calls, scrapes) });
        runtime.shutdown_background();
        served
    };
    std::thread::Builder::new().name("api".to_owned()).spawn(serve).map_err(thread_fault)
}

/// What another configuration takes: where it is read from, who is told, and the way by which a
/// SIGHUP asks for it. (That way does not keep the engine's door open.)
struct Reload {
    file: PathBuf,
    told: watch::Sender<Option<Arc<Config>>>,
    hangup: mpsc::WeakSender<Command>,
}

impl Reload {
    /// Reads the file on a thread of its own: a user's name may be looked up in a directory server.
    fn load(&self) -> Load {
        let file = self.file.clone();
        Rc::new(move || {
            let file = file.clone();
            Box::pin(async move {
                let loaded = tokio::task::spawn_blocking(move || config::load(&file)).await;
                let broken = |error| Fault::new(Kind::Bug, format!("reading the file: {error}"));
                loaded.map_err(broken)?.map_err(|error| Fault::from(&error))
            })
        })
    }
}

/// What a SIGHUP does: as `grantd reload`, and the answer goes to the log and to systemd.
async fn hung_up(engine: &mpsc::WeakSender<Command>, notifier: &Notifier) {
    notifier.reloading();
    let (reply, answer) = oneshot::channel();
    let request = wire::Reload::default();
    let sent = match engine.upgrade() {
        Some(engine) => engine.send(Command::Reload { caller: None, request, reply }).await.is_ok(),
        None => false,
    };
    let told = match answer.await {
        Ok(Ok(reloaded)) => format!("reloaded: {} changes", reloaded.changes.len()),
        // The engine has told the log why.
        Ok(Err(fault)) => format!("not reloaded: {}", fault.text),
        Err(_) if sent => "not reloaded: grantd stops".to_owned(),
        Err(_) => return,
    };
    notifier.ready(&told);
}

async fn drive(
    (config, end_only): (Option<Arc<Config>>, Option<EndOnly>),
    (ledger, refusals): (Handle, Refusals),
    commands: mpsc::Receiver<Command>,
    stop: watch::Sender<bool>,
    ((notifier, present), reload): ((&Notifier, Arc<AtomicI64>), Reload),
) -> Result<(), Fault> {
    let clock: Rc<dyn Clock> = Rc::new(SystemClock::new().map_err(|error| {
        Fault::new(Kind::Io, format!("cannot read the clocks of this host: {error}"))
    })?);
    let mut settings = Settings::default();
    if let Some(config) = &config {
        settings.attempt_timeout = Duration::from_millis(config.time_out.unsigned_abs());
    }
    let kms = Rc::new(AwsKms::new(settings, Rc::clone(&clock)));
    let ports = Ports { kms, clock: Rc::clone(&clock), rng: Rc::new(OsRng), ledger, refusals };
    let engine = Engine::new(ports, config, end_only).await?;
    let engine = engine.reloading(reload.load(), reload.told);
    let mut term = signal(SignalKind::terminate()).map_err(thread_fault)?;
    let mut int = signal(SignalKind::interrupt()).map_err(thread_fault)?;
    let mut hup = signal(SignalKind::hangup()).map_err(thread_fault)?;
    let asked_to_stop = async {
        let hangups = async {
            while hup.recv().await.is_some() {
                hung_up(&reload.hangup, notifier).await;
            }
        };
        // A reload that is under way does not keep the daemon from stopping.
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            () = hangups => {}
        }
        tracing::info!("stopping: calls in flight get ten seconds");
        notifier.stopping("stopping");
        if stop.send(true).is_err() {
            tracing::debug!("the API has stopped already");
        }
    };
    let pulse = RefCell::new(Pulse::new(notifier, clock));
    notifier.ready("started");
    let beat = |beat: Beat| {
        present.store(beat.now.0, Ordering::Relaxed);
        pulse.borrow_mut().beat(beat);
    };
    engine.run(commands, beat, asked_to_stop).await;
    Ok(())
}

/// What systemd hears: the watchdog is fed by the engine's own loop, so a stuck engine is
/// restarted. A silent KMS is no reason: a restart would not help.
struct Pulse<'a> {
    notifier: &'a Notifier,
    clock: Rc<dyn Clock>,
    told_at: Option<i64>,
    text: String,
}

impl<'a> Pulse<'a> {
    fn new(notifier: &'a Notifier, clock: Rc<dyn Clock>) -> Self {
        Self { notifier, clock, told_at: None, text: String::new() }
    }

    fn beat(&mut self, beat: Beat) {
        let now = self.clock.read().boot;
        if self.told_at.is_some_and(|at| now.saturating_sub(at) < SECOND) {
            return;
        }
        self.told_at = Some(now);
        self.notifier.alive();
        let text = match beat.next {
            Some(at) => format!("{} due within 10 min, next at {at}", beat.ahead),
            None => "nothing due within 10 min".to_owned(),
        };
        let text = match beat.unwritten {
            0 => text,
            n => format!("{text}; {n} not written: check the disk"),
        };
        if text != self.text {
            self.notifier.status(&text);
            self.text = text;
        }
    }
}

fn thread_fault(error: std::io::Error) -> Fault {
    Fault::new(Kind::Io, format!("the system gives no thread, runtime or signal: {error}"))
}

/// The default place of the ledger: what systemd made for us, or the packaged one.
#[must_use]
pub fn default_state_dir() -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY");
    // systemd joins several directories by colons; grantd has one.
    given.map_or_else(|| Path::new("/var/lib/grantd").to_owned(), PathBuf::from)
}
