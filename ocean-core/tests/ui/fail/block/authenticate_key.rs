use ocean_core::prelude::*;

#[derive(Default)]
struct Issues;

#[webhook_processor(path = "/webhook", kinds = ["issue"], authenticate = check)]
impl WebhookProcessor for Issues {
    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(RawResults::none().into_outcome())
    }
}

fn main() {}
