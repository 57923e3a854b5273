//! The one place that writes to stdout and stderr.
//!
//! With `--json` stdout carries JSON and nothing else; words for people about what went wrong
//! always go to stderr. Colours are written always and taken out by anstream where the other end is
//! no terminal or NO_COLOR is set.

use std::io::{self, BufRead, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, Table, presets};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::words::clean;
use crate::fault::{Fault, Kind};
use crate::rules::time::Time;
use crate::wire::Problem;

/// What needs attention.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is on its way.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// What is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Headings and refs.
pub const STRONG: Style = Style::new().bold();

/// Back to the start of the line, and erase it (ECMA-48 EL).
const OVER: &str = "\r\u{1b}[K";

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// Something is wrong that a person can do something about.
    Fault(Fault),
    /// Stdout takes no more.
    Output(io::Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What a command writes to, and what it must know of its reader.
pub struct Out {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    /// Where a person answers; none where nobody is there.
    answers: Option<Box<dyn BufRead>>,
    /// Whether stdout is to carry JSON alone.
    pub json: bool,
    /// The reader's time zone.
    pub zone: TimeZone,
    /// The present, for "in 2 h".
    pub now: Time,
    /// Whether stdout is a terminal, where a line can be written over.
    pub live: bool,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Out {
    /// The streams of this process, and the zone that `TZ` or /etc/localtime names.
    #[must_use]
    pub fn process(json: bool, now: Time) -> Self {
        Self {
            stdout: Box::new(io::BufWriter::new(anstream::stdout())),
            stderr: Box::new(anstream::stderr()),
            answers: (io::stdin().is_terminal() && io::stderr().is_terminal())
                .then(|| Box::new(io::BufReader::new(io::stdin())) as Box<dyn BufRead>),
            json,
            zone: TimeZone::system(),
            now,
            live: io::stdout().is_terminal(),
        }
    }

    /// Other streams, for tests.
    #[must_use]
    pub fn to(stdout: Box<dyn Write>, stderr: Box<dyn Write>, json: bool, now: Time) -> Self {
        Self { stdout, stderr, answers: None, json, zone: TimeZone::UTC, now, live: false }
    }

    /// The same with somebody who answers, for tests.
    #[must_use]
    pub fn answered_by(self, answers: Box<dyn BufRead>) -> Self {
        Self { answers: Some(answers), ..self }
    }

    /// Ask for a yes, on stderr; `None` where nobody can be asked. Anything but a yes is a no.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub fn ask(&mut self, question: &str) -> io::Result<Option<bool>> {
        self.flush()?;
        let Some(answers) = &mut self.answers else { return Ok(None) };
        write!(self.stderr, "{question}")?;
        self.stderr.flush()?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        Ok(Some(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
    }

    /// One line on stdout.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.stdout, "{}", text.as_ref())
    }

    /// A line that the next one of its kind writes over, where that can be done.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn progress(&mut self, text: &str) -> io::Result<()> {
        if self.live {
            write!(self.stdout, "{OVER}{text}")?;
        } else {
            self.line(text)?;
        }
        self.flush()
    }

    /// The last of the lines that are written over.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn settle(&mut self, text: &str) -> io::Result<()> {
        let over = if self.live { OVER } else { "" };
        self.line(format!("{over}{text}"))
    }

    /// What is written so far goes out now.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// Stdout itself, for generators.
    pub fn writer(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// One JSON document on stdout, indented.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn document(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.stdout, value)?;
        writeln!(self.stdout)
    }

    /// One JSON document on one line of stdout.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.stdout, value)?;
        writeln!(self.stdout)
    }

    /// A table on stdout, without borders.
    ///
    /// # Errors
    /// When stdout takes no more.
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) -> io::Result<()> {
        self.line(table(header, rows))
    }

    /// A word for people on stderr that is no fault.
    ///
    /// # Errors
    /// When stderr takes no more.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.stderr, "{text}")
    }

    /// A fault: `error:` and `hint:` on stderr; with `--json` the problem document on stdout too.
    /// Gives the exit code.
    pub fn fault(&mut self, fault: &Fault) -> u8 {
        // Nobody is left to tell when a stream is closed; the exit code still tells.
        drop(self.trouble(fault));
        if self.json {
            drop(self.document(&Problem::from(fault)).and_then(|()| self.flush()));
        }
        fault.kind.exit()
    }

    /// A fault of one of several things, told as it happens; the command goes on.
    ///
    /// # Errors
    /// When stderr takes no more.
    pub fn trouble(&mut self, fault: &Fault) -> io::Result<()> {
        let flushed = self.flush();
        self.stderr.write_all(words_of(fault).as_bytes())?;
        flushed
    }

    /// How a command ended, as the exit code. A reader that went away (`| head`) is no fault.
    pub fn end(&mut self, result: Result<u8, Stop>) -> u8 {
        let flushed = self.flush();
        match result.and_then(|exit| flushed.map(|()| exit).map_err(Stop::Output)) {
            Ok(exit) => exit,
            Err(Stop::Fault(fault)) => self.fault(&fault),
            Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Err(Stop::Output(error)) => {
                self.fault(&Fault::new(Kind::Io, format!("cannot write the output: {error}")))
            }
        }
    }
}

fn words_of(fault: &Fault) -> String {
    let (text, hint) = (lines_clean(&fault.text), clean(fault.remedy()));
    format!("{BAD}error:{BAD:#} {text}\n{STRONG}hint:{STRONG:#} {hint}\n")
}

/// A fault may have several lines (the problems of a configuration); each is made harmless on its
/// own.
pub(super) fn lines_clean(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    lines.join("\n")
}

/// Columns padded by two spaces, as `kubectl` and `systemctl` write them; never wrapped, so that
/// lines stay records.
fn table(header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().enforce_styling();
    table.style_text_only();
    table.set_header(header.iter().map(Cell::new).collect::<Vec<Cell>>());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
pub(crate) mod tests;
