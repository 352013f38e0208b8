use ocean_core::prelude::*;

#[derive(Default)]
struct Issues<T>(T);

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
impl<T: Send + Sync + 'static> WebhookProcessor for Issues<T> {
    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(RawResults::none().into_outcome())
    }
}

fn main() {}
