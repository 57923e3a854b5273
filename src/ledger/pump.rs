//! The pump: takes what waits, commits one batch, answers after the commit.
//!
//! Endings come before other work, and writing before reading, so that a flood of reads cannot
//! delay an ending by more than one small batch. Each job has a savepoint: one that fails rolls
//! back alone. On a full disk the batch is rolled back for certain, the ballast released and the
//! same jobs run once more; that is why a job is `FnMut`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Intent, Ledger, LedgerError, NewLease, Note, Row, Successor};
use crate::rules::life::{Event, Illegal, State};
use crate::rules::time::Now;

/// Jobs that one commit carries: a fsync for many, but none waits long for the others.
const BATCH: usize = 128;
/// Reads between two commits: each looks at no more than 1,000 rows.
const READS: usize = 8;
/// Jobs that may wait in each queue. Writers then wait for a place; readers are told to come again.
const QUEUE: usize = 1_024;

/// How a job queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A grant is being ended.
    End,
    /// Anything else that writes.
    Work,
    /// It only reads. Refused with [`LedgerError::Busy`] when too many wait.
    Read,
}

type Result<T> = std::result::Result<T, LedgerError>;

trait Job: Send {
    fn run(&mut self, ledger: &mut Ledger) -> Result<()>;
    fn answer(self: Box<Self>, fate: Result<()>);
}

struct Asked<F, T> {
    job: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// Its place in the queue; none when there is no queue.
    _place: Option<OwnedSemaphorePermit>,
}

impl<F, T> Job for Asked<F, T>
where
    F: FnMut(&mut Ledger) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, ledger: &mut Ledger) -> Result<()> {
        let result = (self.job)(ledger);
        let outcome = match &result {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, fate: Result<()>) {
        let answer = match (self.result, fate) {
            // What it was refused for stays true whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(LedgerError::Stopped),
        };
        // Who asked may have gone; what was committed stays.
        let _gone = self.reply.send(answer).is_err();
    }
}

/// Run `jobs` as one transaction and tell each what became of it.
fn batch(ledger: &mut Ledger, mut jobs: Vec<Box<dyn Job>>) {
    let mut fate = attempt(ledger, &mut jobs, false);
    if fate == Err(LedgerError::Full) {
        ledger.release_ballast();
        fate = attempt(ledger, &mut jobs, true);
    }
    if fate == Ok(Room::Enough) {
        ledger.restore_ballast();
    }
    let fate = fate.map(|_| ());
    for job in jobs {
        job.answer(fate.clone());
    }
}

/// Whether the disk had room for every job of a batch that was committed.
#[derive(PartialEq, Eq)]
enum Room {
    Enough,
    TooLittle,
}

/// On the last attempt a job that is too big for the disk fails alone.
fn attempt(ledger: &mut Ledger, jobs: &mut [Box<dyn Job>], last: bool) -> Result<Room> {
    ledger.begin_batch()?;
    let mut room = Room::Enough;
    for job in jobs {
        let outcome = ledger.atomic(|ledger| job.run(ledger));
        match outcome {
            Err(error @ LedgerError::InDoubt(_)) => return Err(ledger.roll_back(error)),
            Err(LedgerError::Full) if last && ledger.in_batch() => room = Room::TooLittle,
            Err(LedgerError::Full) => return Err(ledger.roll_back(LedgerError::Full)),
            Err(error) if !ledger.in_batch() => {
                let doubt = LedgerError::InDoubt(error.to_string());
                return Err(ledger.roll_back(doubt));
            }
            Ok(()) | Err(_) => {}
        }
    }
    ledger.commit_batch()?;
    Ok(room)
}

#[derive(Default)]
struct Queues {
    end: VecDeque<Box<dyn Job>>,
    work: VecDeque<Box<dyn Job>>,
    read: VecDeque<Box<dyn Job>>,
    closed: bool,
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.end.is_empty() && self.work.is_empty() && self.read.is_empty()
    }

    fn writes(&mut self) -> Vec<Box<dyn Job>> {
        let mut jobs: Vec<_> = self.end.drain(..self.end.len().min(BATCH)).collect();
        let room = BATCH - jobs.len();
        jobs.extend(self.work.drain(..self.work.len().min(room)));
        jobs
    }

    fn reads(&mut self) -> Vec<Box<dyn Job>> {
        self.read.drain(..self.read.len().min(READS)).collect()
    }
}

struct Shared {
    queues: Mutex<Queues>,
    wake: Condvar,
    places: [Arc<Semaphore>; 3],
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        // A push or a drain cannot leave the queues half done.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self, urgency: Urgency) -> &Arc<Semaphore> {
        let [end, work, read] = &self.places;
        match urgency {
            Urgency::End => end,
            Urgency::Work => work,
            Urgency::Read => read,
        }
    }

    fn push(&self, urgency: Urgency, job: Box<dyn Job>) -> Result<()> {
        let mut queues = self.lock();
        if queues.closed {
            return Err(LedgerError::Stopped);
        }
        match urgency {
            Urgency::End => queues.end.push_back(job),
            Urgency::Work => queues.work.push_back(job),
            Urgency::Read => queues.read.push_back(job),
        }
        self.wake.notify_one();
        Ok(())
    }

    /// The thread: until every handle is gone and every job answered.
    fn pump(&self, ledger: &mut Ledger) {
        loop {
            let mut queues = self.lock();
            while queues.is_empty() && !queues.closed {
                queues = self.wake.wait(queues).unwrap_or_else(PoisonError::into_inner);
            }
            if queues.is_empty() {
                return;
            }
            let writes = queues.writes();
            let reads = queues.reads();
            drop(queues);
            for jobs in [writes, reads] {
                if !jobs.is_empty() {
                    batch(ledger, jobs);
                }
            }
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }
}

