use ocean_core::prelude::*;

/// First line.
///
///     indented
/** Block. */
#[webhook_processor(path = "/webhook", kinds = ["issue"])]
/// Last line.
async fn issue() -> Result<(), ProcessorError> {
    Ok(())
}

#[doc = concat!("It is ", "computed.")]
#[webhook_processor(path = "/webhook", kinds = ["issue"])]
#[doc = concat!("So ", "it is.")]
async fn computed() -> Result<(), ProcessorError> {
    Ok(())
}

fn main() {
    // Attributes before the macro are part of the item too.
    assert_eq!(
        issue::SPEC.docs,
        "First line.\n\n    indented\nBlock. \nLast line."
    );
    assert_eq!(computed::SPEC.docs, "It is computed.\nSo it is.\n");
}
