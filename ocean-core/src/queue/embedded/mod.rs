//! The embedded store: one SQLite file in the data folder, written by one thread. Another one carries
//! its log over to the file.
//!
//! It owns `queue.db` and its log in the data folder; a lock on `queue.lock` keeps a second process
//! out. **A receipt is given only after the commit that holds the event is synced to disk.** It
//! never holds up a caller of `record`, and never overwrites what it cannot read.
//!
//! # The file
//! Everyone can look at it while the server runs: `sqlite3 -readonly queue.db`. Times are
//! microseconds since 1970, ids as well (the time of acceptance, made strictly increasing).
//!
//! | Table | Holds |
//! |---|---|
//! | `event` | one row an event: `received_at`, `path`, `name`, `delivery`, `lanes` (for each lane 8 bytes, then 0, or 1 and the 8 bytes of its coalesce value), `state` (0 pending, 1 done, 2 dead, 3 ignored, 4 superseded, 5 discarded, 6 refused), `bytes` of body, headers and query, `kept` (0 once retention removed the body), `replay_of` |
//! | `body` | `headers` (a JSON array of name and value) and `query`, secrets left out of both, `payload` as received |
//! | `fate` | `finished_at`, `next_at` of a retry, `attempts`, `restarts`, `reason`, `story` (JSON) |
//! | `command` | actions of other processes that wait for the server |
//! | `meta` | `owner`: whose events these are, as JSON |
//! | `events` | a view of the first three with names and dates for people |
//!
//! `PRAGMA user_version` is the version of this layout, `application_id` is `0x4f434551`.
//!
//! There is no unique index on deliveries and none on pending events: either costs more than all
//! the rest. Deduplication lives in the writer, lanes in dispatch; both are rebuilt at start from
//! one scan of `event`, which holds no bodies.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//! use ocean_core::{EventParts, Lane, LaneEntry, WebhookEvent};
//! use ocean_core::queue::{Change, NewEvent, Queue, Receipt, Story, embedded};
//! use ocean_core::telemetry::Telemetry;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! # runtime.block_on(async {
//! let options = embedded::EmbeddedOptions::new(folder);
//! let (queue, mut feed) = embedded::open(options, Arc::new(Telemetry::default())).unwrap();
//! let lanes = [LaneEntry { lane: Lane::new(7), coalesce: None }].into_iter().collect();
//! let event = NewEvent::new(WebhookEvent::new(EventParts::default()), lanes);
//! let receipts = queue.accept(vec![event]).await.unwrap();
//! let pending = feed.recv().await.unwrap();
//! assert_eq!(receipts, [Receipt::Stored(pending.id)]);
//! queue.record(pending.id, Change::Done(Story::default()));
//! queue.close().await;
//! assert!(feed.recv().await.is_none());
//! # });
//! ```

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::{
    Action, ActionResult, Change, Feed, Journal, NewEvent, Pressure, Queue, QueueError, Receipt,
    Stored,
};
use crate::{clock::Clock, event::EventId, future::BoxFuture, telemetry::Telemetry};

mod backlog;
mod batch;
mod carrier;
mod codec;
mod command;
mod damage;
mod failure;
mod gate;
mod group;
mod lock;
mod mailbox;
mod maintenance;
mod owner;
mod reader;
mod retention;
mod rows;
mod salvage;
mod schema;
mod space;
mod writer;

pub use command::{OperateError, operate};
pub use owner::Owner;
pub use reader::Reader;
pub use retention::Retention;
pub use salvage::{Salvaged, salvage};
pub use schema::FILE;

use backlog::Survey;
use carrier::Carrier;
use gate::{Gate, Refusal};
use lock::FolderLock;
use mailbox::{Accept, Command, Mailbox, Reply};
use retention::Trimmer;
use rows::ChangeRow;
use space::Space;
use writer::{Shared, Work, Writer};

