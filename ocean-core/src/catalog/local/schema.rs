//! The tables.

use rusqlite::Connection;

// Raised with every change of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
create table entities (
    blueprint text not null,
    identifier text not null,
    title text,
    icon text,
    team text not null default 'null',
    properties text not null default '{}',
    relations text not null default '{}',
    datasource text not null,
    created_at text not null,
    updated_at text not null,
    primary key (blueprint, identifier)
) without rowid;
create table links (
    blueprint text not null,
    identifier text not null,
    relation text not null,
    target_blueprint text not null,
    target text not null,
    primary key (blueprint, identifier, relation, target)
) without rowid;
create index links_by_target on links (target_blueprint, target);
create table blueprints (identifier text primary key, definition text not null) without rowid;
create table settings (name text primary key, value text not null) without rowid;
pragma user_version = 1;
";

/// Makes the tables in a new file; refuses one of a newer version.
pub(super) fn set_up(connection: &Connection) -> Result<(), String> {
    let result = (|| -> rusqlite::Result<i64> {
        // Readers such as `sqlite3` and the command line are not in the way of the writer.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(32);
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            connection.execute_batch(&format!("begin; {TABLES} commit;"))?;
        }
        Ok(version)
    })();
    match result {
        Ok(version) if version > VERSION => Err(format!(
            "its tables have version {version}, this program knows {VERSION}"
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
