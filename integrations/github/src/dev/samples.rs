//! A sample of every event. The first is short: `dev` prints it.

use ocean_core::dev::Sample;

macro_rules! samples {
    ($($file:literal, $event:literal: $name:literal,)*) => {
        &[$(Sample {
            name: $name,
            path: "/webhook",
            // Without the sender's id of a delivery, so that a sample can be posted again.
            headers: &[("x-github-event", $event)],
            body: include_str!(concat!("../../dev/samples/", $file, ".json")),
        },)*]
    };
}

pub(super) const ALL: &[Sample] = samples! {
    "repository_edited", "repository": "a repository changes",
    "issue_closed", "issues": "an issue is closed",
    "issue_opened", "issues": "an issue is opened",
    "issue_labeled", "issues": "an issue gets a label",
    "issue_transferred", "issues": "an issue moves to another repository",
    "issue_deleted", "issues": "an issue is deleted",
    "repository_created", "repository": "a repository is created",
    "repository_renamed", "repository": "a repository is renamed",
    "repository_archived", "repository": "a repository is archived",
    "repository_unarchived", "repository": "a repository is brought back from the archive",
    "repository_deleted", "repository": "a repository is deleted",
    "pull_request_opened", "pull_request": "a pull request is opened",
    "pull_request_synchronize", "pull_request": "a pull request gets commits",
    "pull_request_review_requested", "pull_request": "a review is asked for",
    "pull_request_closed", "pull_request": "a pull request is merged",
    "release_published", "release": "a release is published",
    "release_edited", "release": "a release changes",
    "release_deleted", "release": "a release is deleted",
    "branch_created", "create": "a branch is created",
    "branch_pushed", "push": "commits are pushed",
    "branch_deleted", "delete": "a branch is deleted",
    "tag_created", "create": "a tag is created",
    "tag_deleted", "delete": "a tag is deleted",
    "workflow_pushed", "push": "workflow files are pushed",
    "workflow_run_in_progress", "workflow_run": "a workflow runs",
    "workflow_run_completed", "workflow_run": "a workflow ends",
    "deployment_created", "deployment": "something is deployed",
    "deployment_status_created", "deployment_status": "a deployment succeeds",
    "team_created", "team": "a team is created",
    "team_edited", "team": "a team changes",
    "team_deleted", "team": "a team is deleted",
    "membership_added", "membership": "somebody joins a team",
    "membership_removed", "membership": "somebody leaves a team",
    "member_joined", "organization": "somebody joins the organization",
    "member_left", "organization": "somebody leaves the organization",
    "collaborator_added", "member": "somebody is given access",
    "collaborator_removed", "member": "somebody loses access",
    "dependabot_alert_created", "dependabot_alert": "a dependency is found vulnerable",
    "dependabot_alert_fixed", "dependabot_alert": "a vulnerable dependency is updated",
    "code_scanning_alert_created", "code_scanning_alert": "code scanning finds something",
    "code_scanning_alert_closed", "code_scanning_alert": "what code scanning found is dismissed",
    "ping", "ping": "the webhook is registered",
};
