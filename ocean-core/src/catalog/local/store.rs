//! Reads and writes of the file, one transaction per event.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::{Map, Value};

use super::{
    Browse, CatalogError, ChangeSet, Entity, EntityKey, StoredEntity, Written,
    search::{is_search, matches},
    wire::{WireEntity, targets, without},
};
use crate::{
    catalog::{Identifier, WriteOptions, port::IntegrationName},
    clock::Clock,
};

const COLUMNS: &str = "blueprint, identifier, title, icon, team, properties, relations, \
                       datasource, created_at, updated_at";

/// The open file.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    datasource: String,
    owner: [String; 2],
    clock: Clock,
}

type Fate = Result<Written, CatalogError>;

impl Store {
    pub(super) fn new(connection: Connection, owner: &IntegrationName, clock: Clock) -> Self {
        let IntegrationName {
            kind,
            identifier,
            version,
        } = owner;
        Self {
            connection,
            // As Port keeps it, so that ownership works the same.
            datasource: format!("port-ocean/{kind}/{version}/{identifier}/exporter"),
            owner: [
                format!("port-ocean/{kind}/"),
                format!("/{identifier}/exporter"),
            ],
            clock,
        }
    }

    pub(super) fn apply(&mut self, changes: &ChangeSet) -> rusqlite::Result<Vec<Fate>> {
        let now = self.clock.now().to_string();
        let transaction = self.connection.transaction()?;
        let write = Write {
            transaction: &transaction,
            datasource: &self.datasource,
            owner: &self.owner,
            options: changes.options,
            now: &now,
        };
        let mut fates = Vec::with_capacity(changes.upserts.len() + changes.deletes.len());
        for entity in &changes.upserts {
            fates.push(write.upsert(entity)?);
        }
        fates.extend(write.deletes(&changes.deletes)?);
        transaction.commit()?;
        Ok(fates)
    }

    pub(super) fn list(&self, browse: &Browse) -> rusqlite::Result<Vec<StoredEntity>> {
        let (after_blueprint, after) = browse.after.clone().unwrap_or_default();
        let mut statement = self.connection.prepare_cached(&format!(
            "select {COLUMNS} from entities
             where (blueprint, identifier) > (?1, ?2) and (?3 is null or blueprint = ?3)
             order by blueprint, identifier limit ?4"
        ))?;
        let limit = i64::try_from(browse.limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(
            params![after_blueprint, after, browse.blueprint, limit],
            entity_of,
        )?;
        rows.collect()
    }

    pub(super) fn get(
        &self,
        blueprint: &str,
        identifier: &str,
    ) -> rusqlite::Result<Option<StoredEntity>> {
        get(&self.connection, blueprint, identifier)
    }

    pub(super) fn find(&self, key: &EntityKey) -> rusqlite::Result<Option<StoredEntity>> {
        match &key.identifier {
            Identifier::Text(text) => get(&self.connection, &key.blueprint, text),
            Identifier::Json(search) => {
                let found = find(&self.connection, &key.blueprint, search)?;
                Ok(found.into_iter().next())
            }
        }
    }

    pub(super) fn counts(&self) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut statement = self.connection.prepare_cached(
            "select blueprint, count(*) from entities group by blueprint order by blueprint",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        rows.map(|row| row.map(|(name, count)| (name, count.unsigned_abs())))
            .collect()
    }

    pub(super) fn app_config(&self) -> rusqlite::Result<Option<Value>> {
        self.connection
            .query_row(
                "select value from settings where name = 'app_config'",
                [],
                |row| json_column(row, 0),
            )
            .optional()
    }

    pub(super) fn set_app_config(&mut self, config: &Value) -> rusqlite::Result<()> {
        self.connection
            .execute(
                "insert into settings values ('app_config', ?1)
                 on conflict do update set value = excluded.value",
                params![config.to_string()],
            )
            .map(drop)
    }

    /// Stores what is missing: what is there may have been edited.
    pub(super) fn prepare(&mut self, config: &Value, blueprints: &[Value]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "insert or ignore into settings values ('app_config', ?1)",
            params![config.to_string()],
        )?;
        for blueprint in blueprints {
            transaction.execute(
                "insert or ignore into blueprints values (?1, ?2)",
                params![
                    blueprint["identifier"].as_str().unwrap_or_default(),
                    blueprint.to_string()
                ],
            )?;
        }
        transaction.commit()
    }
}

// === Write ===

/// The writes of one event.
struct Write<'a> {
    transaction: &'a Transaction<'a>,
    datasource: &'a str,
    owner: &'a [String; 2],
    options: WriteOptions,
    now: &'a str,
}

/// A relation of a blueprint.
struct Relation {
    target: String,
    is_required: bool,
}

