use ocean_core::{prelude::*, processor::Registry};

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg(any())]
async fn absent() -> Result<RawResults, ProcessorError> {
    Ok(this_is_never_compiled())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg(all())]
async fn present() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg_attr(all(), cfg(any()), doc = "Never there.")]
async fn absent_by_attribute() -> Result<RawResults, ProcessorError> {
    Ok(this_is_never_compiled())
}

// One of two, as for a feature.
#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg(any())]
async fn either() -> Result<RawResults, ProcessorError> {
    Ok(this_is_never_compiled())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg(not(any()))]
async fn either() -> Result<RawResults, ProcessorError> {
    Ok(RawResults::none())
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[cfg(any())]
impl WebhookProcessor for NoSuchType {}

fn main() {
    let names: Vec<_> = Registry::discover()
        .iter()
        .map(|registered| registered.spec.name)
        .collect();
    assert_eq!(names, ["either", "present"]);
}
