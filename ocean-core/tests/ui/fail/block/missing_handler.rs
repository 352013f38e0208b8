use ocean_core::prelude::*;

#[derive(Default)]
struct Issues;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
impl WebhookProcessor for Issues {
}

fn main() {}
