//! The file format: tables, version, migrations, and how connections are set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{OpenError, damage, failure};

/// The store's file in the data folder.
pub const FILE: &str = "queue.db";
/// `OCEQ`: tells the file from other SQLite databases.
pub(super) const APPLICATION_ID: i32 = 0x4f43_4551;
/// Pages of 16 KiB: bodies of some kilobytes stand in them whole, where smaller pages chain them
/// over several, each with two writes to the log and two more when it is carried over.
pub(super) const PAGE_BYTES: u64 = 16_384;
/// The length of the log beyond which it is to begin anew, and to which its file is cut then.
pub(super) const LONGEST_LOG: u64 = 32 << 20;
/// How long a connection waits for another one's write, such as an operator's command.
const BUSY: Duration = Duration::from_secs(5);

/// One step from each version to the next; the version of a file is the number of steps taken.
const MIGRATIONS: &[&str] = &[V1, V2, V3];

const V1: &str = "
CREATE TABLE event(
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  path TEXT NOT NULL,
  name TEXT,
  delivery TEXT,
  lanes BLOB NOT NULL,
  state INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  kept INTEGER NOT NULL,
  replay_of INTEGER
) STRICT;
CREATE TABLE body(
  id INTEGER PRIMARY KEY,
  headers TEXT NOT NULL,
  query TEXT NOT NULL,
  payload ANY NOT NULL
) STRICT;
CREATE TABLE fate(
  id INTEGER PRIMARY KEY,
  finished_at INTEGER,
  next_at INTEGER,
  attempts INTEGER NOT NULL,
  restarts INTEGER NOT NULL,
  reason TEXT,
  story TEXT
) STRICT;
CREATE TABLE command(
  id INTEGER PRIMARY KEY,
  created_at INTEGER NOT NULL,
  action TEXT NOT NULL,
  result TEXT
) STRICT;
CREATE INDEX event_dead ON event(state) WHERE state = 2;
CREATE VIEW events AS
SELECT e.id,
  CASE e.state WHEN 0 THEN 'pending' WHEN 1 THEN 'done' WHEN 2 THEN 'dead'
    WHEN 3 THEN 'ignored' WHEN 4 THEN 'superseded' ELSE 'discarded' END AS state,
  e.path, e.name, e.delivery,
  strftime('%Y-%m-%dT%H:%M:%fZ', e.received_at / 1000000.0, 'unixepoch') AS received,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.finished_at / 1000000.0, 'unixepoch') AS finished,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.next_at / 1000000.0, 'unixepoch') AS next_attempt,
  coalesce(f.attempts, 0) AS attempts, f.reason, e.replay_of, f.story,
  b.headers, b.query, b.payload
FROM event e LEFT JOIN fate f ON f.id = e.id LEFT JOIN body b ON b.id = e.id;
";

// The index holds replays only, so it costs a sender's event nothing.
const V2: &str = "
CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
CREATE INDEX event_replay ON event(replay_of) WHERE replay_of IS NOT NULL;
";

// Names the state `refused`.
const V3: &str = "
DROP VIEW events;
CREATE VIEW events AS
SELECT e.id,
  CASE e.state WHEN 0 THEN 'pending' WHEN 1 THEN 'done' WHEN 2 THEN 'dead' WHEN 3 THEN 'ignored'
    WHEN 4 THEN 'superseded' WHEN 5 THEN 'discarded' ELSE 'refused' END AS state,
  e.path, e.name, e.delivery,
  strftime('%Y-%m-%dT%H:%M:%fZ', e.received_at / 1000000.0, 'unixepoch') AS received,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.finished_at / 1000000.0, 'unixepoch') AS finished,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.next_at / 1000000.0, 'unixepoch') AS next_attempt,
  coalesce(f.attempts, 0) AS attempts, f.reason, e.replay_of, f.story,
  b.headers, b.query, b.payload
FROM event e LEFT JOIN fate f ON f.id = e.id LEFT JOIN body b ON b.id = e.id;
";

/// Opens the store for its one writer; makes or migrates it where needed.
pub(super) fn open_writer(
    file: &Path,
    max_file_bytes: Option<u64>,
) -> Result<Connection, OpenError> {
    let wrap = |error: rusqlite::Error| failure::open_error(file, &error);
    if let Some(reason) = damage::missing_end(file) {
        return Err(OpenError::Corrupt {
            file: file.into(),
            reason,
        });
    }
    let mut connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(wrap)?;
    connection.busy_timeout(BUSY).map_err(wrap)?;
    // The first read: also where a file that is no database at all is found out.
    let application: i32 = pragma(&connection, "application_id").map_err(wrap)?;
    let version: u32 = pragma(&connection, "user_version").map_err(wrap)?;
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(wrap)?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(OpenError::Foreign { file: file.into() });
    }
    if version as usize > MIGRATIONS.len() {
        return Err(OpenError::Newer {
            file: file.into(),
            found: version as usize,
            known: MIGRATIONS.len(),
        });
    }
    configure(&connection, max_file_bytes).map_err(wrap)?;
    migrate(&mut connection, version).map_err(wrap)?;
    Ok(connection)
}

fn configure(connection: &Connection, max_file_bytes: Option<u64>) -> rusqlite::Result<()> {
    // The first two take effect only in a file that has no table yet.
    // Never `mmap_size`: an I/O error would be a SIGBUS. Never exclusive locking: it would shut
    // operators out.
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = {LONGEST_LOG};
         PRAGMA temp_store = MEMORY;"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    if let Some(bytes) = max_file_bytes {
        let pages = (bytes / page_bytes(connection)?).max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, version: u32) -> rusqlite::Result<()> {
    for (to, sql) in (1u32..).zip(MIGRATIONS).skip(version as usize) {
        let transaction = immediate(connection)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Opens the store for reading beside the writer, in this process or another.
pub(super) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024;")?;
    Ok(connection)
}

/// Opens the store beside the writer: for an operator's command while a server owns it, or to carry
/// the log over. Such a connection does so only when it is told to.
pub(super) fn open_commander(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("PRAGMA synchronous = FULL;")?;
    without_checkpoints(&connection)?;
    Ok(connection)
}

/// Leaves carrying over the log to the caller. SQLite would do it within a commit, whose callers
/// then wait for it.
pub(super) fn without_checkpoints(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

/// The size of the file's pages, which a file keeps from its making.
pub(super) fn page_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(pragma::<u32>(connection, "page_size")?.into())
}

/// The size of the pages by the first bytes of a file; `None` if they are damaged.
pub(super) fn page_bytes_in(header: &[u8; 100]) -> Option<u64> {
    // See <https://www.sqlite.org/fileformat2.html#page_size>.
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => Some(65_536),
        size if size.is_power_of_two() && size >= 512 => Some(size.into()),
        _ => None,
    }
}

/// Begins a transaction that may write.
pub(super) fn immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// The value of a pragma.
pub(super) fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
