//! Salvage: saves what can be read of a damaged store into a new one.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension as _, params, types::Value};

use super::{OpenError, codec, failure, lock::FolderLock, schema};

/// What [`salvage`] saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Events with row and body.
    pub whole: u64,
    /// Events that lost their row or their body; pending ones among them are dead letters now.
    pub partial: u64,
}

/// Saves what can be read of the store in folder `from` into a new store in folder `to`. `from` is
/// only read, and no server may be using it.
///
/// Pending events stay pending. An event without a body, or a body without its row, becomes a dead
/// letter with that reason.
///
/// # Errors
/// `from` has no store or is in use; `to` already has one, or cannot be written.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
    let source_file = from.join(schema::FILE);
    if !source_file.exists() {
        return Err(OpenError::Missing { file: source_file });
    }
    let _source_lock = FolderLock::acquire(from)?;
    let _target_lock = FolderLock::acquire(to)?;
    let target_file = to.join(schema::FILE);
    let unusable = |source| OpenError::Folder {
        folder: to.into(),
        source,
    };
    if target_file.exists() {
        return Err(unusable(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "it has an event store already",
        )));
    }
    let copy = Copy::make(&source_file, to).map_err(unusable)?;
    let wrap = |error: rusqlite::Error| failure::open_error(&target_file, &error);
    let mut target = schema::open_writer(&target_file, None)?;
    let source = Connection::open(&copy.file).map_err(wrap)?;
    // A store that cannot tell whose it is belongs to whoever opens it next.
    if let Some(rows) = meta(&source) {
        for row in rows {
            insert(&target, "meta", &row).map_err(wrap)?;
        }
    }
    let ids = readable_ids(&source);
    let mut salvaged = Salvaged::default();
    let ids: Vec<i64> = ids.into_iter().collect();
    for ids in ids.chunks(1024) {
        let transaction = schema::immediate(&mut target).map_err(wrap)?;
        for &id in ids {
            match save(&source, &transaction, id).map_err(wrap)? {
                true => salvaged.whole += 1,
                false => salvaged.partial += 1,
            }
        }
        transaction.commit().map_err(wrap)?;
    }
    Ok(salvaged)
}

// === The damaged file ===

/// A copy to work on: even opening a database may change it.
struct Copy {
    file: PathBuf,
}

impl Copy {
    fn make(source: &Path, folder: &Path) -> io::Result<Self> {
        let copy = Self {
            file: folder.join("salvage.db"),
        };
        fs::copy(source, &copy.file)?;
        let log = with_suffix(source, "-wal");
        if log.exists() {
            fs::copy(log, with_suffix(&copy.file, "-wal"))?;
        }
        copy.mend_header()?;
        Ok(copy)
    }

    /// Writes the first 100 bytes anew where they are damaged: we know what stands there, and
    /// without them SQLite reads nothing.
    /// See <https://www.sqlite.org/fileformat2.html#the_database_header>.
    fn mend_header(&self) -> io::Result<()> {
        use std::io::{Read as _, Seek as _, Write as _};
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.file)?;
        let mut header = [0; 100];
        file.read_exact(&mut header)?;
        let page_bytes = schema::page_bytes_in(&header).unwrap_or(schema::PAGE_BYTES);
        let pages = u32::try_from(file.metadata()?.len() / page_bytes).unwrap_or(u32::MAX);
        let mut number = |at: usize, value: u32| {
            header[at..at + 4].copy_from_slice(&value.to_be_bytes());
        };
        // Page count and free list: what is claimed wrongly here would hide readable pages.
        number(28, pages);
        number(32, 0);
        number(36, 0);
        number(44, 4); // schema format
        number(52, 4); // largest root page; not 0 where the file has pointer map pages
        number(56, 1); // UTF-8
        number(60, 1); // user_version
        number(64, 1); // incremental vacuum
        number(68, schema::APPLICATION_ID.cast_unsigned());
        header[..16].copy_from_slice(b"SQLite format 3\0");
        let page_size = u16::try_from(page_bytes).unwrap_or(1); // 1 means 65536
        header[16..18].copy_from_slice(&page_size.to_be_bytes());
        header[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
        let change_counter: [u8; 4] = header[24..28].try_into().expect("four bytes");
        header[92..96].copy_from_slice(&change_counter);
        file.rewind()?;
        file.write_all(&header)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            // What cannot be removed is named like what it is.
            let _ = fs::remove_file(with_suffix(&self.file, suffix));
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The ids of all rows that can be reached, from either end and across damaged pages.
fn readable_ids(connection: &Connection) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for table in ["event", "body"] {
        collect_ids(connection, table, &mut ids);
    }
    ids
}

fn collect_ids(connection: &Connection, table: &str, ids: &mut BTreeSet<i64>) {
    let up = format!("SELECT id FROM {table} WHERE id > ?1 ORDER BY id");
    let down = format!("SELECT id FROM {table} WHERE id > ?1 ORDER BY id DESC");
    let mut low = 0;
    if walk(connection, &up, low, |id| {
        low = id;
        ids.insert(id);
    }) {
        return;
    }
    let mut high = i64::MAX;
    walk(connection, &down, low, |id| {
        high = id;
        ids.insert(id);
    });
    // What lies between two damaged places is found by jumps that grow until one lands behind the
    // damage.
    let mut jump = 1;
    while let Some(start) = low.checked_add(jump)
        && start < high
    {
        let before = low;
        let through = walk(connection, &up, start, |id| {
            low = id;
            ids.insert(id);
        });
        if through {
            return;
        }
        jump = if low > before {
            1
        } else {
            jump.saturating_mul(2)
        };
    }
}

/// Hands the ids that `sql` yields to `found`; whether it came to the end.
fn walk(connection: &Connection, sql: &str, from: i64, mut found: impl FnMut(i64)) -> bool {
    let scan = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([from])?;
        while let Some(row) = rows.next()? {
            found(row.get(0)?);
        }
        Ok(())
    };
    let mut scan = scan;
    scan().is_ok()
}