/// Settings of the embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The data folder (`OCEAN__QUEUE__PATH`).
    pub folder: PathBuf,
    /// The bound on the bytes of pending events (`OCEAN__QUEUE__MAX_PENDING_BYTES`), 8 GiB by
    /// default.
    pub max_pending_bytes: u64,
    /// For how long a repeated delivery is recognised, 24 hours by default. A delivery takes 20 to
    /// 40 bytes of memory; beyond 3.6 million (71 MB) the oldest are forgotten earlier.
    pub dedupe_window: Duration,
    /// How long finished events are kept (`OCEAN__QUEUE__RETENTION`).
    pub retention: Retention,
    /// The bound on the bytes of dead letters, 1 GiB by default. Beyond it the oldest lose their
    /// bodies, so that a sender whose events always fail cannot fill the disk; their rows and
    /// reasons stay, but they cannot be replayed any more.
    pub max_dead_bytes: u64,
    /// The memory for events that wait, as text and parsed, 64 MiB by default; others are read when
    /// their turn comes.
    pub cache_bytes: u64,
    /// Disk space below which nothing new is accepted, so that what was accepted can be finished;
    /// `None` means the smaller of 256 MiB and 5 % of the disk.
    pub reserve_bytes: Option<u64>,
    /// A bound on the size of the file itself, if the disk is shared with others; `None` means
    /// none.
    pub max_file_bytes: Option<u64>,
    /// Whose events the store holds, `None` by default. Written into a store that belongs to
    /// nobody yet; a store of someone else is refused. `None` means that it is not checked.
    pub owner: Option<Owner>,
    /// The time.
    pub clock: Clock,
}

impl EmbeddedOptions {
    /// The defaults for the store in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            max_pending_bytes: 8 << 30,
            dedupe_window: Duration::from_secs(24 * 60 * 60),
            retention: Retention::default(),
            max_dead_bytes: 1 << 30,
            cache_bytes: 64 << 20,
            reserve_bytes: None,
            max_file_bytes: None,
            owner: None,
            clock: Clock::system(),
        }
    }
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error("the data folder `{}` cannot be used: {source}; make it writable or set OCEAN__QUEUE__PATH", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("the data folder `{}` is in use by process {pid}; stop it or set OCEAN__QUEUE__PATH", .folder.display(), pid = .pid.map_or("unknown".to_owned(), |pid| pid.to_string()))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process.
        pid: Option<u32>,
    },
    /// There is no store to read.
    #[error("there is no event store at `{}`; set OCEAN__QUEUE__PATH to the server's data folder", .file.display())]
    Missing {
        /// Where it should be.
        file: PathBuf,
    },
    /// The file belongs to another program.
    #[error("`{}` is a database of another program; set OCEAN__QUEUE__PATH to a folder of our own", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The events in the store are someone else's.
    #[error("the event store `{}` belongs to {found} and this is {wanted}; set OCEAN__QUEUE__PATH to a folder of its own", .file.display())]
    OtherOwner {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        found: String,
        /// Who wants to use it.
        wanted: String,
    },
    /// The file was written by a newer release.
    #[error("`{}` has version {found} of the layout and this release knows {known}; use a newer release", .file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: usize,
        /// The newest one we know.
        known: usize,
    },
    /// The file is damaged. Nothing was changed.
    #[error("the event store `{}` is damaged: {reason}; run the `salvage` command to save what can be read into a new folder", .file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be opened for another reason.
    #[error("the event store `{}` cannot be opened: {reason}", .file.display())]
    Store {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A thread cannot be started.
    #[error("the event store cannot start its thread: {0}")]
    Thread(#[source] io::Error),
}

/// Opens the store, takes stock of what an earlier process left, and starts the writer. Blocks for
/// about a second for a million events.
///
/// # Errors
/// The folder cannot be used or belongs to another process; the file is damaged, newer or foreign.
pub fn open(
    options: EmbeddedOptions,
    telemetry: Arc<Telemetry>,
) -> Result<(Embedded, Feed), OpenError> {
    let lock = FolderLock::acquire(&options.folder)?;
    let file = options.folder.join(schema::FILE);
    let connection = schema::open_writer(&file, options.max_file_bytes)?;
    if let Some(owner) = &options.owner {
        owner::claim(&connection, &file, owner)?;
    }
    let now_micros = options.clock.now().as_microsecond();
    let wrap = |error| failure::open_error(&file, &error);
    schema::without_checkpoints(&connection).map_err(wrap)?;
    let survey = Survey::take(&connection, now_micros, options.dedupe_window).map_err(wrap)?;
    let reader = Arc::new(Reader::open(&options.folder)?);

    let (sender, fresh) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        mailbox: Arc::new(Mailbox::default()),
        gate: Gate::new(options.max_pending_bytes, survey.level),
        ended: watch::Sender::new(false),
    });
    let backlog =
        backlog::feed(&file, 1..=survey.last_id, Arc::clone(&shared)).map_err(OpenError::Thread)?;
    let cache = usize::try_from(options.cache_bytes).unwrap_or(usize::MAX);
    let writer = Writer {
        shared: Arc::clone(&shared),
        telemetry: Arc::clone(&telemetry),
        feed: sender,
        commands: VecDeque::new(),
        cache: Arc::new(Semaphore::new(cache.min(Semaphore::MAX_PERMITS))),
        space: Space::new(options.folder.clone(), options.reserve_bytes),
        level: survey.level,
        dedupe: survey.dedupe,
        trimmer: Trimmer::new(
            options.retention,
            options.dedupe_window,
            survey.finished_bytes,
        ),
        last_id: survey.last_id,
        connection: Some(connection),
        carrier: Carrier::start(&file)?,
        failing: None,
        work: Work::default(),
        _lock: lock,
        options: options.clone(),
    };
    let thread = thread::Builder::new()
        .name("queue-writer".into())
        .spawn(move || writer.run())
        .map_err(OpenError::Thread)?;
    let queue = Embedded {
        shared,
        reader,
        telemetry,
        options,
        thread: Mutex::new(Some(thread)),
    };
    Ok((queue, Feed::with_backlog(backlog, fresh)))
}

