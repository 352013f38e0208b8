use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
mod issues {}

fn main() {}
