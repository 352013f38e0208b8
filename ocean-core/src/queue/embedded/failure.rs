//! What SQLite's errors mean to us.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use super::OpenError;

/// How the store recovers from a failed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The disk or the size limit is full: try again with the same connection.
    Room,
    /// Someone else holds the file: try again.
    Patience,
    /// Nothing the connection remembers can be trusted any more: open it anew.
    Reopen,
}

pub(super) fn remedy(error: &Error) -> Remedy {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Remedy::Room,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Remedy::Patience,
        _ => Remedy::Reopen,
    }
}

pub(super) fn is_corrupt(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// The error in words, with what helps where something does.
pub(super) fn describe(error: &Error) -> String {
    if is_corrupt(error) {
        return format!("{error}; stop the server and run its `salvage` command");
    }
    error.to_string()
}

pub(super) fn open_error(file: &Path, error: &Error) -> OpenError {
    if is_corrupt(error) {
        return OpenError::Corrupt {
            file: file.into(),
            reason: error.to_string(),
        };
    }
    OpenError::Store {
        file: file.into(),
        reason: error.to_string(),
    }
}
