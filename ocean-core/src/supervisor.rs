//! Supervised tasks: every task of the process is spawned here, so that shutdown can wait for it.

use std::{future::Future, sync::Mutex, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tracing::{error, warn};

/// Owns the tasks of the process and tells them when to stop.
///
/// A task that panics takes the process down in order: what it was responsible for would silently
/// not happen otherwise.
#[derive(Debug)]
pub struct Supervisor {
    tasks: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self {
            tasks: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }
}

impl Supervisor {
    /// Runs `task` until it ends; `name` appears in logs.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let guarded = async move {
            if std::panic::AssertUnwindSafe(task)
                .catch_unwind()
                .await
                .is_err()
            {
                error!(
                    task = name,
                    "A task of the process panicked; shutting down."
                );
                stop.send_replace(true);
            }
        };
        self.tasks
            .lock()
            .expect("no task panics while holding it")
            .spawn(guarded);
    }

    /// A handle by which a task learns that it should stop.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.stop.subscribe())
    }

    /// Asks all tasks to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for all tasks to end, `limit` at most; those that still run are cancelled. Returns
    /// whether all ended by themselves.
    pub async fn join(&self, limit: Duration) -> bool {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().expect("as in `spawn`"));
        let ended = timeout(limit, async { while tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            warn!(
                tasks = tasks.len(),
                "Tasks did not stop in time and are cancelled."
            );
        }
        tasks.shutdown().await;
        ended.is_ok()
    }
}

// === Shutdown ===

/// Tells a task when the process is about to end.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Whether the process is about to end.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns as soon as the process is about to end. Cancel-safe.
    pub async fn requested(&mut self) {
        // An error means that the supervisor is gone, which is the end as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_stops_the_others() {
        let supervisor = Supervisor::default();
        let mut shutdown = supervisor.shutdown();
        supervisor.spawn("waits", async move { shutdown.requested().await });
        supervisor.spawn("panics", async { panic!("as the test wants") });
        assert!(supervisor.join(Duration::from_secs(5)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_cancelled_at_the_deadline() {
        let supervisor = Supervisor::default();
        supervisor.spawn("hangs", std::future::pending());
        supervisor.stop();
        assert!(!supervisor.join(Duration::from_secs(5)).await);
    }
}
