//! The current mapping, as everyone reads it, and what there is to say about it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::{Mapping, Problem};

/// The current mapping: read by every event, replaced by the refresher, absent until the catalog
/// has delivered one. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct MappingHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    // Read by every event and replaced once in a long while, so readers take no lock.
    current: ArcSwapOption<Mapping>,
    status: watch::Sender<Status>,
    wanted: Notify,
}

/// What there is to say about the mapping in use, for readiness, health and the admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// When the mapping in use was loaded; `None` while there is none.
    pub loaded_at: Option<Timestamp>,
    /// When the catalog was last heard to have this very mapping.
    pub checked_at: Option<Timestamp>,
    /// Why the newest mapping is not in use: it could not be fetched or was refused.
    pub error: Option<String>,
    /// What is wrong in single fields of the mapping in use.
    pub problems: Vec<Problem>,
}

impl MappingHandle {
    /// The current mapping, if there is one yet.
    pub fn current(&self) -> Option<Arc<Mapping>> {
        self.0.current.load_full()
    }

    /// Waits for the first mapping. Cancel-safe.
    pub async fn ready(&self) -> Arc<Mapping> {
        let mut changes = self.0.status.subscribe();
        loop {
            if let Some(mapping) = self.current() {
                return mapping;
            }
            changes
                .changed()
                .await
                .expect("the handle holds the sender");
        }
    }

    /// Replaces the mapping, as the refresher does; for tests and for mappings from a file.
    pub fn set(&self, mapping: Arc<Mapping>) {
        self.replace(mapping, None);
    }

    /// What there is to say about the mapping in use.
    pub fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    /// Each change of the status, such as after [`refresh_now`](Self::refresh_now).
    pub fn status_changes(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Asks the refresher to look at once; returns without waiting for it. Asking again before it
    /// has begun asks for nothing more.
    pub fn refresh_now(&self) {
        self.0.wanted.notify_one();
    }

    /// Returns when somebody asked for a refresh. Cancel-safe.
    pub(super) async fn refresh_wanted(&self) {
        self.0.wanted.notified().await;
    }

    pub(super) fn replace(&self, mapping: Arc<Mapping>, now: Option<Timestamp>) {
        let status = Status {
            loaded_at: now,
            checked_at: now,
            error: None,
            problems: mapping.problems().to_vec(),
        };
        // In this order, so that who is woken by the status finds the mapping.
        self.0.current.store(Some(mapping));
        self.0.status.send_replace(status);
    }

    /// The mapping in use is the newest.
    pub(super) fn confirm(&self, now: Timestamp) {
        self.0.status.send_modify(|status| {
            status.checked_at = Some(now);
            status.error = None;
        });
    }

    /// The newest mapping is not in use, for this reason.
    pub(super) fn fault(&self, error: String) {
        self.0
            .status
            .send_modify(|status| status.error = Some(error));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::MappingOptions;

    #[tokio::test]
    async fn ready_waits_for_the_first_mapping() {
        let handle = MappingHandle::default();
        let waits = tokio::spawn({
            let handle = handle.clone();
            async move { handle.ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished() && handle.current().is_none());
        let mapping = Mapping::compile(&json!({"resources": []}), &MappingOptions::default());
        let mapping = Arc::new(mapping.unwrap());
        handle.set(mapping.clone());
        assert!(Arc::ptr_eq(&waits.await.unwrap(), &mapping));
    }

    #[test]
    fn a_fault_leaves_what_is_said_about_the_mapping_in_use() {
        let handle = MappingHandle::default();
        let mapping = Mapping::compile(&json!({"resources": []}), &MappingOptions::default());
        let loaded = Timestamp::UNIX_EPOCH;
        handle.replace(Arc::new(mapping.unwrap()), Some(loaded));
        handle.fault("the catalog is down".to_owned());
        let status = handle.status();
        assert_eq!(status.loaded_at, Some(loaded));
        assert_eq!(status.error.as_deref(), Some("the catalog is down"));
        handle.confirm(loaded);
        assert_eq!(handle.status().error, None);
    }
}
