use ocean_core::{prelude::*, processor::ProcessorType};

#[webhook_processor(path = "/webhook", action)]
async fn ping(_headers: &Headers) -> Result<(), ProcessorError> {
    Ok(())
}

fn main() {
    assert_eq!(ping::SPEC.processor_type, ProcessorType::Action);
}
