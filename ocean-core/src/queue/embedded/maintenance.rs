//! Small writes of the store for its own sake.

use rusqlite::Connection;

use super::schema;

/// Free pages that stay for reuse, 16 MiB: giving back what is needed again at once helps nobody.
const SPARE_PAGES: i64 = (16 << 20) / schema::PAGE_BYTES.cast_signed();
/// Pages given back in one transaction, 1 MiB: a writer waits for it a few milliseconds.
const SLICE_PAGES: i64 = (1 << 20) / schema::PAGE_BYTES.cast_signed();
/// An id that no event has; for room that is written to see whether there is some.
const PROBE: i64 = -1;
/// What a usual group of events takes.
const PROBE_BYTES: i64 = 256 << 10;

/// Sees whether a group of events could be written, by writing as much and deleting it.
pub(super) fn probe(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = schema::immediate(connection)?;
    transaction.execute(
        "INSERT OR REPLACE INTO body (id, headers, query, payload) VALUES (?1, '', '', zeroblob(?2))",
        [PROBE, PROBE_BYTES],
    )?;
    transaction.commit()?;
    connection.execute("DELETE FROM body WHERE id = ?1", [PROBE])?;
    Ok(())
}

/// What new events may still take up in a file of at most `bound` bytes, or why nothing: the last
/// tenth is for what happens to events that were accepted.
pub(super) fn room(connection: &Connection, bound: u64) -> Result<u64, String> {
    let pages = |name| schema::pragma::<i64>(connection, name).unwrap_or(0);
    let used = pages("page_count") - pages("freelist_count");
    let page_bytes = schema::page_bytes(connection).unwrap_or(schema::PAGE_BYTES);
    let used = used.cast_unsigned() * page_bytes;
    (bound / 10 * 9).checked_sub(used).ok_or_else(|| {
        let (used, bound) = (used >> 20, bound >> 20);
        format!("the store takes up {used} of the {bound} MiB allowed")
    })
}

/// Gives some free pages back to the file system; whether there may be more.
pub(super) fn give_back_pages(connection: &Connection) -> rusqlite::Result<bool> {
    let free: i64 = schema::pragma(connection, "freelist_count")?;
    let slice = (free - SPARE_PAGES).min(SLICE_PAGES);
    if slice <= 0 {
        return Ok(false);
    }
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({slice})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}

/// How long the log is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    /// Bytes since it began anew.
    pub(super) length: u64,
    /// Those of them that are not in the file yet.
    pub(super) left: u64,
}

/// How long the log is; asks only, and waits for nobody.
pub(super) fn log(connection: &Connection) -> rusqlite::Result<Log> {
    let mut ask = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    let (pages, carried) = ask.query_row([], |row| {
        Ok((row.get::<_, i64>(1)?.max(0), row.get::<_, i64>(2)?.max(0)))
    })?;
    let bytes = |pages: i64| pages.cast_unsigned() * schema::PAGE_BYTES;
    Ok(Log {
        length: bytes(pages),
        left: bytes(pages.saturating_sub(carried)),
    })
}

/// Carries over what it can from the log to the file, waiting for nobody; whether that was all. A
/// reader in the midst of the log, or another connection that does the same, is why it may not be.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let is_busy: bool = row.get(0)?;
        Ok(!is_busy && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })
}
