//! A sample of every event. The first is short: `dev` prints it.

use ocean_core::dev::Sample;

macro_rules! samples {
    ($($file:literal: $name:literal,)*) => {
        &[$(Sample {
            name: $name,
            path: "/webhook",
            // Without the sender's id of a delivery, so that a sample can be posted again.
            headers: &[],
            body: include_str!(concat!("../../dev/samples/", $file, ".json")),
        },)*]
    };
}

pub(super) const ALL: &[Sample] = samples! {
    "issue_updated": "an issue gets another status",
    "issue_created": "an issue is created",
    "issue_moved": "an issue moves to another project",
    "issue_deleted": "an issue is deleted",
    "project_created": "a project is created",
    "project_updated": "a project changes",
    "project_soft_deleted": "a project is moved to the bin",
    "project_restored_deleted": "a project is brought back from the bin",
    "project_archived": "a project is archived",
    "project_restored_archived": "a project is brought back from the archive",
    "project_deleted": "a project is deleted for good",
    "user_created": "a user joins",
    "user_updated": "a user changes",
    "user_deleted": "a user is deleted",
    "version_created": "a version is created",
    "version_updated": "a version changes",
    "version_released": "a version is released",
    "version_unreleased": "a release is taken back",
    "version_moved": "a version moves in the list",
    "version_deleted": "a version is deleted",
    "version_merged": "a version is merged into another",
    "board_created": "a board is created",
    "board_updated": "a board changes",
    "board_deleted": "a board is deleted",
    "sprint_created": "a sprint is planned",
    "sprint_updated": "a sprint changes",
    "sprint_started": "a sprint starts",
    "sprint_closed": "a sprint ends",
    "sprint_deleted": "a sprint is deleted",
    "worklog_created": "work is logged",
    "worklog_updated": "logged work changes",
    "worklog_deleted": "logged work is deleted",
};
