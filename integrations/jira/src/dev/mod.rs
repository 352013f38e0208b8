//! What `dev` and tests use instead of a Jira site: a stand-in of its API with sample data, and a
//! sample of every event.

use ocean_core::dev::DevKit;

mod api;
mod samples;

pub(crate) const KIT: DevKit = DevKit {
    config: &[
        ("jira_host", "{api}"),
        ("atlassian_user_email", "ann@example.com"),
        ("atlassian_user_token", "any"),
    ],
    api: api::answer,
    samples: samples::ALL,
};
