use ocean_core::prelude::*;

#[derive(serde::Deserialize)]
struct Issue {
    key: String,
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(
    Payload(Issue { key }): Payload<Issue>,
    _: &Headers,
    mut also: Headers,
    #[allow(unused_variables)] unused: &WebhookEvent,
) -> Result<Vec<Raw>, ProcessorError> {
    also.clone_from(&Headers::default());
    Ok(vec![Raw::new(&key)])
}

fn main() {}
