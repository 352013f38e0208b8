//! Free disk space: new events are refused while the reserve is needed for what was accepted.

use std::{fmt, io, path::PathBuf};

/// The reserve on disks that are large enough.
const LARGEST_RESERVE: u64 = 256 << 20;

/// Watches the free space of the data folder's disk.
pub(super) struct Space {
    probe: Box<dyn Fn() -> io::Result<Room> + Send>,
    reserve: Option<u64>,
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug)]
struct Room {
    free: u64,
    total: u64,
}

impl Space {
    /// Watches the disk of `folder`; the reserve is the smaller of 256 MiB and 5 % of the disk
    /// unless given.
    pub(super) fn new(folder: PathBuf, reserve: Option<u64>) -> Self {
        let probe = move || {
            let stat = rustix::fs::statvfs(&folder)?;
            Ok(Room {
                free: stat.f_bavail.saturating_mul(stat.f_frsize),
                total: stat.f_blocks.saturating_mul(stat.f_frsize),
            })
        };
        Self::with_probe(Box::new(probe), reserve)
    }

    fn with_probe(probe: Box<dyn Fn() -> io::Result<Room> + Send>, reserve: Option<u64>) -> Self {
        Self { probe, reserve }
    }

    /// What new events may still take up, or why they may take up nothing. A disk that does not say
    /// how much is free is found full when a write fails.
    pub(super) fn room(&self) -> Result<u64, String> {
        let Ok(room) = (self.probe)() else {
            return Ok(u64::MAX);
        };
        let reserve = self.reserve.unwrap_or(LARGEST_RESERVE.min(room.total / 20));
        room.free.checked_sub(reserve).ok_or_else(|| {
            format!(
                "{} MiB are free on the disk and {} MiB are reserved for what was accepted",
                room.free >> 20,
                reserve >> 20
            )
        })
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space")
            .field("reserve", &self.reserve)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(free: u64, total: u64, reserve: Option<u64>, short: bool) {
        let space = Space::with_probe(Box::new(move || Ok(Room { free, total })), reserve);
        assert_eq!(space.room().is_err(), short, "{free} of {total}");
    }

    #[test]
    fn the_reserve_fits_the_disk() {
        const GIB: u64 = 1 << 30;
        check(257 << 20, 100 * GIB, None, false);
        check(255 << 20, 100 * GIB, None, true);
        check(60 << 20, GIB, None, false);
        check(50 << 20, GIB, None, true);
        check(50 << 20, GIB, Some(0), false);
        check(GIB, 2 * GIB, Some(GIB + 1), true);
    }

    #[test]
    fn a_disk_that_does_not_tell_is_not_full() {
        let space = Space::with_probe(Box::new(|| Err(io::ErrorKind::Unsupported.into())), None);
        assert_eq!(space.room(), Ok(u64::MAX));
    }
}
