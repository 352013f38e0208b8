//! Damage that SQLite would paper over: a file that lost its end is filled up with zeros when the
//! log is carried over, and its events are gone without a word. So the length is checked before
//! SQLite opens the file.
//!
//! Layout of both files: <https://www.sqlite.org/fileformat2.html>.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::schema;

/// Where SQLite never writes, because locks are taken on it.
const LOCK_AT: u64 = 1 << 30;
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// What is wrong if the file is shorter than it says and the log cannot make up for it.
pub(super) fn missing_end(file: &Path) -> Option<String> {
    let mut database = File::open(file).ok()?;
    let found = database.metadata().ok()?.len();
    let mut header = [0; 100];
    database.read_exact(&mut header).ok()?;
    let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| header[at + i]));
    // The page count counts only if it was written by whoever wrote last.
    if !header.starts_with(b"SQLite format 3\0") || number(24) != number(92) {
        return None;
    }
    let page_bytes = schema::page_bytes_in(&header)?;
    let pages = u64::from(number(28));
    let expected = pages * page_bytes;
    if found >= expected {
        return None;
    }
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    // A process that died while it carried the log over leaves such a file: the log has the rest.
    let logged = logged_pages(Path::new(&log), page_bytes).unwrap_or_default();
    let whole = found / page_bytes;
    let lock_page = LOCK_AT / page_bytes + 1;
    (whole + 1..=pages)
        .any(|page| page != lock_page && !logged.contains(&page))
        .then(|| format!("it has {found} of {expected} bytes"))
}

fn logged_pages(log: &Path, page_bytes: u64) -> io::Result<HashSet<u64>> {
    let mut log = File::open(log)?;
    let length = log.metadata()?.len();
    let mut pages = HashSet::new();
    let mut at = LOG_HEADER;
    while at + FRAME_HEADER + page_bytes <= length {
        log.seek(SeekFrom::Start(at))?;
        let mut page = [0; 4];
        log.read_exact(&mut page)?;
        pages.insert(u64::from(u32::from_be_bytes(page)));
        at += FRAME_HEADER + page_bytes;
    }
    Ok(pages)
}
