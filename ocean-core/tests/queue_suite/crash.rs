//! Crashes: a child process accepts events under load and is killed; what it acknowledged must be
//! there.
//!
//! The child is this test binary, started again with [`CHILD`] set. `OCEAN_CRASH_ROUNDS` asks for
//! more rounds than the suite runs.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ocean_core::{
    EventId, EventParts,
    queue::{
        Change, EventState, Queue, QueueError, Receipt, Story,
        embedded::{OpenError, Reader},
    },
};

use crate::support::{new, open, options, parts};

const CHILD: &str = "OCEAN_QUEUE_CRASH_FOLDER";
const FAILPOINT: &str = "OCEAN_QUEUE_CRASH_FAILPOINT";
const PRODUCERS: u64 = 8;

/// Not a test of its own: the process that is killed. Prints `id delivery` for each receipt.
#[test]
fn child() {
    let Ok(folder) = env::var(CHILD) else {
        return;
    };
    #[cfg(feature = "failpoints")]
    if let Ok(point) = env::var(FAILPOINT) {
        ocean_core::failpoint::arm(&point, 20);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(accept_until_killed(Path::new(&folder)));
}

async fn accept_until_killed(folder: &Path) {
    let (queue, mut feed) = open(options(folder));
    let queue = Arc::new(queue);
    let next = Arc::new(AtomicU64::new(u64::from(std::process::id()) << 32));
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let (queue, next) = (Arc::clone(&queue), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let delivery = next.fetch_add(1, Ordering::Relaxed).to_string();
                let event = new(numbered(&delivery), producer);
                match queue.accept(vec![event]).await {
                    Ok(receipts) => {
                        let [Receipt::Stored(id)] = receipts[..] else {
                            panic!("{receipts:?}");
                        };
                        report(&format!("{id} {delivery}"));
                    }
                    Err(error) => {
                        report(&format!("refused {error}"));
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
    }
    // Every second event is finished, every tenth given up, in the commits of the others.
    while let Some(pending) = feed.recv().await {
        match pending.id.get() % 10 {
            0 => {
                let reason = "given up".to_owned();
                queue.record(
                    pending.id,
                    Change::Dead {
                        reason,
                        story: Story::default(),
                    },
                );
            }
            n if n % 2 == 0 => queue.record(pending.id, Change::Done(Story::default())),
            _ => {}
        }
    }
}

fn numbered(delivery: &str) -> EventParts {
    EventParts {
        body: format!("\"{delivery}{}\"", ".".repeat(3000)).into(),
        ..parts(delivery)
    }
}

fn report(line: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{line}").expect("the parent listens");
}

// === The parent ===

struct Victim(Child);

impl Victim {
    fn start(folder: &Path, failpoint: Option<&str>, wrap: Option<&str>) -> Self {
        let binary = env::current_exe().unwrap();
        let mut command = match wrap {
            None => Command::new(&binary),
            Some(script) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", script]).arg(&binary);
                shell
            }
        };
        command
            .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(failpoint) = failpoint {
            command.env(FAILPOINT, failpoint);
        }
        Self(command.spawn().unwrap())
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let pipe = self.0.stderr.take().unwrap();
        // A line cut by the kill is the last one, and no receipt was seen whole.
        BufReader::new(pipe).lines().map_while(Result::ok)
    }

    /// SIGKILL, and the end of its lock on the folder.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Already gone unless an assertion failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A receipt as the child printed it.
fn receipt(line: &str) -> Option<(EventId, String)> {
    let (id, delivery) = line.split_once(' ')?;
    (delivery.len() > 10).then_some(())?;
    Some((id.parse().ok()?, delivery.to_owned()))
}

/// Everything acknowledged is there, whole.
async fn check(folder: &Path, acknowledged: &BTreeMap<EventId, String>) {
    let (queue, mut feed) = open(options(folder));
    let journal = queue.journal().unwrap();
    let mut pending = Vec::new();
    for (id, delivery) in acknowledged {
        let (summary, stored) = (journal.show(&id.to_string()).unwrap())
            .unwrap_or_else(|| panic!("{id}, acknowledged as {delivery}, is lost"));
        assert_eq!(summary.delivery.as_deref(), Some(&**delivery));
        assert_eq!(stored.event.body(), &numbered(delivery).body);
        if summary.state == EventState::Pending {
            pending.push(*id);
        }
    }
    // And those that wait are handed out again, in order.
    let mut handed_out = Vec::new();
    let count = usize::try_from(queue.pressure().pending).unwrap();
    while handed_out.len() < count {
        handed_out.push(feed.recv().await.unwrap().id);
    }
    assert!(handed_out.is_sorted());
    pending.retain(|id| handed_out.binary_search(id).is_err());
    assert_eq!(pending, [], "they wait and were not handed out");
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_to_sigkill() {
    let rounds = env::var("OCEAN_CRASH_ROUNDS").map_or(15, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut total = 0;
    for _ in 0..rounds {
        let mut victim = Victim::start(folder.path(), None, None);
        let lines = victim.lines();
        let kill_after = fastrand::usize(1..400);
        for line in lines {
            if let Some((id, delivery)) = receipt(&line) {
                assert_eq!(
                    acknowledged.insert(id, delivery),
                    None,
                    "{id} was given twice"
                );
                total += 1;
            }
            if acknowledged.len() >= kill_after {
                victim.kill();
            }
        }
        assert!(acknowledged.len() >= kill_after, "the child died by itself");
        check(folder.path(), &acknowledged).await;
        // The store goes on; what was checked need not be checked again.
        acknowledged.clear();
    }
    println!("{rounds} kills, {total} acknowledged events, none lost");
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn no_acknowledged_event_is_lost_at_any_failpoint() {
    for point in [
        "queue.before_commit",
        "queue.after_commit",
        "queue.after_ack",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut victim = Victim::start(folder.path(), Some(point), None);
        let acknowledged: BTreeMap<_, _> = victim.lines().filter_map(|l| receipt(&l)).collect();
        let status = victim.0.wait().unwrap();
        assert!(!status.success(), "{point} was not passed");
        assert!(!acknowledged.is_empty(), "{point}");
        check(folder.path(), &acknowledged).await;
    }
}

#[tokio::test]
async fn torn_and_garbled_ends_of_the_log_lose_nothing_but_their_own_events() {
    type Harm = fn(&Path, u64);
    let cut: Harm = |log, bytes| {
        let file = OpenOptions::new().write(true).open(log).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(bytes)).unwrap();
    };
    let garble: Harm = |log, bytes| {
        let mut file = OpenOptions::new().write(true).open(log).unwrap();
        let length = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))
            .unwrap();
        file.write_all(&vec![0xa5; usize::try_from(bytes.min(length)).unwrap()])
            .unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(folder.path(), None, None);
    let mut acknowledged = BTreeMap::new();
    for line in victim.lines() {
        acknowledged.extend(receipt(&line));
        if acknowledged.len() >= 1500 {
            victim.kill();
        }
    }
    for (harm, bytes) in [
        (cut, 1),
        (cut, 5000),
        (garble, 64),
        (garble, 100_000),
        (cut, 1 << 40),
    ] {
        let copy = tempfile::tempdir().unwrap();
        for name in ["queue.db", "queue.db-wal"] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        harm(&copy.path().join("queue.db-wal"), bytes);
        let telemetry = ocean_core::telemetry::Telemetry::default().into();
        let opened = ocean_core::queue::embedded::open(options(copy.path()), telemetry);
        let (queue, _feed) = match opened {
            Ok(opened) => opened,
            // Without the log the file may not make sense; then it says so.
            Err(OpenError::Corrupt { .. }) => continue,
            Err(error) => panic!("{error}"),
        };
        let mut whole = Vec::new();
        for (id, delivery) in &acknowledged {
            match queue.load(*id).await {
                Ok(Some(stored)) => {
                    assert_eq!(stored.event.body(), &numbered(delivery).body);
                    whole.push(true);
                }
                Ok(None) | Err(QueueError::Damaged { .. }) => whole.push(false),
                Err(error) => panic!("{error}"),
            }
        }
        if bytes <= 5000 {
            let lost = whole.iter().filter(|whole| !**whole).count();
            assert!(lost <= 64, "{lost} events are gone with {bytes} bytes");
        }
        let fresh = queue
            .accept(vec![new(numbered("after the damage"), 1)])
            .await
            .unwrap();
        assert!(matches!(fresh[..], [Receipt::Stored(_)]), "it goes on");
    }
}

/// A disk that refuses writes, by a limit on the size of files which is lifted while the child
/// runs.
#[tokio::test]
async fn a_disk_that_refuses_writes_and_then_takes_them_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // 4 MiB in blocks of 512 bytes; the soft limit only, so that it can be lifted.
    let script = "trap '' XFSZ; ulimit -S -f 8192; exec \"$0\" \"$@\"";
    let mut victim = Victim::start(folder.path(), None, Some(script));
    let pid = victim.0.id().to_string();
    let mut acknowledged = BTreeMap::new();
    let mut refusals = 0;
    let mut since_lifted = None;
    for line in victim.lines() {
        match receipt(&line) {
            Some((id, delivery)) => {
                acknowledged.insert(id, delivery);
                if let Some(count) = &mut since_lifted {
                    *count += 1;
                }
            }
            None if line.starts_with("refused") => refusals += 1,
            None => {}
        }
        if refusals == 3 && since_lifted.is_none() {
            let lifted = Command::new("prlimit")
                .args(["--fsize=unlimited", "--pid", &pid])
                .status()
                .unwrap();
            assert!(lifted.success());
            since_lifted = Some(0);
        }
        if since_lifted >= Some(200) {
            victim.kill();
        }
    }
    assert!(since_lifted >= Some(200), "it recovered by itself");
    check(folder.path(), &acknowledged).await;
    assert!(Reader::open(folder.path()).is_ok());
}
