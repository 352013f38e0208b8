//! Teams and users. Members of a team and SAML identities are only in GitHub's GraphQL API.

use ocean_core::{Raw, http::Request};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{As, GitHubClient, GitHubError, JSON};
use crate::selector::TeamSelector;

const TEAM: &str = "query($org: String!, $slug: String!, $after: String) {
  organization(login: $org) { team(slug: $slug) {
    databaseId notificationSetting
    members(first: 100, after: $after) {
      nodes { id login name isSiteAdmin email }
      pageInfo { hasNextPage endCursor }
    }
  } }
}";

const SAML: &str = "query($org: String!, $login: String!) {
  organization(login: $org) { samlIdentityProvider {
    externalIdentities(first: 1, login: $login) { nodes { samlIdentity { nameId } } }
  } }
}";

impl GitHubClient {
    /// The team, with its members if they are wanted.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn team(
        &self,
        organization: &str,
        slug: &str,
        selector: &TeamSelector,
    ) -> Result<Option<Raw>, GitHubError> {
        let url = self.url(&["orgs", organization, "teams", slug]);
        let Some(team) = self.find_raw(organization, &url).await? else {
            return Ok(None);
        };
        if !selector.members {
            return Ok(Some(team));
        }
        self.with_members(organization, slug, team, selector.include_saml_email)
            .await
            .map(Some)
    }

    async fn with_members(
        &self,
        organization: &str,
        slug: &str,
        mut team: Raw,
        wants_saml: bool,
    ) -> Result<Raw, GitHubError> {
        let mut members = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "org": organization, "slug": slug, "after": after });
            let data: InOrganization<InTeam> = self.query(organization, TEAM, variables).await?;
            let Some(found) = data.organization.and_then(|it| it.team) else {
                break;
            };
            members.extend(found.members.nodes);
            after = found.members.page_info.end_cursor.into();
            if !found.members.page_info.has_next_page {
                team = team
                    .with("databaseId", &found.database_id)
                    .with("notificationSetting", &found.notification_setting);
                break;
            }
        }
        for member in &mut members {
            self.identify(organization, member, wants_saml).await?;
        }
        Ok(team.with("members", &json!({ "nodes": members })))
    }

    /// The user, with the e-mail address of the SAML identity if it is wanted or no other is
    /// known.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn user(
        &self,
        organization: &str,
        login: &str,
        wants_saml: bool,
    ) -> Result<Option<Raw>, GitHubError> {
        let url = self.url(&["users", login]);
        let Some(answer) = self.find(As::Account(organization), &url, JSON).await? else {
            return Ok(None);
        };
        let mut user = answer.read::<Map<String, Value>>(&url)?;
        self.identify(organization, &mut user, wants_saml).await?;
        Ok(Some(Raw::new(&user)))
    }

    async fn identify(
        &self,
        organization: &str,
        user: &mut Map<String, Value>,
        wants_saml: bool,
    ) -> Result<(), GitHubError> {
        let text = |name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default();
        let has_email = !text("email").is_empty();
        if has_email && !wants_saml {
            return Ok(());
        }
        let variables = json!({ "org": organization, "login": text("login") });
        let data: InOrganization<InSaml> = self.query(organization, SAML, variables).await?;
        let identities = data
            .organization
            .and_then(|it| it.saml_identity_provider)
            .map(|provider| provider.external_identities.nodes);
        let identity = identities.into_iter().flatten().next();
        let email = identity
            .and_then(|node| node.saml_identity)
            .and_then(|identity| identity.name_id);
        if wants_saml || email.is_some() {
            user.insert("__SAMLEmail".to_owned(), email.clone().into());
        }
        if let (false, Some(email)) = (has_email, email) {
            user.insert("email".to_owned(), email.into());
        }
        Ok(())
    }

    async fn query<T: DeserializeOwned>(
        &self,
        organization: &str,
        query: &str,
        variables: Value,
    ) -> Result<T, GitHubError> {
        #[derive(Deserialize)]
        struct Answer<T> {
            data: Option<T>,
            #[serde(default)]
            errors: Vec<Problem>,
        }
        #[derive(Deserialize)]
        struct Problem {
            message: String,
        }
        let mut url = self.host.clone();
        // The Enterprise server has its REST API under `/api/v3` and this one beside it.
        url.set_path(match url.path().starts_with("/api/") {
            true => "/api/graphql",
            false => "/graphql",
        });
        let request = Request::post(url.as_str())
            .json(&json!({ "query": query, "variables": variables }))
            .repeatable(true);
        let answer: Answer<T> = self
            .send(As::Account(organization), request)
            .await?
            .json()?;
        answer.data.ok_or_else(|| GitHubError::Query {
            message: answer
                .errors
                .into_iter()
                .map(|problem| problem.message)
                .collect::<Vec<_>>()
                .join("; "),
        })
    }
}

#[derive(Deserialize)]
struct InOrganization<T> {
    organization: Option<T>,
}

#[derive(Deserialize)]
struct InTeam {
    team: Option<Team>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Team {
    database_id: Option<u64>,
    notification_setting: Option<String>,
    members: Members,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    nodes: Vec<Map<String, Value>>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InSaml {
    saml_identity_provider: Option<Provider>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    external_identities: Identities,
}

#[derive(Deserialize)]
struct Identities {
    nodes: Vec<Identity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    saml_identity: Option<SamlIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SamlIdentity {
    name_id: Option<String>,
}
