use ocean_core::{prelude::*, processor::Registry};

fn main() {
    struct Local;

    impl<'e> FromEvent<'e> for Local {
        fn from_event(_: &'e EventContext<'e>) -> Result<Self, Rejection> {
            Ok(Self)
        }
    }

    #[webhook_processor(path = "/webhook", kinds = ["issue"])]
    async fn issue(_: Local) -> Result<(), ProcessorError> {
        Ok(())
    }

    assert_eq!(Registry::discover()[0].spec.name, issue::SPEC.name);
}
