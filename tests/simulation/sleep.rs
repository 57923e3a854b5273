//! A machine that stands still: suspended, or stopped by its hypervisor.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

/// Whether it stands still, and who is to go on afterwards.
#[derive(Default)]
pub(crate) struct Sleep {
    asleep: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Sleep {
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.get()
    }

    pub(crate) fn fall(&self) {
        self.asleep.set(true);
    }

    pub(crate) fn wake(&self) {
        self.asleep.set(false);
        self.waker.borrow_mut().take().into_iter().for_each(Waker::wake);
    }

    /// Nothing of `work` runs while the machine stands still.
    pub(crate) async fn while_awake<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.asleep.get() {
                self.waker.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}
