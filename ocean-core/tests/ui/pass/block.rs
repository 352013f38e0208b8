use std::{borrow::Cow, time::Duration};

use ocean_core::{prelude::*, processor::Registry};

/// Watches tables.
#[derive(Default)]
struct Tables {
    seen: std::sync::atomic::AtomicUsize,
}

/// Keeps rows in step.
#[webhook_processor(path = "/webhook", name = "tables", timeout = "5s", key = "/sys_id")]
impl WebhookProcessor for Tables {
    const MAX_RETRIES: u32 = 7;
    const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

    fn matching_kinds(&self, event: &WebhookEvent) -> Option<Vec<Cow<'static, str>>> {
        let table = event.headers().get("x-table")?;
        Some(vec![table.to_owned().into()])
    }

    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        self.seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(RawResults::none().into_outcome())
    }
}

mod elsewhere {
    #[derive(Default)]
    pub struct Users;
}

#[webhook_processor(path = "/webhook", kinds = ["user"])]
impl ocean_core::WebhookProcessor for elsewhere::Users {
    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(RawResults::none().into_outcome())
    }
}

fn main() {
    assert_eq!(Tables::SPEC.name, "tables");
    assert_eq!(Tables::SPEC.docs, "Keeps rows in step.");
    assert_eq!(Tables::SPEC.retry.max_retries, 7);
    assert_eq!(Tables::SPEC.retry.max_delay, Duration::from_secs(5));
    assert_eq!(elsewhere::Users::SPEC.name, "Users");
    assert_eq!(Registry::discover().len(), 2);
}
