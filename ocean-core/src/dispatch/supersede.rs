//! What becomes of the events that a newer one of their lane makes pointless.
//!
//! It is written down when the newer one has taken effect, and before its own end is: after a crash
//! the newer one is still there, so nothing older runs after it. Where a run of the newer one was
//! given up, the same run of the event before it goes ahead instead, and only that.

use tokio::time::sleep;

use super::{
    calls,
    job::{JobEnd, Worker, has_dead, runs_of},
    lanes::Ready,
    shared::{Entered, LaneEnd},
    takeup::{Loaded, Refusal},
};
use crate::{
    event::EventId,
    queue::{Run, RunState, Story},
};

impl Worker {
    /// Ends the events `before` the event `by`, whose runs in the lane are through as `story` says;
    /// if some were given up, notes in the newest of them what is not to run. Returns `false` if
    /// the process is about to end and it could not be done.
    pub(super) async fn supersede(&self, before: &[Ready], by: EventId, story: &Story) -> bool {
        if has_dead(story) {
            let settled: Vec<_> = story
                .runs
                .iter()
                .filter(|run| run.state != RunState::Dead)
                .collect();
            return match before.last() {
                Some(older) if !settled.is_empty() => self.end(older, by, Some(&settled)).await,
                _ => true,
            };
        }
        for older in before {
            let has_story = older.resumed || older.retried || older.shared;
            if !has_story {
                self.conclude(older, None, LaneEnd::Superseded(by), Story::default());
            } else if !self.end(older, by, None).await {
                return false;
            }
        }
        true
    }

    /// Ends an event that has a story, or the runs of it that are `settled`.
    async fn end(&self, older: &Ready, by: EventId, settled: Option<&[&Run]>) -> bool {
        let entered = older.shared.then(|| self.shared.enter(older.id, false));
        let Loaded { event, story, .. } = match self.look_up_patiently(older, &entered).await {
            Ok(loaded) => loaded,
            // Its own turn, which is still to come, will meet the same.
            Err(Refusal::Dead { .. }) if settled.is_some() => {
                self.pause(older, entered.as_ref(), JobEnd::Left);
                return true;
            }
            Err(Refusal::Dead { reason, story }) => {
                self.conclude(older, None, LaneEnd::Dead(reason), story);
                return true;
            }
            Err(_) => {
                self.pause(older, entered.as_ref(), JobEnd::Left);
                return false;
            }
        };
        let processors = self.members(older, entered.as_ref(), &event).processors;
        let mut story = match entered {
            Some(_) => runs_of(story, &processors),
            None => story,
        };
        let end = match settled {
            Some(settled) => {
                for run in settled {
                    let resource = run.resource.as_deref();
                    calls::supersede(&run.processor, resource, &event, by, &mut story);
                }
                LaneEnd::Waits
            }
            None => {
                // An event of one lane says so as a whole.
                for registered in processors.iter().filter(|_| older.shared) {
                    calls::supersede(registered.spec.name, None, &event, by, &mut story);
                }
                LaneEnd::Superseded(by)
            }
        };
        self.conclude(older, Some(&event), end, story);
        true
    }

    /// Waits while the store cannot be read, unless the process is about to end.
    async fn look_up_patiently(
        &self,
        ready: &Ready,
        entered: &Option<Entered>,
    ) -> Result<Loaded, Refusal> {
        loop {
            match self.look_up(ready, entered.as_ref(), None).await {
                Err(Refusal::Later(delay)) => {
                    let mut shutdown = self.shutdown.clone();
                    tokio::select! {
                        () = shutdown.requested() => return Err(Refusal::Closed),
                        () = sleep(delay) => {}
                    }
                }
                answer => return answer,
            }
        }
    }
}
