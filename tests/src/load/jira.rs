//! Jira, as far as issue events need it: its search.

use std::{io, time::Duration};

use serde_json::json;

use super::{
    Template, id, issue,
    message::Message,
    number,
    server::{Answer, Server},
};

/// A running stand-in of Jira, which has every issue it is asked for.
#[derive(Debug)]
pub struct Jira(Server);

impl Jira {
    /// Starts it; each answer takes `delay` longer.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(delay: Duration) -> io::Result<Self> {
        let page = Template::new(&json!({"issues": [issue()], "isLast": true}));
        Server::start(Search { page }, delay).await.map(Self)
    }

    /// Its base URL, without trailing slash.
    pub fn url(&self) -> String {
        self.0.url()
    }
}

struct Search {
    /// A page of one issue.
    page: Template,
}

impl Answer for Search {
    fn answer(&self, request: &Message<'_>, out: &mut Vec<u8>) -> u16 {
        let target = request.start.split(' ').nth(1).unwrap_or_default();
        if !target.ends_with("/search/jql") {
            out.extend_from_slice(b"{}");
            return 200;
        }
        let Some((key, number)) = wanted(request.body) else {
            out.extend_from_slice(b"{\"errorMessages\":[\"no key\"]}");
            return 400;
        };
        self.page.write(&id(number), key, out);
        200
    }
}

/// The key in `{"jql": "… key = OPS-7", …}`, and its number.
fn wanted(body: &[u8]) -> Option<(&str, usize)> {
    let (_, key) = std::str::from_utf8(body).ok()?.split_once("key = ")?;
    let key = key.split(['"', ' ']).next()?;
    Some((key, number(key)?))
}
