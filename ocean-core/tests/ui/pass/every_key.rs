use std::time::Duration;

use ocean_core::{prelude::*, processor::RetryPolicy};

/// Keeps issues in step.
#[webhook_processor(
    path = "/webhook",
    kinds = ["issue", "sub-task"],
    events = ["created", "updated", "deleted"],
    when(pointer = "/action", in = ["opened", "closed"]),
    when(pointer = "/action", ne = "locked"),
    when(pointer = "/number", eq = -1),
    when(pointer = "/draft", eq = false),
    when(header = "X-Tenant", prefix = "team-"),
    when(header = "x-tenant", suffix = "-eu"),
    requires = ["/issue/key", "/issue/a~1b"],
    guard = guard,
    key = ["/repository/id", "/issue/id"],
    coalesce,
    delete_on = ["deleted"],
    delete_when(pointer = "/action", ne = "restored"),
    delete = "/issue",
    enrich = enriched,
    max_retries = 5,
    initial_retry_delay = "500ms",
    max_retry_delay = 60,
    exponential_base = 3,
    timeout = "2m",
    authenticate = checks::authenticate,
    validate = checks::validate,
    on_error = checks::on_error,
    name = "issues",
    crate = ::ocean_core,
)]
async fn issue(_event: &WebhookEvent) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

fn enriched(event: &WebhookEvent, raw: Raw) -> Raw {
    raw.with("__event", event.name().unwrap_or_default())
}

fn guard(event: &WebhookEvent) -> bool {
    event.name().is_some()
}

mod checks {
    use ocean_core::prelude::*;

    pub async fn authenticate(_: &WebhookEvent) -> Result<(), Rejection> {
        Ok(())
    }

    pub fn validate(_: &WebhookEvent) -> Result<(), Rejection> {
        Ok(())
    }

    pub fn on_error(_: &EventContext<'_>, _: &ProcessorError) {}
}

fn main() {
    let spec = issue::SPEC;
    assert_eq!(spec.name, "issues");
    assert_eq!(spec.kinds, ["issue", "sub-task"]);
    assert_eq!(spec.key, ["/repository/id", "/issue/id"]);
    let conditions: Vec<_> = spec.conditions.iter().map(ToString::to_string).collect();
    assert_eq!(
        conditions,
        [
            r#"pointer = "/action", in = ["opened", "closed"]"#,
            r#"pointer = "/action", ne = "locked""#,
            r#"pointer = "/number", eq = -1"#,
            r#"pointer = "/draft", eq = false"#,
            r#"header = "x-tenant", prefix = "team-""#,
            r#"header = "x-tenant", suffix = "-eu""#,
        ]
    );
    let expected = RetryPolicy {
        max_retries: 5,
        initial_delay: Duration::from_millis(500),
        max_delay: Duration::from_secs(60),
        exponential_base: 3.0,
    };
    assert_eq!(spec.retry, expected);
    assert_eq!(spec.timeout, Duration::from_secs(120));
}
