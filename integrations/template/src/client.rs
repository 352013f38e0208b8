//! The tool's API.

use ocean_core::{
    Raw, StartContext, StartError,
    http::{HttpClient, HttpError, Request},
};

use crate::Config;

/// A client of the tool's API. Retries, rate limits and timeouts are those of [`HttpClient`].
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    api: String,
    token: String,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(cx: &StartContext<Config>) -> Result<Self, StartError> {
        let http = HttpClient::new(cx.http.clone()).map_err(StartError::new)?;
        let (api, token) = (cx.config.api_url.clone(), cx.config.api_token.clone());
        Ok(Self { http, api, token })
    }

    /// The task as it is now, or `None` if the tool does not have it.
    ///
    /// # Errors
    /// The tool cannot be asked.
    pub async fn task(&self, id: u64) -> Result<Option<Raw>, HttpError> {
        let request = Request::get(&format!("{}/tasks/{id}", self.api)).bearer(&self.token);
        match self.http.send(request).await {
            Ok(answer) => answer.raw().map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
