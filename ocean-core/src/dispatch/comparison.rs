//! A trial's changes against the catalog as it stands: what a replay would really do.

use std::fmt;

use serde_json::Value;

use super::trial::TrialReport;
use crate::catalog::{Catalog, CatalogError, Difference, Identifier};

/// What a trial found, and what its writes would change.
#[derive(Debug)]
pub(crate) struct Comparison {
    report: TrialReport,
    // For each upsert and delete of the report.
    upserts: Vec<Difference>,
    exists: Vec<bool>,
}

impl Comparison {
    /// Asks the catalog for each entity that the trial would write. `merge` is that of the mapping.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn of(
        report: TrialReport,
        catalog: &dyn Catalog,
        merge: bool,
    ) -> Result<Self, CatalogError> {
        let mut upserts = Vec::with_capacity(report.upserts.len());
        for entity in &report.upserts {
            let current = catalog.find(&entity.key).await?;
            let wanted: Value =
                serde_json::from_slice(&entity.json).expect("the mapping writes JSON");
            upserts.push(Difference::between(current.as_ref(), &wanted, merge));
        }
        let mut exists = Vec::with_capacity(report.deletes.len());
        for key in &report.deletes {
            exists.push(catalog.find(key).await?.is_some());
        }
        Ok(Self {
            report,
            upserts,
            exists,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt_runs(f)?;
        for (entity, difference) in self.report.upserts.iter().zip(&self.upserts) {
            let key = &entity.key;
            match difference {
                Difference::New if matches!(key.identifier, Identifier::Json(_)) => {
                    writeln!(f, "= {key}  (the search finds none, so nothing is written)")?;
                }
                Difference::New => {
                    writeln!(f, "+ {key}  {}", String::from_utf8_lossy(&entity.json))?;
                }
                Difference::Fields(none) if none.is_empty() => writeln!(f, "= {key}")?,
                Difference::Fields(fields) => {
                    writeln!(f, "~ {key}")?;
                    for field in fields {
                        writeln!(f, "    {field}")?;
                    }
                }
            }
        }
        for (key, exists) in self.report.deletes.iter().zip(&self.exists) {
            let sign = if *exists { "-" } else { "=" };
            let note = if *exists { "" } else { "  (is not there)" };
            writeln!(f, "{sign} {key}{note}")?;
        }
        self.report.fmt_notes(f)
    }
}
