//! Live events for Port: receive, keep, map and write, written as annotated async functions.

#[doc(hidden)]
pub mod __private;
pub mod admin;
pub mod catalog;
mod clock;
pub mod dev;
pub mod dispatch;
mod error;
mod event;
mod extract;
pub mod failpoint;
mod future;
pub mod http;
pub mod ingress;
mod integration;
mod lane;
pub mod mapping;
mod names;
mod nearest;
mod outcome;
pub mod prelude;
pub mod processor;
pub mod queue;
mod raw;
mod resource;
mod runtime;
pub mod source;
mod state;
pub mod supervisor;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use clock::Clock;
pub use error::{ErrorClass, ProcessorError, Rejection, StartError};
pub use event::{EventId, EventParts, Headers, WebhookEvent};
pub use extract::{EventContext, FromEvent, Need, Payload, Selector, State};
pub use future::BoxFuture;
pub use integration::{Assets, Integration, StartContext};
pub use lane::{Lane, LaneEntry, Lanes};
/// Makes a webhook processor of an `async fn`, or registers an `impl WebhookProcessor for T`.
///
/// ```
/// use ocean_core::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct IssueEvent {
///     webhook_event: String,
///     issue: WithRaw<Issue>,
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Issue {
///     key: String,
/// }
///
/// /// Keeps issues in step.
/// #[webhook_processor(path = "/webhook", kinds = ["issue"], event_prefix = "issue_", key = "/issue/id")]
/// async fn issue(payload: Payload<IssueEvent>) -> Result<RawResults, ProcessorError> {
///     if payload.webhook_event == "issue_deleted" {
///         return Ok(RawResults::deleted([payload.issue.raw()]));
///     }
///     Ok(RawResults::updated([payload.issue.raw()]))
/// }
///
/// // The function stays a function; a type of its name describes and implements the processor.
/// assert_eq!(issue::SPEC.kinds, ["issue"]);
/// assert_eq!(issue::SPEC.docs, "Keeps issues in step.");
/// ```
///
/// Mistakes are compile errors at the token that is wrong. What only the running integration can
/// know (the path has a source, the kinds exist, the state is there, names are unique) is checked
/// at start, with file and line.
///
/// # Keys
///
/// Which events, all of which must agree:
///
/// | Key | Default | Meaning |
/// |---|---|---|
/// | `path = "/webhook"` | required | the source's path, without `/integration` |
/// | `kinds = ["issue", ..]` | required without `action` | the kinds it updates |
/// | `action` | | it acts without kind, resource and mapping; excludes `kinds`, `delete` and `delete_on` |
/// | `event = ".."`, `events = [..]`, `event_prefix = ".."` | all events | the event's name, as the source reads it; one of the three |
/// | `when(pointer = "/action", in = ["opened", ..])` | | a condition on a payload value, repeatable: `eq`, `ne`, `in` with strings, integers and booleans, `prefix`, `suffix` with strings |
/// | `when(header = "x-tenant", eq = "a")` | | the same of a header's first value, which is text |
/// | `guard = path::to::function` | | a condition in code: `fn(&WebhookEvent) -> bool`; a panic fails the attempt, which is retried |
/// | `requires = ["/issue/key", ..]` | | payload values that must be there and not null; a matching event that lacks one is rejected as invalid |
///
/// How they are handled:
///
/// | Key | Default | Meaning |
/// |---|---|---|
/// | `key = "/issue/id"`, `key = ["/repository/id", "/issue/id"]` | one after another | events with equal values take effect in order of arrival, others beside each other |
/// | `coalesce` | every event counts | a waiting event is superseded by a newer one of its `key` |
/// | `delete = "/issue"` | | the object that is deleted when the handler returns `None`; `""` is the whole payload |
/// | `delete_on = ["issue_deleted", ..]` | | events that delete that object without running the handler |
/// | `delete_when(pointer = "/action", eq = "deleted")` | | a condition as in `when`, repeatable: events for which all hold delete that object without running the handler; with `delete_on`, names and conditions must agree |
/// | `enrich = path::to::function` | | `fn(&WebhookEvent, Raw) -> Raw`: adds to each item, updated or deleted, what the mapping needs beside the tool's own fields |
/// | `max_retries = 3` | 3 | attempts after the first |
/// | `initial_retry_delay = "1s"` | 1 s | before the first retry |
/// | `max_retry_delay = "30s"` | 30 s | no delay is longer |
/// | `exponential_base = 2.0` | 2.0 | the factor from delay to delay, at least 1 |
/// | `timeout = "90s"` | 90 s | the time of one attempt |
/// | `authenticate = path::to::function` | accept | `fn(&WebhookEvent) -> Result<(), Rejection>`, also `async`: a check beyond the source's verification |
/// | `validate = path::to::function` | accept | the same, for the payload's shape beyond what its type says |
/// | `on_error = path::to::function` | nothing | `fn(&EventContext<'_>, &ProcessorError)`, also `async`: runs after each failed attempt |
/// | `name = ".."` | the name of the function or type | unique in the integration; shown to operators |
/// | `crate = path` | `::ocean_core` | where this crate is, if it is renamed or re-exported |
///
/// Durations are written `"500ms"`, `"90s"`, `"5m"`, `"1h"`, or as plain seconds. Pointers are
/// [RFC 6901](https://www.rfc-editor.org/rfc/rfc6901) and start with `/`.
///
/// # Arguments and results
///
/// Each argument is an extractor, a type that implements [`FromEvent`]: [`Payload`],
/// [`Selector`], [`State`], `&`[`WebhookEvent`], `&`[`Headers`], `Option<&`[`Resource`]`>`,
/// `&`[`EventContext`], or one of your own. A function that takes a `Selector` runs once for each
/// distinct selector of its kinds, one that takes none runs once for the event.
///
/// The function returns `Result<T, E>`. `T` is `Option<Raw>` (the thing as it is now, or gone),
/// `Vec<Raw>`, [`RawResults`] or `()`. `E` says by `impl From<E> for ProcessorError` whether a
/// retry helps; see [`ProcessorError`].
///
/// The function must be free of `self` and of type parameters, and its future must be `Send`:
///
/// ```compile_fail
/// use ocean_core::prelude::*;
///
/// #[webhook_processor(path = "/webhook", kinds = ["issue"])]
/// async fn issue() -> Result<RawResults, ProcessorError> {
///     let shared = std::rc::Rc::new(1);
///     std::future::ready(()).await; // `shared` lives across the await and cannot change threads
///     drop(shared);
///     Ok(RawResults::none())
/// }
/// ```
///
/// # On an impl block
///
/// The block stays as it is; the attribute adds `SPEC` to the type and registers it. The value is
/// made with `Default`. Retry constants and the checks are the trait's own items, so their keys
/// are refused; `kinds` may be left out where `matching_kinds` computes them.
///
/// ```
/// use ocean_core::prelude::*;
///
/// #[derive(Default)]
/// struct Pings;
///
/// #[webhook_processor(path = "/webhook", action)]
/// impl WebhookProcessor for Pings {
///     const MAX_RETRIES: u32 = 0;
///
///     async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
///         let _ = cx.event.headers();
///         Ok(().into_outcome())
///     }
/// }
///
/// assert_eq!(Pings::SPEC.retry.max_retries, 0);
/// ```
///
/// Without the attribute, [`processor::Registered::new`] makes the same of a value and a
/// [`processor::ProcessorSpec`] written by hand.
pub use ocean_macros::webhook_processor;
pub use outcome::{IntoOutcome, Outcome, RawResults};
pub use processor::WebhookProcessor;
pub use raw::{Raw, WithRaw};
pub use resource::{Resource, SelectorSet, SelectorType, TypeKey};
pub use runtime::{Ocean, run};
pub use source::Source;
pub use state::StateMap;
