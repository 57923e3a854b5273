//! The daemon's log: to standard error, which the journal takes. Text for people, or one JSON
//! object a line.

use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Format {
    /// How each is written.
    pub const WORDS: [(&str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// From which level on grantd's own voice is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// What keeps a promise from being kept.
    Error,
    /// What may.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// How.
    Debug,
    /// All of it.
    Trace,
}

impl Level {
    /// How each is written.
    pub const WORDS: [(&str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// What is logged unless `GRANTD_LOG` says otherwise: our own voice, and the trouble of others.
    const fn filter(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "warn,grantd=info",
            Self::Debug => "warn,grantd=debug",
            Self::Trace => "warn,grantd=trace",
        }
    }
}

/// The SDK's own trace shows requests and answers, and with them grant tokens: whatever the filter
/// says, it stays above that.
fn quiet_sdk(filter: EnvFilter) -> EnvFilter {
    let caps = ["aws=info", "hyper=info"].into_iter().filter_map(|cap| cap.parse().ok());
    caps.fold(filter, EnvFilter::add_directive)
}

/// Start logging for the life of the process. A second call changes nothing.
pub fn start(format: Format, level: Level) {
    let given = EnvFilter::try_from_env("GRANTD_LOG");
    let filter = given.unwrap_or_else(|_| EnvFilter::new(level.filter()));
    let filter = quiet_sdk(filter);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a subscriber is there already, as in tests.
    let started = match format {
        Format::Text => {
            log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
        }
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!("logging goes on as it was: {error}");
    }
}
