//! Streams that a test can read, for the tests of the commands too.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::fault::exit;

/// A stream kept in memory, without colours, as a pipe gets it.
#[derive(Clone, Default)]
pub(crate) struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        anstream::StripStream::new(&mut *self.0.borrow_mut()).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// A reader of 2026-11-23 16:00 UTC, and what it has read from stdout and stderr.
pub(crate) fn reader(json: bool) -> (Out, Kept, Kept) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let now = Time::parse("2026-11-23T16:00:00Z").unwrap();
    let out = Out::to(Box::new(stdout.clone()), Box::new(stderr.clone()), json, now);
    (out, stdout, stderr)
}

/// Fails every write with one kind of error.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

#[test]
fn every_fault_is_told_with_its_hint_and_exit_code() {
    let mut seen = String::new();
    for &kind in Kind::ALL {
        let (mut out, stdout, stderr) = reader(false);
        let exit = out.end(Err(Fault::new(kind, "what is wrong, where").into()));
        assert_eq!(stdout.text(), "", "{kind:?}");
        seen.push_str(&format!("{} exits {exit}\n{}\n", kind.code(), stderr.text()));
    }
    insta::assert_snapshot!("faults", seen);
}

#[test]
fn with_json_a_fault_is_one_document_on_stdout() {
    let (mut out, stdout, stderr) = reader(true);
    let lease = crate::ids::Ref::parse("g-7k2m9x4p1q8z").unwrap();
    let fault = Fault::new(Kind::OutcomeUnknown, "KMS has not answered").about(lease);
    assert_eq!(out.end(Err(fault.clone().into())), exit::LATER);
    let told: Problem = serde_json::from_str(&stdout.text()).unwrap();
    assert_eq!(told, Problem::from(&fault));
    assert!(stderr.text().starts_with("error: KMS has not answered\nhint: "));
}

#[test]
fn a_reader_that_went_away_is_no_fault_and_a_full_disk_is() {
    for (kind, wanted) in [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, exit::IO)] {
        let stderr = Kept::default();
        let broken = Box::new(Broken(kind));
        let mut out = Out::to(broken, Box::new(stderr.clone()), false, Time(0));
        let result = out.line("text").map(|()| 0).map_err(Stop::from);
        assert_eq!(out.end(result), wanted);
        assert_eq!(stderr.text().is_empty(), wanted == 0, "{}", stderr.text());
    }
}

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let (mut out, _, stderr) = reader(false);
    out.fault(&Fault::new(Kind::KmsInvalid, "a\u{1b}[2J\nb").hint("c\u{7}"));
    assert_eq!(stderr.text(), "error: a\\u{1b}[2J\nb\nhint: c\\u{7}\n");
}
