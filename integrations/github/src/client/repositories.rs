//! Repositories, and what can be fetched beside them.

use ocean_core::Raw;
use serde::Deserialize;
use url::Url;

use super::{As, GitHubClient, GitHubError, JSON, PAGE, RAW};
use crate::{
    payload::Repository,
    selector::{Affiliation, Everywhere, Include, RepoSearch, RepositorySelector},
};

impl GitHubClient {
    /// The repository, with what the selector includes.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn repository(
        &self,
        repository: &Repository,
        selector: &RepositorySelector,
    ) -> Result<Option<Raw>, GitHubError> {
        let Some(mut raw) = self.find_in(repository, selector, &[]).await? else {
            return Ok(None);
        };
        if !selector.included_files.is_empty() {
            let mut files = serde_json::Map::new();
            for path in &selector.included_files {
                let content = self.file(repository, path).await?;
                files.insert(path.clone(), content.into());
            }
            raw = raw.with("__includedFiles", &files);
        }
        let wanted = Wanted::of(selector);
        if let Some(affiliation) = wanted.collaborators {
            let query = [("affiliation", affiliation.as_str())];
            let found = self.list_at(repository, &["collaborators"], &query, None);
            raw = raw.with("__collaborators", &found.await?);
        }
        if wanted.teams {
            let found = self.list_at(repository, &["teams"], &[], None);
            raw = raw.with("__teams", &found.await?);
        }
        if wanted.sbom {
            #[derive(Deserialize)]
            struct Answer {
                sbom: Raw,
            }
            let path = ["dependency-graph", "sbom"];
            let found = self.find_in(repository, &Everywhere, &path).await?;
            let sbom = found.and_then(|raw| raw.read::<Answer>().ok());
            raw = raw.with("__sbom", &sbom.map_or_else(nothing, |answer| answer.sbom));
        }
        if wanted.custom_properties {
            let found = self.find_in(repository, &Everywhere, &["properties", "values"]);
            let found = found.await?.unwrap_or_else(|| Raw::new(&[(); 0]));
            raw = raw.with("__custom_properties", &found);
        }
        if wanted.pages {
            let found = self.find_in(repository, &Everywhere, &["pages"]).await?;
            raw = raw.with("__pages", &found.unwrap_or_else(nothing));
        }
        Ok(Some(raw))
    }

    /// Whether the search, if there is one, finds the repository.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn finds(
        &self,
        repository: &Repository,
        search: Option<&RepoSearch>,
    ) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Found {
            total_count: u64,
        }
        let Some(RepoSearch { query }) = search else {
            return Ok(true);
        };
        let (owner, name) = (&repository.owner.login, &repository.name);
        let query = format!("{query} repo:{owner}/{name}");
        let url = with_query(&self.url(&["search", "repositories"]), &[("q", &query)]);
        let answer = self.ask(As::Account(owner), &url, JSON).await?;
        Ok(answer.read::<Found>(&url)?.total_count > 0)
    }

    /// The variables of an environment.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn variables(
        &self,
        repository: &Repository,
        environment: &str,
    ) -> Result<Vec<Raw>, GitHubError> {
        let path = ["environments", environment, "variables"];
        self.list_at(repository, &path, &[], Some("variables"))
            .await
    }

    /// A file's text, if there is such a file.
    async fn file(
        &self,
        repository: &Repository,
        path: &str,
    ) -> Result<Option<String>, GitHubError> {
        let (owner, name) = (&repository.owner.login, &repository.name);
        let mut segments = vec!["repos", owner, name, "contents"];
        segments.extend(path.split('/').filter(|part| !part.is_empty()));
        let url = self.url(&segments);
        let found = self.find(As::Account(owner), &url, RAW).await?;
        Ok(found.map(|file| String::from_utf8_lossy(&file.body).into_owned()))
    }

    async fn list_at(
        &self,
        repository: &Repository,
        path: &[&str],
        query: &[(&str, &str)],
        field: Option<&str>,
    ) -> Result<Vec<Raw>, GitHubError> {
        let owner = &repository.owner.login;
        let url = self.url(&[&["repos", owner, &repository.name], path].concat());
        let url = with_query(&url, &[&[("per_page", PAGE)], query].concat());
        Ok(self.list(owner, url, field).await?.unwrap_or_default())
    }
}

#[derive(Default)]
struct Wanted {
    collaborators: Option<Affiliation>,
    teams: bool,
    sbom: bool,
    custom_properties: bool,
    pages: bool,
}

impl Wanted {
    fn of(selector: &RepositorySelector) -> Self {
        if let Some(relations) = &selector.included_relations {
            let collaborators = relations.collaborators.as_ref();
            return Self {
                collaborators: collaborators.map(|wanted| wanted.affiliation),
                teams: relations.teams,
                sbom: relations.sbom,
                custom_properties: relations.custom_properties,
                pages: relations.pages,
            };
        }
        let includes = |what| selector.include.contains(&what);
        Self {
            collaborators: includes(Include::Collaborators).then_some(Affiliation::All),
            teams: includes(Include::Teams),
            sbom: includes(Include::Sbom),
            ..Self::default()
        }
    }
}

fn nothing() -> Raw {
    Raw::new(&serde_json::Map::new())
}

pub(super) fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse(url).expect("made of an address that was parsed");
    url.query_pairs_mut().extend_pairs(pairs);
    url.into()
}
