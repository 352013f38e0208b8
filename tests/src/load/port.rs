//! Port under load: bulk upserts are read, checked and counted; all other calls go to the stand-in
//! that the tests have.

use std::{
    io,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use anyhow::ensure;
use ocean_core::{
    Headers,
    dev::{ApiRequest, ApiResponse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use super::{
    message::Message,
    number,
    server::{Answer, Server},
};
use crate::port::Organization;

/// A running stand-in of Port that expects the entities of some issues.
#[derive(Debug)]
pub struct LoadPort {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Everything expected has come.
    complete: Notify,
    /// Grows by one with each entity that is confirmed for the first time.
    confirmed: Arc<Semaphore>,
}

#[derive(Debug)]
struct Ledger {
    organization: Organization,
    /// When each entity was first confirmed.
    confirmed: Vec<Option<Instant>>,
    missing: usize,
    calls: u64,
    /// The first thing that was not as it had to be.
    fault: Option<String>,
}

impl LoadPort {
    /// Starts it with this app config; it expects the issues with numbers below `issues`, each
    /// answer takes `delay` longer, and each new entity adds a permit to `confirmed`.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(
        app_config: Value,
        issues: usize,
        delay: Duration,
        confirmed: Arc<Semaphore>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger {
                organization: Organization::new(app_config),
                confirmed: vec![None; issues],
                missing: issues,
                calls: 0,
                fault: None,
            }),
            complete: Notify::new(),
            confirmed,
        });
        let server = Server::start(Arc::clone(&shared), delay).await?;
        shared.ledger().organization.set_url(server.url());
        Ok(Self { server, shared })
    }

    /// Its base URL, without trailing slash.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.shared.ledger().calls
    }

    /// Waits until every entity was confirmed, and tells when each was.
    ///
    /// # Errors
    /// An entity was wrong, or they did not all come within `limit`.
    pub async fn complete(&self, limit: Duration) -> anyhow::Result<Vec<Instant>> {
        let complete = self.shared.complete.notified();
        let waited = tokio::time::timeout(limit, complete).await;
        let ledger = self.shared.ledger();
        if let Some(fault) = &ledger.fault {
            anyhow::bail!("an entity is not as it must be: {fault}");
        }
        ensure!(
            waited.is_ok(),
            "{} entities did not come within {limit:?}",
            ledger.missing
        );
        Ok(ledger.confirmed.iter().copied().flatten().collect())
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic while held")
    }
}

impl Answer for Arc<Shared> {
    fn answer(&self, request: &Message<'_>, out: &mut Vec<u8>) -> u16 {
        let mut ledger = self.ledger();
        ledger.calls += 1;
        let mut words = request.start.split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let blueprint = path
            .strip_prefix("/v1/blueprints/")
            .and_then(|path| path.strip_suffix("/entities/bulk"));
        if let (Some("POST"), Some(blueprint)) = (method, blueprint) {
            let missing = ledger.missing;
            let written = match request.header("authorization") {
                Some("Bearer token") => ledger.write(blueprint, request.body, out),
                _ => Err("no token".to_owned()),
            };
            if let Err(fault) = written {
                ledger.fault.get_or_insert(fault);
            }
            self.confirmed.add_permits(missing - ledger.missing);
            if ledger.missing == 0 || ledger.fault.is_some() {
                self.complete.notify_one();
            }
            return 200;
        }
        let call = ApiRequest {
            method: method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers: Headers::default(),
            body: request.body.to_vec().into(),
        };
        let ApiResponse { status, body, .. } = ledger.organization.answer(&call);
        out.extend_from_slice(&body);
        status
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        pair.split_once('=')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    query.split('&').filter_map(pair).collect()
}

// === Entities ===

#[derive(Deserialize)]
struct Bulk<'a> {
    #[serde(borrow)]
    entities: Vec<Issue<'a>>,
}

/// What the default mapping makes of an issue, as far as it tells one issue from another and a
/// whole entity from part of one.
#[derive(Deserialize)]
struct Issue<'a> {
    identifier: &'a str,
    blueprint: &'a str,
    title: &'a str,
    properties: Properties<'a>,
    relations: Relations<'a>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    url: &'a str,
    status: &'a str,
}

#[derive(Deserialize)]
struct Relations<'a> {
    project: &'a str,
    reporter: &'a str,
}

impl Issue<'_> {
    fn is_whole(&self, blueprint: &str) -> bool {
        self.blueprint == blueprint
            && self.title == "Rotate keys"
            && self.properties.url.rsplit('/').next() == Some(self.identifier)
            && self.properties.status == "In Progress"
            && self.relations.project == "OPS"
            && self.relations.reporter == "a1"
    }
}

impl Ledger {
    /// Reads a bulk upsert and answers it.
    fn write(&mut self, blueprint: &str, body: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let Bulk { entities } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let now = Instant::now();
        out.extend_from_slice(br#"{"ok":true,"maxBulkSize":20,"errors":[],"entities":["#);
        for (index, issue) in entities.iter().enumerate() {
            let Issue { identifier, .. } = issue;
            let place = number(identifier)
                .filter(|_| issue.is_whole(blueprint))
                .and_then(|number| self.confirmed.get_mut(number));
            let Some(confirmed) = place else {
                return Err(format!(
                    "`{identifier}` in {}",
                    String::from_utf8_lossy(body)
                ));
            };
            let created = confirmed.is_none();
            if created {
                *confirmed = Some(now);
                self.missing -= 1;
            }
            if index > 0 {
                out.push(b',');
            }
            write!(
                out,
                r#"{{"identifier":"{identifier}","index":{index},"created":{created}}}"#
            )
            .expect("writing to memory does not fail");
        }
        out.extend_from_slice(b"]}");
        Ok(())
    }
}
