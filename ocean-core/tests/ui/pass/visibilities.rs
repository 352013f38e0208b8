use ocean_core::{prelude::*, processor::Registry};

pub mod outer {
    pub mod inner {
        use ocean_core::prelude::*;

        #[webhook_processor(path = "/webhook", kinds = ["issue"])]
        pub async fn public() -> Result<RawResults, ProcessorError> {
            Ok(RawResults::none())
        }

        #[webhook_processor(path = "/webhook", kinds = ["issue"])]
        pub(crate) async fn of_the_crate() -> Result<RawResults, ProcessorError> {
            Ok(RawResults::none())
        }

        #[webhook_processor(path = "/webhook", kinds = ["issue"])]
        pub(in crate::outer) async fn of_the_outer() -> Result<RawResults, ProcessorError> {
            Ok(RawResults::none())
        }

        #[webhook_processor(path = "/webhook", kinds = ["issue"])]
        async fn private() -> Result<RawResults, ProcessorError> {
            Ok(RawResults::none())
        }
    }

    pub const NAME: &str = inner::of_the_outer::SPEC.name;
}

fn main() {
    assert_eq!(outer::inner::public::SPEC.name, "public");
    assert_eq!(outer::inner::of_the_crate::SPEC.name, "of_the_crate");
    assert_eq!(outer::NAME, "of_the_outer");
    assert_eq!(Registry::discover().len(), 4);
    // The names are free for what is not a type or function.
    let _ = |private: Raw| private;
}
