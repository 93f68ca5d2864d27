//! Credentials, with encrypted data.

use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use crate::clock;

/// A credential, with encrypted data.
#[derive(Debug, Clone)]
pub(crate) struct CredentialRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) data_encrypted: String,
    pub(crate) meta: String,
    pub(crate) tags: String,
    pub(crate) description: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

from_row!(
    CredentialRow:
    id, name, kind = "type", data_encrypted, meta, tags, description, created_at, updated_at
);

const COLUMNS: &str =
    "id, name, type, data_encrypted, meta, tags, description, created_at, updated_at";

impl Store {
    /// Adds a credential, or replaces the one of its name.
    pub(crate) async fn put_credential(
        &self,
        row: &CredentialRow,
    ) -> Result<CredentialRow, StoreError> {
        let now = clock::now_ms();
        let statement = format!(
            "INSERT INTO credential ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
             ON CONFLICT (name) DO UPDATE SET type = excluded.type, data_encrypted = excluded.data_encrypted, \
             meta = excluded.meta, tags = excluded.tags, description = excluded.description, updated_at = excluded.updated_at \
             RETURNING {COLUMNS}"
        );
        let mut transaction = self.begin().await?;
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.kind)
            .bind(&row.data_encrypted)
            .bind(&row.meta)
            .bind(&row.tags)
            .bind(&row.description)
            .bind(now)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Returns the credential of that name, or of that id.
    pub(crate) async fn credential(&self, name: &str) -> Result<Option<CredentialRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM credential WHERE name = $1 OR id = $2 ORDER BY name = $1 DESC LIMIT 1"
        );
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(name)
            .bind(name.parse::<i64>().unwrap_or(-1))
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    /// Lists credentials by name. `kind` and `text` narrow the list.
    pub(crate) async fn credentials(
        &self,
        kind: Option<&str>,
        text: Option<&str>,
    ) -> Result<Vec<CredentialRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM credential WHERE (CAST($1 AS TEXT) IS NULL OR type = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR lower(name || ' ' || COALESCE(description, '')) LIKE $2 ESCAPE '!') ORDER BY name"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(kind)
            .bind(text.map(super::catalog::like))
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    pub(crate) async fn delete_credential(&self, id: i64) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let deleted = sqlx::query("DELETE FROM credential WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected() == 1)
    }
}
