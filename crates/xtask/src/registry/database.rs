//! The rows, in SQLite.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OptionalExtension, params};

use super::ApiToken;

const SCHEMA: &str = "
    create table api_tokens (
        id      text primary key,
        enabled integer not null check (enabled in (0, 1)),
        plan    text not null,
        tenant  text not null
    ) strict, without rowid";

/// An open database.
#[derive(Debug)]
pub(super) struct Database(Connection);

impl Database {
    /// Makes a new file with an empty table.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let connection =
            Connection::open(path).with_context(|| format!("opening {}", path.display()))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    /// A client's row.
    pub(super) fn get(&self, id: &str) -> Result<Option<ApiToken>> {
        let mut query = self
            .0
            .prepare("select id, enabled, plan, tenant from api_tokens where id = ?1")?;
        let row = query.query_row([id], |row| {
            Ok(ApiToken {
                id: row.get("id")?,
                enabled: row.get("enabled")?,
                plan: row.get("plan")?,
                tenant: row.get("tenant")?,
            })
        });
        Ok(row.optional()?)
    }

    /// Writes a client's row, whether or not there is one.
    pub(super) fn put(&self, row: &ApiToken) -> Result<()> {
        self.0.execute(
            "insert or replace into api_tokens (id, enabled, plan, tenant) values (?1, ?2, ?3, ?4)",
            params![row.id, row.enabled, row.plan, row.tenant],
        )?;
        Ok(())
    }

    /// Enables or disables a client that is there.
    pub(super) fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        let changed = self.0.execute(
            "update api_tokens set enabled = ?2 where id = ?1",
            params![id, enabled],
        )?;
        ensure!(changed == 1, "the registry has no client {id:?}");
        Ok(())
    }

    /// Takes a client's row away.
    pub(super) fn remove(&self, id: &str) -> Result<()> {
        self.0
            .execute("delete from api_tokens where id = ?1", [id])?;
        Ok(())
    }
}
