use ocean_core::{prelude::*, processor::Registry};

// Processors of one shape, as integrations with many resources declare them.
macro_rules! processor {
    ($name:ident, $kind:literal, $payload:ty) => {
        #[webhook_processor(path = "/webhook", kinds = [$kind], key = "/id")]
        async fn $name(payload: Payload<$payload>) -> Result<Option<Raw>, ProcessorError> {
            Ok(Some(Raw::new(&*payload)))
        }
    };
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Issue {
    id: u64,
}

processor!(issue, "issue", Issue);
processor!(number, "number", u64);

fn main() {
    assert_eq!(Registry::discover().len(), 2);
    assert_eq!(number::SPEC.kinds, ["number"]);
}
