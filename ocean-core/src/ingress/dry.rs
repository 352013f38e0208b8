//! A request without a server, for `simulate`: the same checks, nothing accepted.

use std::{fmt, sync::atomic::AtomicUsize};

use bytes::Bytes;

use super::{
    Limits,
    intake::{Arrival, Intake},
    reader::Buffered,
    refusal::Refusal,
};
use crate::{
    clock::Clock,
    event::{Headers, WebhookEvent},
    source::{CheckedSource, Unverified},
};

/// What the source's verification says of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sender proved itself.
    Verified,
    /// The source has no secret and takes events from anyone.
    Unverified,
    /// The sender is not believed: the door would answer 401.
    Refused(Unverified),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::Unverified => f.write_str("not verified: the source has no secret"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

/// What the door would make of a POST with these headers and body. The events are returned whatever
/// the verdict, so that one can see what they would do; there are none for a challenge.
///
/// # Errors
/// The body is not one that the source takes.
pub async fn receive(
    source: &CheckedSource,
    headers: Headers,
    body: Bytes,
    clock: Clock,
) -> Result<(Verdict, Vec<WebhookEvent>), Refusal> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let arrival = Arrival {
        headers: &headers,
        query: "",
        body,
        received_at: clock.now(),
    };
    let verdict = match arrival.verify(source).await {
        Ok(()) if source.is_verified() => Verdict::Verified,
        Ok(()) => Verdict::Unverified,
        Err(reason) => Verdict::Refused(reason),
    };
    let limits = Limits::default();
    let total = AtomicUsize::new(0);
    let mut memory = Buffered::new(&total, limits.max_buffered_bytes);
    let events = match Intake::of(arrival, source, &limits, &mut memory)? {
        Intake::Event(event) => vec![event],
        Intake::Batch(events) => events,
        Intake::Challenge(_) => Vec::new(),
    };
    Ok((verdict, events))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::{Source, SourceSettings, Verification, check_sources};

    #[tokio::test]
    async fn events_are_shown_whatever_the_verdict() {
        let config = json!({"token": "t"});
        let settings = SourceSettings {
            config: config.as_object().expect("an object"),
            allow_unverified: true,
        };
        let sources = vec![
            Source::new("/a").verify(Verification::bearer().secret("token")),
            Source::new("/b").unverified("it is a test"),
        ];
        let sources = check_sources(sources, &settings).unwrap();
        for (source, token, verdict) in [
            (&sources[0], "Bearer t", "verified"),
            (
                &sources[0],
                "Bearer x",
                "refused: `authorization` does not match",
            ),
            (&sources[1], "", "not verified: the source has no secret"),
        ] {
            let headers = Headers::new([("authorization", token)]);
            let received = receive(source, headers, "{}".into(), Clock::system()).await;
            let (said, events) = received.unwrap();
            assert_eq!((said.to_string().as_str(), events.len()), (verdict, 1));
            assert_eq!(events[0].headers().get("authorization"), None);
        }
        let received = receive(&sources[1], Headers::default(), "x".into(), Clock::system()).await;
        assert!(matches!(received, Err(Refusal::Json(_))));
    }
}
