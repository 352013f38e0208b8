//! A queue that forgets nothing: every change in order, for tests to look at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use ocean_core::{
    BoxFuture, EventId, Lanes, WebhookEvent,
    queue::{
        Action, ActionResult, Cached, Change, Feed, FeedSender, Journal, NewEvent, Pending,
        Pressure, Queue, QueueError, Receipt, Stored, Story,
    },
};
use tokio::sync::{mpsc, watch};

/// The queue of one "data folder"; outlives the dispatch that works on it.
#[derive(Clone, Debug)]
pub(crate) struct FakeQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<usize>,
    /// While false, nothing becomes durable.
    flushing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    stored: HashMap<EventId, Stored>,
    lanes: Vec<(EventId, Lanes)>,
    dates: HashMap<EventId, jiff::Timestamp>,
    changes: Vec<(EventId, Change)>,
    feed: Option<FeedSender>,
    load_errors: Vec<QueueError>,
    next: i64,
}

impl Default for FakeQueue {
    fn default() -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            flushing: watch::Sender::new(true),
        }))
    }
}

impl FakeQueue {
    /// Opens the feed: what is not ended comes first, as found at start.
    pub(crate) fn open(&self) -> Feed {
        let (sender, feed) = mpsc::unbounded_channel();
        let mut state = self.0.state.lock().unwrap();
        let left: Vec<_> = state
            .lanes
            .iter()
            .filter(|(id, _)| state.stored.contains_key(id))
            .cloned()
            .collect();
        for (id, lanes) in left {
            let not_before = state.dates.get(&id).copied();
            let pending = Pending {
                id,
                lanes,
                not_before,
                resumed: true,
                cached: None,
            };
            sender.send(vec![pending]).unwrap();
        }
        state.feed = Some(sender);
        feed.into()
    }

    /// Puts an event into the feed; `cached` says whether it comes along.
    pub(crate) fn put(&self, event: &WebhookEvent, lanes: Lanes, cached: bool) -> EventId {
        let mut state = self.0.state.lock().unwrap();
        let id = event.id();
        state.lanes.push((id, lanes.clone()));
        let stored = Stored {
            event: event.clone(),
            story: Story::default(),
            restarts: 0,
        };
        state.stored.insert(id, stored);
        if let Some(feed) = &state.feed {
            let cached = cached.then(|| Cached {
                event: event.clone(),
                permit: None,
            });
            let pending = Pending {
                id,
                lanes,
                not_before: None,
                resumed: false,
                cached,
            };
            // A world that has stopped takes nothing more; the next one finds it.
            let _ = feed.send(vec![pending]);
        }
        id
    }

    pub(crate) fn next_id(&self) -> EventId {
        let mut state = self.0.state.lock().unwrap();
        state.next += 1;
        EventId::new(state.next)
    }

    /// Ends the feed.
    pub(crate) fn end_feed(&self) {
        self.0.state.lock().unwrap().feed = None;
    }

    /// Takes the event away behind dispatch's back.
    pub(crate) fn lose(&self, id: EventId) {
        self.0.state.lock().unwrap().stored.remove(&id);
    }

    pub(crate) fn restarts(&self, id: EventId, restarts: u32) {
        let mut state = self.0.state.lock().unwrap();
        state.stored.get_mut(&id).unwrap().restarts = restarts;
    }

    /// Lets the next load fail.
    pub(crate) fn fail_load(&self, error: QueueError) {
        self.0.state.lock().unwrap().load_errors.push(error);
    }

    pub(crate) fn flushing(&self, on: bool) {
        self.0.flushing.send_replace(on);
    }

    /// All changes of the event so far.
    pub(crate) fn changes(&self, id: EventId) -> Vec<Change> {
        let state = self.0.state.lock().unwrap();
        let own = state.changes.iter().filter(|(other, _)| *other == id);
        own.map(|(_, change)| change.clone()).collect()
    }

    /// The events that have ended, in the order in which that was recorded.
    pub(crate) fn ended(&self) -> Vec<EventId> {
        let state = self.0.state.lock().unwrap();
        let ends = |change: &Change| {
            matches!(
                change,
                Change::Done(_) | Change::Dead { .. } | Change::Superseded { .. }
            )
        };
        let ended = state.changes.iter().filter(|(_, change)| ends(change));
        ended.map(|(id, _)| *id).collect()
    }

    /// How many events are not ended.
    pub(crate) fn left(&self) -> usize {
        self.0.state.lock().unwrap().stored.len()
    }

    /// Waits until the event has a change that `wanted` takes, and gives what it makes of it.
    pub(crate) async fn wait<T>(&self, id: EventId, wanted: impl Fn(&Change) -> Option<T>) -> T {
        let mut changed = self.0.changed.subscribe();
        loop {
            if let Some(found) = self.changes(id).iter().find_map(&wanted) {
                return found;
            }
            changed.changed().await.unwrap();
        }
    }
}

impl Queue for FakeQueue {
    fn accept(&self, _: Vec<NewEvent>) -> BoxFuture<'_, Result<Vec<Receipt>, QueueError>> {
        unreachable!("dispatch accepts nothing")
    }

    fn load(&self, id: EventId) -> BoxFuture<'_, Result<Option<Stored>, QueueError>> {
        let mut state = self.0.state.lock().unwrap();
        let answer = match state.load_errors.pop() {
            Some(error) => Err(error),
            None => Ok(state.stored.get(&id).cloned()),
        };
        Box::pin(std::future::ready(answer))
    }

    fn record(&self, id: EventId, change: Change) {
        let mut state = self.0.state.lock().unwrap();
        match &change {
            Change::Resumed => {
                if let Some(stored) = state.stored.get_mut(&id) {
                    stored.restarts += 1;
                }
            }
            Change::Progress { story, .. } | Change::Retry { story, .. } => {
                if let Some(stored) = state.stored.get_mut(&id) {
                    stored.story = story.clone();
                    stored.restarts = 0;
                }
                match &change {
                    Change::Retry { at, .. } | Change::Progress { next: Some(at), .. } => {
                        state.dates.insert(id, *at)
                    }
                    _ => state.dates.remove(&id),
                };
            }
            _ => {
                state.stored.remove(&id);
            }
        }
        state.changes.push((id, change));
        let count = state.changes.len();
        drop(state);
        self.0.changed.send_replace(count);
    }

    fn flushed(&self) -> BoxFuture<'_, ()> {
        let mut flushing = self.0.flushing.subscribe();
        Box::pin(async move {
            flushing.wait_for(|on| *on).await.unwrap();
        })
    }

    fn pressure(&self) -> Pressure {
        Pressure::default()
    }

    fn journal(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    fn operate(&self, _: Action) -> BoxFuture<'_, Result<Vec<ActionResult>, QueueError>> {
        unreachable!("dispatch is no operator")
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        unreachable!("the queue outlives dispatch")
    }
}

/// A failing store, for `fail_load`.
pub(crate) fn failing() -> QueueError {
    QueueError::Failing {
        reason: "the disk is away".into(),
        retry_after: Duration::from_secs(5),
    }
}