/// Closes the queues when the thread ends, however it ends: nobody may wait for answers that never
/// come.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        let mut queues = self.0.lock();
        *queues = Queues { closed: true, ..Queues::default() };
    }
}

/// The handles' side: the thread ends once the last of them is dropped.
struct Door(Arc<Shared>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[derive(Clone)]
enum Way {
    Thread(Arc<Door>),
    Inline(Arc<Mutex<Ledger>>),
}

/// How the rest of grantd talks to the ledger.
#[derive(Clone)]
pub struct Handle {
    way: Way,
    full: Arc<AtomicBool>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl Handle {
    /// The ledger on a thread of its own. The thread ends when the last handle is dropped; joining
    /// it waits for the clean close of the file.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn thread(mut ledger: Ledger) -> std::io::Result<(Self, JoinHandle<()>)> {
        let full = ledger.full_flag();
        let shared = Arc::new(Shared {
            queues: Mutex::default(),
            wake: Condvar::new(),
            places: [(); 3].map(|()| Arc::new(Semaphore::new(QUEUE))),
        });
        let last = Last(Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            last.0.pump(&mut ledger);
        })?;
        let way = Way::Thread(Arc::new(Door(shared)));
        Ok((Self { way, full }, thread))
    }

    /// The ledger on the caller's thread: each job is run and committed at once. For the
    /// simulation.
    #[must_use]
    pub fn inline(ledger: Ledger) -> Self {
        Self { full: ledger.full_flag(), way: Way::Inline(Arc::new(Mutex::new(ledger))) }
    }

    /// Whether the disk is known to be full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Run `job` and answer once it is on the disk. An `Err` of the job rolls back the job, and
    /// only it. The job may be run twice (the first run rolled back), so it borrows what it
    /// captured.
    ///
    /// # Errors
    /// The job's own; [`LedgerError::Full`], [`LedgerError::InDoubt`], [`LedgerError::Unavailable`]
    /// of its batch; [`LedgerError::Busy`] for reads; [`LedgerError::Stopped`].
    pub async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        job: impl FnMut(&mut Ledger) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let mut asked = Asked { job, result: None, reply, _place: None };
        match &self.way {
            Way::Thread(door) => {
                let places = Arc::clone(door.0.places(urgency));
                let place = if urgency == Urgency::Read {
                    places.try_acquire_owned().map_err(|_| LedgerError::Busy)
                } else {
                    let place = places.acquire_owned().await;
                    place.map_err(|_| LedgerError::Stopped)
                };
                asked._place = Some(place?);
                door.0.push(urgency, Box::new(asked))?;
            }
            Way::Inline(ledger) => {
                let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
                batch(&mut ledger, vec![Box::new(asked)]);
            }
        }
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }

    /// Record a lease. The [`Intent`] exists only once the row is on the disk.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`] and [`Handle::run`].
    pub async fn begin(&self, new: NewLease, now: Now) -> Result<(Row, Intent)> {
        let row = self.run(Urgency::Work, move |ledger| ledger.begin(&new, now));
        intent(row.await?)
    }

    /// Record a successor. The [`Intent`] exists only once the row is on the disk.
    ///
    /// # Errors
    /// Those of [`Ledger::succeed`] and [`Handle::run`].
    pub async fn succeed(&self, new: Successor, now: Now) -> Result<(Row, Intent)> {
        let row = self.run(Urgency::Work, move |ledger| ledger.succeed(&new, now));
        intent(row.await?)
    }

    /// Count one more send of a create that has no answer yet.
    ///
    /// # Errors
    /// [`LedgerError::Illegal`] unless the grant is being created and still wanted; those of
    /// [`Handle::run`].
    pub async fn resend(&self, grant: i64, now: Now) -> Result<(Row, Intent)> {
        let row = self.run(Urgency::Work, move |ledger| {
            let row = ledger.row(grant)?;
            if !matches!(row.life().state, State::Creating { .. }) {
                return Err(not_creating(&row));
            }
            let stepped = ledger.step(grant, &Event::Sending, now, &Note::grantd())?;
            Ok(stepped.row)
        });
        intent(row.await?)
    }
}

fn intent(row: Row) -> Result<(Row, Intent)> {
    let intent = Intent::of(&row).ok_or_else(|| not_creating(&row))?;
    Ok((row, intent))
}

fn not_creating(row: &Row) -> LedgerError {
    let state = row.life().state.word();
    let event = "sending a create";
    Illegal { state, event }.into()
}
