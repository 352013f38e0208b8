use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
struct Issues;

fn main() {}
