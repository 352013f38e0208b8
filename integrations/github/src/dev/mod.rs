//! What `dev` and tests use instead of GitHub: a stand-in of its API with sample data, and a sample
//! of every event.

use ocean_core::dev::DevKit;

mod api;
mod samples;

pub(crate) const KIT: DevKit = DevKit {
    config: &[("github_host", "{api}"), ("github_token", "any")],
    api: api::answer,
    samples: samples::ALL,
};
