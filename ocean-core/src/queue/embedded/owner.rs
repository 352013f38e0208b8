//! Who the events of a store belong to: another integration, or the same one with another catalog,
//! would finish them without doing what they were accepted for.

use std::{fmt, path::Path};

use rusqlite::{Connection, OptionalExtension as _};

use super::{OpenError, failure};

const KEY: &str = "owner";

/// Whose events a store holds. The parts are compared as text; the store gives them no meaning.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// The type of the integration, such as `jira`.
    pub integration: String,
    /// The identifier of its installation.
    pub identifier: String,
    /// The type of the catalog that its events are written to, such as `port`.
    pub catalog: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            integration,
            identifier,
            catalog,
        } = self;
        write!(
            f,
            "integration `{integration}` with identifier `{identifier}` and catalog `{catalog}`"
        )
    }
}

/// Makes the store belong to `wanted`, or refuses if it belongs to someone else. The caller holds
/// the folder's lock.
pub(super) fn claim(connection: &Connection, file: &Path, wanted: &Owner) -> Result<(), OpenError> {
    let wrap = |error: rusqlite::Error| failure::open_error(file, &error);
    let found: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [KEY], |row| {
            row.get(0)
        })
        .optional()
        .map_err(wrap)?;
    let Some(found) = found else {
        let text = serde_json::to_string(wanted).expect("an owner has a JSON form");
        connection
            .execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)",
                [KEY, &text],
            )
            .map_err(wrap)?;
        return Ok(());
    };
    match serde_json::from_str::<Owner>(&found) {
        Ok(owner) if owner == *wanted => Ok(()),
        owner => Err(OpenError::OtherOwner {
            file: file.into(),
            found: owner.map_or(found, |owner| owner.to_string()),
            wanted: wanted.to_string(),
        }),
    }
}
