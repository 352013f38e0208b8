use ocean_core::prelude::*;

struct Delivery(String);

impl<'e> FromEvent<'e> for Delivery {
    fn from_event(cx: &'e EventContext<'e>) -> Result<Self, Rejection> {
        let delivery = cx.event.headers().get("x-delivery");
        delivery
            .map(|id| Self(id.to_owned()))
            .ok_or_else(|| Rejection::invalid("no header `x-delivery`"))
    }
}

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
async fn issue(delivery: Delivery) -> Result<RawResults, ProcessorError> {
    Ok(RawResults::updated([Raw::new(&delivery.0)]))
}

fn main() {}
