use ocean_core::prelude::*;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
const ISSUES: u8 = 1;

fn main() {}
