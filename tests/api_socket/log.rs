//! What the server logs, for tests to read.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// A log, kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Vec<u8>>>);

impl Tap {
    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let tap = self.clone();
        let all = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        all.with_ansi(false).without_time().with_writer(move || tap.clone()).finish()
    }
}

impl Write for Tap {
    fn write(&mut self, some: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(some)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
