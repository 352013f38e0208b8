//! The feed: what is waiting, handed to dispatch in order of arrival.

use std::vec;

use tokio::sync::mpsc;

use super::Pending;

/// Everything that is waiting, in order of arrival: first what was found at start, then each
/// accepted event when its commit is durable. Ends when the queue closes.
///
/// What was found at start comes in chunks through a bounded channel: a backlog of a million events
/// is read as fast as dispatch takes it and never stands in memory as a whole. What is accepted
/// comes as it was committed, so that dispatch wakes up once for a group.
#[derive(Debug)]
pub struct Feed {
    backlog: Option<mpsc::Receiver<Vec<Pending>>>,
    chunk: vec::IntoIter<Pending>,
    fresh: mpsc::UnboundedReceiver<Vec<Pending>>,
}

/// The end of a [`Feed`] into which a queue puts the events of each commit.
pub type FeedSender = mpsc::UnboundedSender<Vec<Pending>>;

impl Feed {
    /// A feed without backlog.
    pub fn channel() -> (FeedSender, Self) {
        let (sender, fresh) = mpsc::unbounded_channel();
        (sender, fresh.into())
    }

    /// A feed that yields all of `backlog` before anything of `fresh`.
    pub(super) fn with_backlog(
        backlog: mpsc::Receiver<Vec<Pending>>,
        fresh: mpsc::UnboundedReceiver<Vec<Pending>>,
    ) -> Self {
        Self {
            backlog: Some(backlog),
            chunk: Vec::new().into_iter(),
            fresh,
        }
    }

    /// The next event; `None` when the queue is closed. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Pending> {
        loop {
            if let Some(pending) = self.chunk.next() {
                return Some(pending);
            }
            let Some(backlog) = &mut self.backlog else {
                self.chunk = self.fresh.recv().await?.into_iter();
                continue;
            };
            match backlog.recv().await {
                Some(chunk) => self.chunk = chunk.into_iter(),
                None => self.backlog = None,
            }
        }
    }

    /// Moves up to `limit` events to `buffer`, waiting for the first, and returns how many; 0 when
    /// the queue is closed. Cancel-safe.
    pub async fn recv_many(&mut self, buffer: &mut Vec<Pending>, limit: usize) -> usize {
        let Some(first) = self.recv().await else {
            return 0;
        };
        let before = buffer.len();
        buffer.push(first);
        loop {
            let left = limit.saturating_sub(buffer.len() - before);
            buffer.extend(self.chunk.by_ref().take(left));
            if buffer.len() - before >= limit || self.backlog.is_some() {
                break;
            }
            // Whatever else is there already: what waits together is seen together.
            match self.fresh.try_recv() {
                Ok(chunk) => self.chunk = chunk.into_iter(),
                Err(_) => break,
            }
        }
        buffer.len() - before
    }
}

impl From<mpsc::UnboundedReceiver<Vec<Pending>>> for Feed {
    fn from(fresh: mpsc::UnboundedReceiver<Vec<Pending>>) -> Self {
        Self {
            backlog: None,
            chunk: Vec::new().into_iter(),
            fresh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::EventId, lane::Lanes};

    fn pending(id: i64) -> Pending {
        Pending {
            id: EventId::new(id),
            lanes: Lanes::new(),
            not_before: None,
            resumed: false,
            cached: None,
        }
    }

    #[tokio::test]
    async fn the_backlog_comes_first_whatever_was_accepted_meanwhile() {
        let (chunks, backlog) = mpsc::channel(2);
        let (sender, fresh) = mpsc::unbounded_channel();
        let mut feed = Feed::with_backlog(backlog, fresh);
        for id in [6, 7] {
            sender.send(vec![pending(id)]).unwrap();
        }
        drop(sender);
        chunks
            .send(vec![pending(1), pending(2), pending(3)])
            .await
            .unwrap();
        chunks.send(vec![pending(4), pending(5)]).await.unwrap();
        drop(chunks);

        let mut ids = Vec::new();
        let mut buffer = Vec::new();
        ids.extend(feed.recv().await.map(|pending| pending.id.get()));
        while feed.recv_many(&mut buffer, 2).await > 0 {
            assert!(buffer.len() <= 2);
            ids.extend(buffer.drain(..).map(|pending| pending.id.get()));
        }
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    }
}
