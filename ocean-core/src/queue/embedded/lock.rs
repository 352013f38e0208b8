//! One process a data folder: an advisory lock on `queue.lock`, which the kernel releases when the
//! process ends in any way.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use super::OpenError;

const FILE: &str = "queue.lock";

/// The lock; released when dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder if there is none, and locks it.
    pub(super) fn acquire(folder: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Folder {
            folder: folder.into(),
            source,
        };
        fs::create_dir_all(folder).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(FILE))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The name of the process helps; that it cannot be read does not matter.
                let _ = file.read_to_string(&mut pid);
                return Err(OpenError::InUse {
                    folder: folder.into(),
                    pid: pid.trim().parse().ok(),
                });
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        // A full disk must not keep the server from starting: the lock holds without the pid.
        if let Err(error) = written {
            tracing::debug!(%error, "The process id cannot be written to the lock file.");
        }
        Ok(Self { _file: file })
    }
}
