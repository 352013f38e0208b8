//! What a mapping may select by, besides `query`: one type a kind, with upstream's keys and
//! defaults. Unknown keys are ignored; a wrong value is an error when the mapping loads.

use ocean_core::Selector;
use serde::Deserialize;

/// Selectors of what is in repositories, all of which can name a search.
pub trait InRepositories: Sync {
    /// The search that must find the repository.
    fn search(&self) -> Option<&RepoSearch>;
}

macro_rules! in_repositories {
    ($($selector:ty),* $(,)?) => {
        $(impl InRepositories for $selector {
            fn search(&self) -> Option<&RepoSearch> {
                self.repo_search.as_ref()
            }
        })*
    };
}

in_repositories!(
    AnySelector,
    BranchSelector,
    CodeScanningAlertSelector,
    CollaboratorSelector,
    DependabotAlertSelector,
    DeploymentSelector,
    EnvironmentSelector,
    IssueSelector,
    PullRequestSelector,
    RepositorySelector,
    WorkflowRunSelector,
);

impl<T: InRepositories + Send> InRepositories for Selector<T> {
    fn search(&self) -> Option<&RepoSearch> {
        T::search(self)
    }
}

/// No selection.
#[derive(Clone, Copy, Debug)]
pub struct Everywhere;

impl InRepositories for Everywhere {
    fn search(&self) -> Option<&RepoSearch> {
        None
    }
}

/// Selector of kinds that have no keys of their own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnySelector {
    /// Only items of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
}

/// A search of GitHub for repositories.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RepoSearch {
    /// The search as GitHub writes it, such as `topic:service language:rust`.
    pub query: String,
}

// === RepositorySelector ===

/// Selector of kind `repository`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepositorySelector {
    /// Only repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Files to read into `__includedFiles`, by their path.
    pub included_files: Vec<String>,
    /// What to fetch beside the repository; the older form of `includedRelations`.
    pub include: Vec<Include>,
    /// What to fetch beside the repository.
    pub included_relations: Option<IncludedRelations>,
}

/// What can be fetched beside a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Include {
    /// Who has access, as `__collaborators`.
    Collaborators,
    /// Which teams have access, as `__teams`.
    Teams,
    /// The software bill of materials, as `__sbom`.
    Sbom,
}

/// What to fetch beside a repository.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct IncludedRelations {
    /// Who has access, as `__collaborators`.
    pub collaborators: Option<Collaborators>,
    /// Which teams have access, as `__teams`.
    pub teams: bool,
    /// The software bill of materials, as `__sbom`.
    pub sbom: bool,
    /// The organization's properties of the repository, as `__custom_properties`.
    pub custom_properties: bool,
    /// GitHub Pages, as `__pages`.
    pub pages: bool,
}

/// Which collaborators.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collaborators {
    /// By how they came to their access.
    pub affiliation: Affiliation,
}

/// How somebody came to have access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affiliation {
    /// In any way.
    #[default]
    All,
    /// By name.
    Direct,
    /// By name, from outside the organization.
    Outside,
}

impl Affiliation {
    /// As GitHub writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Direct => "direct",
            Self::Outside => "outside",
        }
    }
}

// === Issues and pull requests ===

/// Selector of kind `pull-request`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PullRequestSelector {
    /// Only pull requests of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only pull requests in these states. Default `["open"]`.
    pub states: Vec<State>,
    /// Which API the items come from; only `rest` is supported.
    pub api: Api,
}

impl Default for PullRequestSelector {
    fn default() -> Self {
        Self {
            repo_search: None,
            states: vec![State::Open],
            api: Api::Rest,
        }
    }
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is not.
    Open,
    /// It is.
    Closed,
}

/// GitHub's APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// The REST API.
    Rest,
}

/// Selector of kind `issue`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IssueSelector {
    /// Only issues of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only issues in this state. Default `open`.
    pub state: IssueState,
    /// Only issues with all of these labels, whatever their case.
    pub labels: Option<Vec<String>>,
}

/// The state of an issue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueState {
    /// Not done.
    #[default]
    Open,
    /// Done, or not planned.
    Closed,
    /// In any state.
    All,
}

// === Branches and runs ===

/// Selector of kind `branch`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BranchSelector {
    /// Only branches of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only the default branch.
    pub default_branch_only: bool,
    /// Only branches with these names.
    pub branch_names: Vec<String>,
    /// Whether the rules that protect the branch are read into `__protection_rules`.
    pub protection_rules: bool,
}

/// Selector of kind `workflow-run`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowRunSelector {
    /// Only runs in repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only runs whose status or conclusion is one of these.
    pub statuses: Option<Vec<RunStatus>>,
}

/// The status or conclusion of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "they are GitHub's words, and mean what they say"
)]
pub enum RunStatus {
    Completed,
    ActionRequired,
    Cancelled,
    Failure,
    Neutral,
    Skipped,
    Stale,
    Success,
    TimedOut,
    InProgress,
    Queued,
    Requested,
    Waiting,
    Pending,
}

