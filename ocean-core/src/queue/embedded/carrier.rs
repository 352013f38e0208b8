//! Carries the log over to the file, on a thread of its own: pages are copied and synced while the
//! writer goes on, and nobody waits for it with a receipt.
//!
//! What is written meanwhile lengthens the log, and SQLite begins a log anew only when all of it is
//! carried over. So a log that became long is finished by the writer itself, which then waits for
//! little: the rest since the last time.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::{OpenError, failure, maintenance, schema};

/// Bytes that are carried over at once. More costs a little less, but syncing it keeps the disk from
/// syncing the log, and receipts wait for that.
const PORTION: u64 = 1 << 20;

/// The thread; ends with the value.
pub(super) struct Carrier {
    // Absent once it was stopped.
    orders: Option<mpsc::Sender<()>>,
    at_work: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    pub(super) fn start(file: &Path) -> Result<Self, OpenError> {
        let connection =
            schema::open_commander(file).map_err(|error| failure::open_error(file, &error))?;
        let (orders, taken) = mpsc::channel();
        let at_work = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&at_work);
        let work = move || {
            for () in taken {
                carry(&connection);
                flag.store(false, Ordering::Release);
            }
        };
        let thread = thread::Builder::new().name("queue-carrier".into());
        Ok(Self {
            orders: Some(orders),
            at_work,
            thread: Some(thread.spawn(work).map_err(OpenError::Thread)?),
        })
    }

    /// After a commit of the writer, whose connection this is: sees to it that the log does not grow
    /// without end.
    pub(super) fn after_commit(&self, writer: &Connection) {
        let Ok(log) = maintenance::log(writer) else {
            return;
        };
        if log.left < PORTION || self.at_work.load(Ordering::Acquire) {
            return;
        }
        if log.length >= schema::LONGEST_LOG || !self.order() {
            carry(writer);
        }
    }

    /// Has the thread carry the log over; `false` if it is gone.
    fn order(&self) -> bool {
        let Some(orders) = &self.orders else {
            return false;
        };
        self.at_work.store(true, Ordering::Release);
        let is_taken = orders.send(()).is_ok();
        if !is_taken {
            self.at_work.store(false, Ordering::Release);
        }
        is_taken
    }

    /// Ends the thread, with what it is at; from then on the log is the writer's alone.
    pub(super) fn stop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.stop();
    }
}

fn carry(connection: &Connection) {
    // What cannot be carried over now stays in the log, which is as durable.
    if let Err(error) = maintenance::checkpoint(connection) {
        tracing::debug!(%error, "The log of the event store could not be carried over.");
    }
}