/// The store of this process. Dropping it closes it, and blocks until all is written.
pub struct Embedded {
    shared: Arc<Shared>,
    reader: Arc<Reader>,
    telemetry: Arc<Telemetry>,
    options: EmbeddedOptions,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }
}

// === impl Queue for Embedded ===

impl Queue for Embedded {
    fn accept(&self, events: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>> {
        Box::pin(async move {
            let bytes = events.iter().map(|new| new.event.body().len() as u64).sum();
            if let Err(error) = self.shared.gate.admit(bytes) {
                self.telemetry.queue.refused(cause(&error));
                return Err(error);
            }
            let (reply, answer) = oneshot::channel();
            let accept = Accept {
                events: events.into_iter().map(Into::into).collect(),
                bytes,
                reply,
            };
            let put = |mail: &mut mailbox::Mail, accept| mail.accepts.push(accept);
            if self.shared.mailbox.put(accept, put).is_err() {
                self.shared.gate.withdraw(bytes);
                return Err(QueueError::Closed);
            }
            let answer = answer.await.unwrap_or(Err(QueueError::Closed));
            if let Err(error) = &answer {
                self.telemetry.queue.refused(cause(error));
            }
            answer
        })
    }

    fn load(&self, id: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>> {
        Box::pin(async move {
            let reader = Arc::clone(&self.reader);
            let loaded = tokio::task::spawn_blocking(move || reader.load(id)).await;
            let mut stored = loaded.unwrap_or(Err(QueueError::Closed))?;
            // While the store fails, the latest story is not on disk yet.
            if let Some(stored) = &mut stored
                && let Some(story) = self.shared.mailbox.latest_story(id)
            {
                stored.story = story;
            }
            Ok(stored)
        })
    }

    fn record(&self, id: EventId, change: Change) {
        let put = |mail: &mut mailbox::Mail, change| mail.changes.push(change);
        let change = ChangeRow::new(id, change);
        if self.shared.mailbox.put(change, put).is_err() {
            tracing::debug!(%id, "The queue is closed; the event runs again after the next start.");
        }
    }

    fn flushed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let (reply, answer) = oneshot::channel();
            let put = |mail: &mut mailbox::Mail, reply| mail.flushes.push(reply);
            if self.shared.mailbox.put(reply, put).is_ok() {
                // An error means that the writer is gone, and with it all it could write.
                let _ = answer.await;
            }
        })
    }

    fn pressure(&self) -> Pressure {
        self.shared.gate.pressure(self.options.clock.now())
    }

    fn journal(&self) -> Option<Arc<dyn Journal>> {
        Some(Arc::clone(&self.reader) as Arc<dyn Journal>)
    }

    fn operate(&self, action: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>> {
        Box::pin(async move {
            if let Some(error) = self.shared.gate.refusal() {
                return Err(error);
            }
            let (reply, answer) = oneshot::channel();
            let command = Command::new(action, Reply::Caller(reply));
            let put = |mail: &mut mailbox::Mail, command| mail.commands.push(command);
            if self.shared.mailbox.put(command, put).is_err() {
                return Err(QueueError::Closed);
            }
            answer.await.unwrap_or(Err(QueueError::Closed))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.shared.gate.refuse(Some(Refusal::Closed));
            self.shared.mailbox.close();
            let mut ended = self.shared.ended.subscribe();
            // The sender lives as long as `self`.
            let _ = ended.wait_for(|ended| *ended).await;
        })
    }
}

fn cause(error: &QueueError) -> &'static str {
    match error {
        QueueError::Full { .. } => "full",
        QueueError::TooLarge { .. } => "too_large",
        QueueError::Closed => "closed",
        QueueError::Failing { .. } | QueueError::Damaged { .. } => "failing",
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.gate.refuse(Some(Refusal::Closed));
        self.shared.mailbox.close();
        let thread = self.thread.get_mut().map(Option::take);
        if let Ok(Some(thread)) = thread {
            // A panic of the writer was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
