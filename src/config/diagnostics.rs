//! Problems of a text, each shown where it is: `path:line:col`, the line, a caret under the exact
//! value, and what would be right. Plain text: what is coloured is the business of the one who
//! prints.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

/// How much of a long line is shown, in columns: a screen's width, with the value in it.
const LINE_SHOWN: usize = 160;
/// How much of such a line stands before the value, in columns.
const LINE_BEFORE: usize = 60;
/// How many problems are shown of one file; the rest is counted. A screen or two is what a person
/// reads.
const PROBLEMS_SHOWN: usize = 100;

/// A place in a text, both counted from 1; the column counts characters, as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes; `None` when it is about the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Another place that belongs to it, and how.
    pub other: Option<(Range<usize>, String)>,
    /// It may only be so because of another problem (a missing key where the syntax is broken).
    pub(crate) derived: bool,
}

impl Problem {
    /// A problem at `span`.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), help: None, other: None, derived: false }
    }

    /// A problem of the file as such.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { span: None, ..Self::at(0..0, message) }
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With the other place that belongs to it.
    #[must_use]
    pub fn other(mut self, span: Range<usize>, message: impl Into<String>) -> Self {
        self.other = Some((span, message.into()));
        self
    }

    /// Perhaps only the consequence of a syntax error.
    #[must_use]
    pub(crate) const fn derived(mut self) -> Self {
        self.derived = true;
        self
    }
}

/// The problems of one text, in the order of the text. `Display` gives all of them as plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    path: String,
    text: Arc<str>,
    problems: Vec<Problem>,
}

impl Diagnostics {
    /// The problems of `text`, which was read from `path`.
    pub fn new(path: impl Into<String>, text: Arc<str>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|p| p.span.as_ref().map(|span| (span.start, span.end)));
        Self { path: path.into(), text, problems }
    }

    /// One more, of the file as such: it comes first.
    pub(crate) fn add(&mut self, problem: Problem) {
        self.problems.insert(0, problem);
    }

    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The problems.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// No problem at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Every problem's first place and message on one line each, for a log.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(|problem| {
            let place = problem.span.as_ref().map(|span| place(&self.text, span.start));
            let place = place.map(|at| format!("{at}:")).unwrap_or_default();
            format!("{}:{place} {}", self.path, problem.message)
        })
    }

    fn show(&self, span: Option<&Range<usize>>, message: &str) -> String {
        let Some(span) = span else {
            return format!("{}: {message}\n", self.path);
        };
        let spot = Spot::of(&self.text, span);
        let number = spot.place.line.to_string();
        let (gutter, indent) = (" ".repeat(number.len()), " ".repeat(spot.indent));
        let (path, at, shown) = (&self.path, spot.place, &spot.shown);
        let carets = "^".repeat(spot.carets);
        format!("{path}:{at}: {message}\n {number} | {shown}\n {gutter} | {indent}{carets}\n")
    }
}

impl fmt::Display for Diagnostics {
    /// Every problem, with an empty line between two; no newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for problem in self.problems.iter().take(PROBLEMS_SHOWN) {
            let mut part = self.show(problem.span.as_ref(), &problem.message);
            if let Some((span, message)) = &problem.other {
                part.push_str(&self.show(Some(span), message));
            }
            if let Some(help) = &problem.help {
                part.push_str("   = ");
                part.push_str(help);
            }
            parts.push(part.trim_end().to_owned());
        }
        let hidden = self.problems.len().saturating_sub(PROBLEMS_SHOWN);
        if hidden > 0 {
            parts.push(format!("{}: and {hidden} more", self.path));
        }
        f.write_str(&parts.join("\n\n"))
    }
}

/// The place of byte `offset` in `text`.
pub(crate) fn place(text: &str, offset: usize) -> Place {
    let (start, line) = line_at(text, offset);
    let before = text.get(start..offset.min(text.len())).unwrap_or_default();
    Place { line, column: before.chars().count() + 1 }
}

/// Where the line of `offset` starts, and its number.
fn line_at(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (start, before.matches('\n').count() + 1)
}

/// A value in its line, ready to be shown.
struct Spot {
    place: Place,
    shown: String,
    indent: usize,
    carets: usize,
}

impl Spot {
    fn of(text: &str, span: &Range<usize>) -> Self {
        let (start, _) = line_at(text, span.start);
        let line = text.get(start..).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (from, to) = (span.start.saturating_sub(start), span.end.saturating_sub(start));

        let mut spot =
            Self { place: place(text, span.start), shown: String::new(), indent: 0, carets: 0 };
        let before: usize = line.get(..from).map_or(0, |t| t.chars().map(width).sum());
        let mut cut = before.saturating_sub(LINE_BEFORE);
        if cut > 0 {
            spot.shown.push('…');
            spot.indent = 1;
        }
        let mut columns = 0;
        for (at, c) in line.char_indices() {
            if cut > 0 {
                cut = cut.saturating_sub(width(c));
                continue;
            }
            if columns + width(c) > LINE_SHOWN {
                spot.shown.push('…');
                break;
            }
            columns += width(c);
            spot.shown.push(printable(c));
            if at < from {
                spot.indent += width(c);
            } else if at < to {
                spot.carets += width(c);
            }
        }
        spot.carets = spot.carets.max(1);
        spot
    }
}

/// What a terminal may be given: a control character of the file must not act on it.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if UnicodeWidthChar::width(c).unwrap_or(0) == 0 => '\u{b7}',
        c => c,
    }
}

fn width(c: char) -> usize {
    UnicodeWidthChar::width(printable(c)).unwrap_or(1)
}
