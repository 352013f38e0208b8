//! A catalog that answers as the test says and remembers what it was asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use ocean_core::{
    Assets, BoxFuture, StartError,
    catalog::{Catalog, CatalogError, ChangeSet, EntityKey, Processing, RawShipment, Written},
};

/// What the catalog says to a write, given the entity and how often it was written before.
type Answer = dyn Fn(&str, usize) -> Result<Written, CatalogError> + Send + Sync;

pub(crate) struct FakeCatalog {
    answer: Box<Answer>,
    pub(crate) processing: Processing,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Writes in order: `+ blueprint/identifier` and `- blueprint/identifier`.
    writes: Vec<String>,
    counts: HashMap<String, usize>,
    shipments: Vec<RawShipment>,
}

impl Default for FakeCatalog {
    fn default() -> Self {
        Self::answering(|_, _| Ok(Written::Updated))
    }
}

impl FakeCatalog {
    pub(crate) fn answering(
        answer: impl Fn(&str, usize) -> Result<Written, CatalogError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Box::new(answer),
            processing: Processing::Entities,
            log: Mutex::default(),
        }
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        self.log.lock().unwrap().writes.clone()
    }

    pub(crate) fn shipments(&self) -> Vec<RawShipment> {
        self.log.lock().unwrap().shipments.clone()
    }

    fn write(&self, sign: char, key: &EntityKey) -> Result<Written, CatalogError> {
        let mut log = self.log.lock().unwrap();
        let name = key.to_string();
        log.writes.push(format!("{sign} {name}"));
        let count = log.counts.entry(name.clone()).or_default();
        *count += 1;
        let before = *count - 1;
        drop(log);
        (self.answer)(&name, before)
    }
}

impl std::fmt::Debug for FakeCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeCatalog")
    }
}

impl Catalog for FakeCatalog {
    fn apply(&self, changes: ChangeSet) -> BoxFuture<'_, Vec<Result<Written, CatalogError>>> {
        let upserts = changes
            .upserts
            .iter()
            .map(|entity| self.write('+', &entity.key));
        let mut answers: Vec<_> = upserts.collect();
        answers.extend(changes.deletes.iter().map(|key| self.write('-', key)));
        Box::pin(async move {
            // Real catalogs answer later.
            tokio::task::yield_now().await;
            answers
        })
    }

    fn processing(&self) -> Processing {
        self.processing
    }

    fn ship(&self, items: RawShipment) -> BoxFuture<'_, Result<(), CatalogError>> {
        let answer = {
            let mut log = self.log.lock().unwrap();
            log.shipments.push(items);
            let count = log.shipments.len() - 1;
            drop(log);
            (self.answer)("raw", count).map(|_| ())
        };
        Box::pin(std::future::ready(answer))
    }

    fn app_config(&self) -> BoxFuture<'_, Result<serde_json::Value, CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn find<'a>(
        &'a self,
        _: &'a EntityKey,
    ) -> BoxFuture<'a, Result<Option<serde_json::Value>, CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn prepare<'a>(&'a self, _: &'a Assets) -> BoxFuture<'a, Result<(), StartError>> {
        unreachable!("dispatch does not ask")
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), CatalogError>> {
        unreachable!("dispatch does not ask")
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A refusal for good.
pub(crate) fn refused() -> CatalogError {
    CatalogError::Permanent {
        message: Arc::from("422: no such blueprint"),
    }
}

/// A fault that passes.
pub(crate) fn busy() -> CatalogError {
    CatalogError::Retry {
        message: Arc::from("503"),
        after: None,
    }
}

/// An outage.
pub(crate) fn away() -> CatalogError {
    CatalogError::Unavailable {
        message: Arc::from("port is out of reach"),
        after: std::time::Duration::from_secs(10),
    }
}
