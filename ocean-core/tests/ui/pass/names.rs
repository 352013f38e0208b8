use ocean_core::{prelude::*, processor::Registry};

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn r#type() -> Result<(), ProcessorError> {
    Ok(())
}

// Names that the expansion must not trip over.
mod shadowing {
    use ocean_core::prelude::*;

    #[allow(dead_code)]
    type Result = ();
    #[allow(dead_code)]
    struct Ok;
    #[allow(dead_code)]
    struct Err;
    #[allow(dead_code, non_camel_case_types)]
    struct u32;
    #[allow(dead_code)]
    trait Into {}
    #[allow(dead_code)]
    mod core {}

    #[webhook_processor(path = "/webhook", kinds = ["issue"], max_retries = 1)]
    pub async fn shadowed() -> std::result::Result<(), ProcessorError> {
        std::result::Result::Ok(())
    }
}

mod one {
    use ocean_core::prelude::*;

    #[webhook_processor(path = "/webhook", kinds = ["issue"], name = "one")]
    pub async fn same() -> Result<(), ProcessorError> {
        Ok(())
    }
}

mod other {
    use ocean_core::prelude::*;

    #[webhook_processor(path = "/webhook", kinds = ["issue"], name = "other")]
    pub async fn same() -> Result<(), ProcessorError> {
        Ok(())
    }
}

fn main() {
    let names: Vec<_> = Registry::discover()
        .iter()
        .map(|registered| registered.spec.name)
        .collect();
    assert_eq!(names, ["one", "other", "shadowed", "type"]);
}