impl Write<'_> {
    fn upsert(&self, entity: &Entity) -> rusqlite::Result<Fate> {
        let blueprint = &*entity.key.blueprint;
        let wire: WireEntity = match serde_json::from_slice(&entity.json) {
            Ok(wire) => wire,
            Err(error) => return Ok(refused(format!("{} is not an entity: {error}", entity.key))),
        };
        let identifier = match &entity.key.identifier {
            Identifier::Text(text) if !text.is_empty() => text.to_string(),
            Identifier::Json(text) if text.starts_with('{') => {
                match self.search(blueprint, text)?.first() {
                    Some(found) => found.clone(),
                    // Port names the entity "unknown"; there is nothing to update.
                    None => return Ok(Ok(Written::Skipped)),
                }
            }
            other => return Ok(refused(format!("the identifier `{other}` is not text"))),
        };
        let known = get(self.transaction, blueprint, &identifier)?;
        let is_new = known.is_none();
        let mut stored = known.unwrap_or_else(|| self.barebones(blueprint, &identifier));
        wire.write_into(&mut stored, self.options.merge);
        self.now.clone_into(&mut stored.updated_at);
        self.datasource.clone_into(&mut stored.datasource);

        let links = match self.links(&mut stored)? {
            Ok(links) => links,
            Err(missing) => return Ok(Err(missing)),
        };
        self.put(&stored)?;
        self.transaction
            .prepare_cached("delete from links where blueprint = ?1 and identifier = ?2")?
            .execute(params![blueprint, identifier])?;
        for (relation, target_blueprint, target) in links {
            self.transaction
                .prepare_cached("insert or ignore into links values (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![
                    blueprint,
                    identifier,
                    relation,
                    target_blueprint,
                    target
                ])?;
        }
        Ok(Ok(if is_new {
            Written::Created
        } else {
            Written::Updated
        }))
    }

    /// Resolves search objects in relations, and creates missing targets or refuses them. Relations
    /// that the blueprint does not declare are kept and lead nowhere.
    #[expect(
        clippy::type_complexity,
        reason = "relation, target's blueprint, target"
    )]
    fn links(
        &self,
        entity: &mut StoredEntity,
    ) -> rusqlite::Result<Result<Vec<(String, String, String)>, CatalogError>> {
        let mut links = Vec::new();
        let Value::Object(relations) = &mut entity.relations else {
            return Ok(Ok(links));
        };
        for (name, value) in relations {
            let relation = self.relation(&entity.blueprint, name)?;
            if is_search(value) {
                let blueprint = relation.as_ref().map(|relation| &*relation.target);
                let found = self.search(blueprint.unwrap_or_default(), &value.to_string())?;
                *value = found.first().cloned().into();
            }
            let Some(relation) = relation else { continue };
            for target in targets(value) {
                let is_itself = relation.target == entity.blueprint && target == entity.identifier;
                if !is_itself && get(self.transaction, &relation.target, target)?.is_none() {
                    if !self.options.create_missing_related_entities {
                        return Ok(Err(CatalogError::Retry {
                            message: format!(
                                "not_found: `{name}` of {}/{} leads to {}/{target}, which does \
                                 not exist",
                                entity.blueprint, entity.identifier, relation.target
                            )
                            .into(),
                            after: None,
                        }));
                    }
                    self.put(&self.barebones(&relation.target, target))?;
                }
                links.push((name.clone(), relation.target.clone(), target.to_owned()));
            }
        }
        Ok(Ok(links))
    }

    /// Deletes what is there and ours. Without dependents being taken along, what others require
    /// goes after them, as far as they go too.
    fn deletes(&self, keys: &[EntityKey]) -> rusqlite::Result<Vec<Fate>> {
        let mut fates: Vec<Option<Fate>> = vec![None; keys.len()];
        loop {
            let mut is_progress = false;
            for (key, fate) in keys.iter().zip(&mut fates) {
                if !matches!(fate, None | Some(Err(CatalogError::Retry { .. }))) {
                    continue;
                }
                let next = self.delete_key(key)?;
                is_progress |= next.is_ok();
                *fate = Some(next);
            }
            if !is_progress {
                break;
            }
        }
        Ok(fates.into_iter().flatten().collect())
    }

    fn delete_key(&self, key: &EntityKey) -> rusqlite::Result<Fate> {
        let identifiers = match &key.identifier {
            Identifier::Text(text) => vec![text.to_string()],
            Identifier::Json(text) if text.starts_with('{') => self.search(&key.blueprint, text)?,
            other @ Identifier::Json(_) => {
                return Ok(refused(format!("the identifier `{other}` is not text")));
            }
        };
        let mut fate = Ok(Written::Absent);
        for identifier in identifiers {
            let Some(found) = get(self.transaction, &key.blueprint, &identifier)? else {
                continue;
            };
            if !self
                .owner
                .iter()
                .all(|part| found.datasource.contains(part))
            {
                continue;
            }
            match self.delete(&key.blueprint, &identifier, &mut HashSet::new())? {
                true => fate = Ok(Written::Deleted),
                false => {
                    return Ok(Err(CatalogError::Retry {
                        message: format!("entities depend on {key}").into(),
                        after: None,
                    }));
                }
            }
        }
        Ok(fate)
    }

    /// Deletes an entity with those that require it, or not at all; relations that do not require
    /// it are emptied.
    fn delete(
        &self,
        blueprint: &str,
        identifier: &str,
        visited: &mut HashSet<(String, String)>,
    ) -> rusqlite::Result<bool> {
        if !visited.insert((blueprint.to_owned(), identifier.to_owned())) {
            return Ok(true);
        }
        let mut loose = Vec::new();
        for (other_blueprint, other, name) in self.sources(blueprint, identifier)? {
            if (&*other_blueprint, &*other) == (blueprint, identifier) {
                continue;
            }
            let relation = self.relation(&other_blueprint, &name)?;
            if !relation.is_some_and(|relation| relation.is_required) {
                loose.push((other_blueprint, other, name));
            } else if !self.options.delete_dependents {
                return Ok(false);
            } else {
                self.delete(&other_blueprint, &other, visited)?;
            }
        }
        for (other_blueprint, other, name) in loose {
            if let Some(mut source) = get(self.transaction, &other_blueprint, &other)? {
                source.relations[&*name] = without(&source.relations[&*name], identifier);
                self.put(&source)?;
            }
        }
        for sql in [
            "delete from entities where blueprint = ?1 and identifier = ?2",
            "delete from links where blueprint = ?1 and identifier = ?2",
            "delete from links where target_blueprint = ?1 and target = ?2",
        ] {
            self.transaction
                .prepare_cached(sql)?
                .execute(params![blueprint, identifier])?;
        }
        Ok(true)
    }

    /// Blueprint, identifier and relation of those that relate to an entity.
    fn sources(
        &self,
        blueprint: &str,
        identifier: &str,
    ) -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut statement = self.transaction.prepare_cached(
            "select blueprint, identifier, relation from links
             where target_blueprint = ?1 and target = ?2",
        )?;
        let rows = statement.query_map(params![blueprint, identifier], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.collect()
    }

    fn relation(&self, blueprint: &str, name: &str) -> rusqlite::Result<Option<Relation>> {
        let mut statement = self
            .transaction
            .prepare_cached("select definition from blueprints where identifier = ?1")?;
        let definition: Option<Value> = statement
            .query_row(params![blueprint], |row| json_column(row, 0))
            .optional()?;
        let found = definition.as_ref().map(|found| &found["relations"][name]);
        Ok(found.and_then(|relation| {
            Some(Relation {
                target: relation["target"].as_str()?.to_owned(),
                is_required: relation["required"] == true,
            })
        }))
    }

    /// Identifiers of a blueprint's entities that a search object finds.
    fn search(&self, blueprint: &str, search: &str) -> rusqlite::Result<Vec<String>> {
        let found = find(self.transaction, blueprint, search)?;
        Ok(found.into_iter().map(|entity| entity.identifier).collect())
    }

    fn put(&self, entity: &StoredEntity) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(&format!(
                "insert or replace into entities ({COLUMNS})
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ))?
            .execute(params![
                entity.blueprint,
                entity.identifier,
                entity.title,
                entity.icon,
                entity.team.to_string(),
                entity.properties.to_string(),
                entity.relations.to_string(),
                entity.datasource,
                entity.created_at,
                entity.updated_at,
            ])
            .map(drop)
    }

    /// An entity with nothing but its name.
    fn barebones(&self, blueprint: &str, identifier: &str) -> StoredEntity {
        StoredEntity {
            identifier: identifier.to_owned(),
            blueprint: blueprint.to_owned(),
            title: None,
            icon: None,
            team: Value::Null,
            properties: Map::new().into(),
            relations: Map::new().into(),
            datasource: self.datasource.to_owned(),
            created_at: self.now.to_owned(),
            updated_at: self.now.to_owned(),
        }
    }
}

