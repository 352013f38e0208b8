extern crate ocean_core as tide;

mod inner {
    pub(crate) mod framework {
        pub use tide::__private;
    }
}

use tide::prelude::{
    EventContext, IntoOutcome, Outcome, ProcessorError, RawResults, WebhookProcessor,
    webhook_processor,
};

// What the expansion names must come from the path alone.
#[allow(dead_code)]
mod ocean_core {}

#[webhook_processor(path = "/webhook", kinds = ["issue"], crate = ::tide)]
async fn issue() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

#[derive(Default)]
struct Users;

#[webhook_processor(path = "/webhook", kinds = ["user"], crate = crate::inner::framework)]
impl WebhookProcessor for Users {
    async fn handle_event(&self, _: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
        Ok(RawResults::none().into_outcome())
    }
}

fn main() {
    let names: Vec<_> = tide::processor::Registry::discover()
        .iter()
        .map(|registered| registered.spec.name)
        .collect();
    assert_eq!(names, ["Users", "issue"]);
}
