//! Sources and requests for the tests of the door.

use std::io::Write as _;

use expect_test::Expect;
use flate2::{Compression, write::GzEncoder};
use ocean_core::source::{Locator, Source};

use crate::door_support::Door;

pub(crate) const URI: &str = "/integration/webhook";

pub(crate) fn open_source() -> Source {
    Source::new("/webhook")
        .event_name(Locator::pointer("/event"))
        .delivery(Locator::header("x-delivery"))
        .unverified("it is a test")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
pub(crate) fn refused(door: &Door, headers: &str, body: impl AsRef<[u8]>, expected: Expect) {
    let before = door.queue.events().len();
    let answer = door.post(URI, headers, body);
    expected.assert_eq(&answer.line());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(door.queue.events().len(), before, "nothing was accepted");
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