/// Those of a blueprint that a search object finds, in order of their identifiers.
fn find(
    connection: &Connection,
    blueprint: &str,
    search: &str,
) -> rusqlite::Result<Vec<StoredEntity>> {
    let search: Value = serde_json::from_str(search).unwrap_or_default();
    if !is_search(&search) {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&format!(
        "select {COLUMNS} from entities where blueprint = ?1 order by identifier"
    ))?;
    let entities = statement.query_map(params![blueprint], entity_of)?;
    entities
        .filter(|entity| entity.as_ref().map_or(true, |it| matches(&search, it)))
        .collect()
}

fn get(
    connection: &Connection,
    blueprint: &str,
    identifier: &str,
) -> rusqlite::Result<Option<StoredEntity>> {
    connection
        .prepare_cached(&format!(
            "select {COLUMNS} from entities where blueprint = ?1 and identifier = ?2"
        ))?
        .query_row(params![blueprint, identifier], entity_of)
        .optional()
}

/// A row of [`COLUMNS`].
fn entity_of(row: &Row<'_>) -> rusqlite::Result<StoredEntity> {
    Ok(StoredEntity {
        blueprint: row.get(0)?,
        identifier: row.get(1)?,
        title: row.get(2)?,
        icon: row.get(3)?,
        team: json_column(row, 4)?,
        properties: json_column(row, 5)?,
        relations: json_column(row, 6)?,
        datasource: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

// The file can be edited by hand, so JSON in it may be broken.
fn json_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Value> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

fn refused(message: String) -> Fate {
    Err(CatalogError::Permanent {
        message: message.into(),
    })
}