// === Deployments ===

/// Selector of kinds `deployment` and `deployment-status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentSelector {
    /// Only deployments of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only deployments with this task, such as `deploy`.
    pub task: Option<String>,
    /// Only deployments to this environment.
    pub environment: Option<String>,
}

/// Selector of kind `environment`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentSelector {
    /// Only environments of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Whether its variables are read into `__variables`.
    pub include_variables: bool,
}

// === People ===

/// Selector of kind `team`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TeamSelector {
    /// Whether members are read into `members`. Default true.
    pub members: bool,
    /// Whether members carry their SAML identity as `__SAMLEmail`.
    #[serde(rename = "includeSAMLEmail")]
    pub include_saml_email: bool,
}

impl Default for TeamSelector {
    fn default() -> Self {
        Self {
            members: true,
            include_saml_email: false,
        }
    }
}

/// Selector of kind `user`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UserSelector {
    /// Whether the user carries the SAML identity as `__SAMLEmail`.
    #[serde(rename = "includeSAMLEmail")]
    pub include_saml_email: bool,
}

/// Selector of kind `collaborator`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CollaboratorSelector {
    /// Only collaborators of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only those who came to their access in this way.
    pub affiliation: Affiliation,
}

// === Alerts ===

/// Selector of kind `dependabot-alert`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DependabotAlertSelector {
    /// Only alerts of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only alerts in these states. Default `["open"]`.
    pub states: Vec<DependabotState>,
    /// Only alerts of these severities.
    pub severity: Option<Vec<Severity>>,
    /// Only alerts of packages of these ecosystems, such as `npm`.
    pub ecosystems: Option<Vec<String>>,
}

impl Default for DependabotAlertSelector {
    fn default() -> Self {
        Self {
            repo_search: None,
            states: vec![DependabotState::Open],
            severity: None,
            ecosystems: None,
        }
    }
}

/// The state of a Dependabot alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependabotState {
    /// Dismissed by a rule.
    AutoDismissed,
    /// Dismissed by somebody.
    Dismissed,
    /// Gone with an update.
    Fixed,
    /// Still to be mended.
    Open,
}

/// How bad a vulnerability is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "they are GitHub's words, and mean what they say"
)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
    Warning,
    Note,
    Error,
}

impl Severity {
    /// As GitHub writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Error => "error",
        }
    }
}

/// Selector of kind `code-scanning-alerts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CodeScanningAlertSelector {
    /// Only alerts of repositories that this search finds.
    pub repo_search: Option<RepoSearch>,
    /// Only alerts in this state. Default `open`; `closed` is dismissed or fixed.
    pub state: CodeScanningState,
    /// Only alerts of this severity.
    pub severity: Option<Severity>,
}

/// The state of a code scanning alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeScanningState {
    /// Still to be mended.
    #[default]
    Open,
    /// Dismissed or fixed.
    Closed,
    /// Dismissed by somebody.
    Dismissed,
    /// Mended.
    Fixed,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn a_selector_with_nothing_but_a_query_has_upstreams_defaults() {
        let bare = || json!({ "query": "true" });
        let pull: PullRequestSelector = from_value(bare()).unwrap();
        assert_eq!(pull.states, [State::Open]);
        let issue: IssueSelector = from_value(bare()).unwrap();
        assert_eq!((issue.state, issue.labels), (IssueState::Open, None));
        let team: TeamSelector = from_value(bare()).unwrap();
        assert!(team.members && !team.include_saml_email);
        let alert: DependabotAlertSelector = from_value(bare()).unwrap();
        assert_eq!(alert.states, [DependabotState::Open]);
        let alert: CodeScanningAlertSelector = from_value(bare()).unwrap();
        assert_eq!(
            (alert.state, alert.severity),
            (CodeScanningState::Open, None)
        );
        let repository: RepositorySelector = from_value(bare()).unwrap();
        assert!(repository.included_files.is_empty() && repository.included_relations.is_none());
    }

    #[test]
    fn wrong_values_are_refused() {
        fn refused<T: serde::de::DeserializeOwned>(selector: Value) {
            assert!(from_value::<T>(selector.clone()).is_err(), "{selector}");
        }
        refused::<PullRequestSelector>(json!({ "states": ["merged"] }));
        // Its items have other fields, so a mapping for them would silently yield nothing.
        refused::<PullRequestSelector>(json!({ "api": "graphql" }));
        refused::<IssueSelector>(json!({ "state": "done" }));
        refused::<AnySelector>(json!({ "repoSearch": "topic:x" }));
        refused::<RepositorySelector>(json!({ "includedRelations": { "issues": true } }));
        refused::<DependabotAlertSelector>(json!({ "severity": ["awful"] }));
        refused::<CodeScanningAlertSelector>(json!({ "state": "gone" }));
        refused::<WorkflowRunSelector>(json!({ "statuses": ["done"] }));
    }
}
