//! The pump: order, isolation, bounds, and answers only after the commit.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use super::fixture::{World, kms, lease, now, reference, verify};
use crate::ledger::{Handle, Ledger, LedgerError, Urgency};
use crate::rules::life::{Event, Outcome, State};
use crate::rules::time::HOUR;

/// Drive one future to its end on this thread.
pub(super) fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Start a future without waiting for it: it queues its job.
fn start<T>(future: &mut std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn send<T: Send>(value: T) -> T {
    value
}

#[test]
fn an_intent_exists_only_after_the_commit() {
    let World { dir, ledger, lane } = World::new();
    let (handle, thread) = Handle::thread(ledger).unwrap();
    let (row, intent) = block(send(handle.begin(lease(&lane, 1), now(0)))).unwrap();
    assert_eq!((intent.grant(), Some(intent.request())), (row.id(), row.request()));
    let (row, _) = block(send(handle.resend(row.id(), now(50)))).unwrap();
    let State::Creating { create, .. } = row.life().state else { panic!("{row:?}") };
    assert_eq!((create.count, create.open, create.last), (2, 2, now(50).latest));
    drop(handle);
    thread.join().unwrap();
    let (ledger, _) = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.row(row.id()).unwrap(), row);
    assert_eq!(verify(&ledger), (2, None));
}

#[test]
fn nothing_is_resent_once_kms_has_answered_or_it_is_due() {
    let World { dir: _dir, mut ledger, lane } = World::new();
    let made = ledger.begin(&lease(&lane, 1), now(0)).unwrap();
    let late = ledger.begin(&lease(&lane, 2), now(0)).unwrap();
    let id = Outcome::Done(super::fixture::id("a1"));
    let _stepped = ledger.step(made.id(), &Event::Created(id), now(9), &kms()).unwrap();
    let handle = Handle::inline(ledger);
    for (grant, at) in [(made.id(), 10), (late.id(), HOUR)] {
        let again = block(handle.resend(grant, now(at)));
        assert!(matches!(again, Err(LedgerError::Illegal(_))), "{again:?}");
    }
}

/// The pump holds on a first job while the others queue up; then they run in one batch, or by
/// urgency.
struct Held {
    release: mpsc::Sender<()>,
    first: std::thread::JoinHandle<()>,
}

fn hold(handle: &Handle) -> Held {
    let (release, wait) = mpsc::channel::<()>();
    let (started, ready) = mpsc::channel::<()>();
    let first = handle.clone();
    let wait = std::sync::Mutex::new(wait);
    let first = std::thread::spawn(move || {
        block(first.run(Urgency::Read, move |_| {
            started.send(()).unwrap();
            let _ended = wait.lock().unwrap().recv().is_err();
            Ok(())
        }))
        .unwrap();
    });
    ready.recv().unwrap();
    Held { release, first }
}

impl Held {
    fn go(self) {
        self.release.send(()).unwrap();
        self.first.join().unwrap();
    }
}

#[test]
fn endings_go_first_then_work_then_reads() {
    let world = World::new();
    let (handle, _thread) = Handle::thread(world.ledger).unwrap();
    let held = hold(&handle);
    let (tell, order) = mpsc::channel();
    let job = |urgency, word| {
        let tell = tell.clone();
        handle.run(urgency, move |_: &mut Ledger| {
            tell.send(word).unwrap();
            Ok(())
        })
    };
    let mut read = pin!(job(Urgency::Read, "read"));
    let mut work = pin!(job(Urgency::Work, "work"));
    let mut end = pin!(job(Urgency::End, "end"));
    for poll in [start(&mut read), start(&mut work), start(&mut end)] {
        assert!(poll.is_pending());
    }
    held.go();
    block(async {
        read.await.unwrap();
        work.await.unwrap();
        end.await.unwrap();
    });
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["end", "work", "read"]);
}

#[test]
fn one_job_s_error_rolls_back_that_job_alone() {
    let World { dir: _dir, ledger, lane } = World::new();
    let (handle, _thread) = Handle::thread(ledger).unwrap();
    let held = hold(&handle);
    let begin = |n, spoil| {
        let new = lease(&lane, n);
        handle.run(Urgency::Work, move |ledger: &mut Ledger| {
            let row = ledger.begin(&new, now(0))?;
            if spoil { Err(LedgerError::NoRow(row.id())) } else { Ok(row) }
        })
    };
    let (mut a, mut b, mut c) =
        (pin!(begin(1, false)), pin!(begin(2, true)), pin!(begin(3, false)));
    for poll in [start(&mut a), start(&mut b), start(&mut c)] {
        assert!(poll.is_pending());
    }
    held.go();
    block(async {
        a.await.unwrap();
        assert!(matches!(b.await, Err(LedgerError::NoRow(_))));
        c.await.unwrap();
    });
    let seen = block(handle.run(Urgency::Read, |ledger| {
        let refs = [1, 2, 3].map(|n| ledger.lease(reference(n).as_str()).is_ok());
        Ok((refs, verify(ledger)))
    }));
    assert_eq!(seen.unwrap(), ([true, false, true], (2, None)));
}

#[test]
fn too_many_reads_are_told_to_come_again_and_writers_wait() {
    let world = World::new();
    let (handle, _thread) = Handle::thread(world.ledger).unwrap();
    let held = hold(&handle);
    let mut queued = Vec::new();
    // One place is taken by the job that holds.
    for _ in 0..1_023 {
        let mut read = Box::pin(handle.run(Urgency::Read, |_| Ok(())));
        assert!(start(&mut read.as_mut()).is_pending());
        queued.push(read);
    }
    let more = handle.run(Urgency::Read, |_| Ok(()));
    assert_eq!(block(more), Err(LedgerError::Busy));
    let mut work = pin!(handle.run(Urgency::Work, |_| Ok(7)));
    assert!(start(&mut work).is_pending());
    held.go();
    assert_eq!(block(work), Ok(7));
    for read in queued {
        assert_eq!(block(read), Ok(()));
    }
}

/// Who asks may go away: what was queued is done all the same.
#[test]
fn a_dropped_future_does_not_undo_its_job() {
    let World { dir: _dir, ledger, lane } = World::new();
    let (handle, _thread) = Handle::thread(ledger).unwrap();
    {
        let held = hold(&handle);
        let mut begin = Box::pin(handle.begin(lease(&lane, 1), now(0)));
        assert!(start(&mut begin.as_mut()).is_pending());
        drop(begin);
        held.go();
    }
    let found = block(handle.run(Urgency::Work, |ledger| ledger.lease(reference(1).as_str())));
    assert_eq!(found.unwrap().state, "creating");
}