/// Saves one event; whether it is whole.
fn save(source: &Connection, target: &Connection, id: i64) -> rusqlite::Result<bool> {
    let event = read(source, "event", 10, id);
    let body = read(source, "body", 4, id);
    let fate = read(source, "fate", 7, id);
    let Some(mut event) = event.or_else(|| body.as_ref().map(|_| unknown_event(id))) else {
        return Ok(false);
    };
    let lost_row = event[2] == Value::Text(UNKNOWN_PATH.into());
    let lost_body = body.is_none() && event[8] == Value::Integer(1);
    if lost_body {
        event[8] = Value::Integer(0);
    }
    let pending = event[6] == Value::Integer(codec::PENDING.into());
    let dies = lost_row || (lost_body && pending);
    if dies {
        event[6] = Value::Integer(codec::DEAD.into());
    }
    insert(target, "event", &event)?;
    if let Some(body) = body {
        insert(target, "body", &body)?;
    }
    if let Some(fate) = fate {
        insert(target, "fate", &fate)?;
    }
    if dies {
        let reason = if lost_row {
            "its row was lost with a damaged store; the body was salvaged"
        } else {
            "its body was lost with a damaged store"
        };
        target.execute(
            "INSERT INTO fate (id, finished_at, attempts, restarts, reason) VALUES (?1, ?1, 0, 0, ?2)
             ON CONFLICT (id) DO UPDATE SET reason = ?2, next_at = NULL",
            params![id, reason],
        )?;
    }
    Ok(!lost_row && !lost_body)
}

const UNKNOWN_PATH: &str = "unknown";

/// The row of an event of which only the body is left, as the columns of `event`.
fn unknown_event(id: i64) -> Vec<Value> {
    vec![
        Value::Integer(id),
        Value::Integer(id),
        Value::Text(UNKNOWN_PATH.into()),
        Value::Null,
        Value::Null,
        Value::Blob(Vec::new()),
        Value::Integer(codec::DEAD.into()),
        Value::Integer(0),
        Value::Integer(1),
        Value::Null,
    ]
}

/// The row's values if they can be read and have the number of columns that we write.
fn read(source: &Connection, table: &str, columns: usize, id: i64) -> Option<Vec<Value>> {
    let sql = format!("SELECT * FROM {table} WHERE id = ?1");
    let mut statement = source.prepare_cached(&sql).ok()?;
    let row = statement.query_row([id], |row| (0..columns).map(|i| row.get(i)).collect());
    row.optional().ok().flatten()
}

fn meta(source: &Connection) -> Option<Vec<[Value; 2]>> {
    let mut statement = source.prepare("SELECT key, value FROM meta").ok()?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?]));
    rows.ok()?.collect::<rusqlite::Result<_>>().ok()
}

fn insert(target: &Connection, table: &str, values: &[Value]) -> rusqlite::Result<()> {
    let places: Vec<String> = (1..=values.len()).map(|i| format!("?{i}")).collect();
    target
        .prepare_cached(&format!(
            "INSERT INTO {table} VALUES ({})",
            places.join(", ")
        ))?
        .execute(rusqlite::params_from_iter(values))?;
    Ok(())
}
