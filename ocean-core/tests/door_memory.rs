//! What hostile bodies may cost: a text of 25 MiB can hold twelve million values, and each is larger
//! parsed than written.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod door_support;

use std::{fs, io::Write as _, thread, time::Duration};

use door_support::{Client, Door, JSON, post};
use ocean_core::source::Source;

const URI: &str = "/integration/webhook";
const MIB: usize = 1024 * 1024;

/// The most memory this process ever held, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// An object of `bytes` with an array of as many `element`s as fit.
fn body(element: &str, bytes: usize) -> Vec<u8> {
    let mut body = br#"{"a":["#.to_vec();
    body.extend(element.as_bytes().iter().cycle().take(bytes - 16));
    while body.last() != Some(&b',') {
        body.pop();
    }
    body.extend(b"0]}");
    body
}

// The only test of this binary: the peak is that of the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hostile_bodies_at_once_stay_within_the_budget() {
    let source = Source::new("/webhook").unverified("it is a test");
    let door = Door::open(vec![source]);
    let largest = 25 * MIB;
    // Refused by the number of their values, and just below that number.
    for (senders, element, expected) in [(2, "0,", 413), (10, "100000000,", 200)] {
        let request = post(URI, JSON, body(element, largest));
        let statuses: Vec<_> = thread::scope(|scope| {
            let senders: Vec<_> = (0..senders)
                .map(|_| {
                    scope.spawn(|| {
                        let mut client = Client::connect(door.address);
                        // Ten bodies take an unoptimized build a while.
                        let patience = Some(Duration::from_secs(60));
                        client.stream.set_read_timeout(patience).unwrap();
                        // A refusal may come before the last byte is sent.
                        let _ = client.stream.write_all(&request);
                        client.try_read().map(|answer| answer.status)
                    })
                })
                .collect();
            senders.into_iter().map(|one| one.join().unwrap()).collect()
        });
        // Some come when the budget is used up; their sender hears so, or finds the connection closed.
        let rest: Vec<_> = statuses
            .iter()
            .filter(|status| !matches!(status, None | Some(429)))
            .collect();
        assert!(!rest.is_empty(), "{element} {statuses:?}");
        assert!(
            rest.iter().all(|status| **status == Some(expected)),
            "{element} {statuses:?}"
        );
    }
    let peak = peak();
    assert!(peak < 1024 * MIB, "{} MiB", peak / MIB);
}
