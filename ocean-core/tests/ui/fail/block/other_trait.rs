use ocean_core::prelude::*;

#[derive(Default)]
struct Issues;

#[webhook_processor(path = "/webhook", kinds = ["issue"])]
impl Clone for Issues {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
