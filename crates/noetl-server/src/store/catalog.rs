//! The catalog: playbooks by path and version.

use sqlx::AnyConnection;

use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use crate::clock;

/// A version of a playbook.
#[derive(Debug, Clone)]
pub(crate) struct CatalogEntry {
    pub(crate) catalog_id: i64,
    pub(crate) path: String,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) content: String,
    pub(crate) created_at: i64,
}

from_row!(CatalogEntry: catalog_id, path, version, kind, name, description, content, created_at);

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatalogFilter {
    pub(crate) kind: Option<String>,
    pub(crate) path: Option<String>,
    /// Part of a path, name or description.
    pub(crate) text: Option<String>,
    /// Only the latest version of each path.
    pub(crate) latest: bool,
    /// Whether their texts are wanted.
    pub(crate) content: bool,
}

const COLUMNS: &str =
    "c.catalog_id, c.path, c.version, c.kind, c.name, c.description, c.content, c.created_at";

/// The most bytes of texts in one list.
const LIST_BYTES: i64 = 4 << 20;

impl Store {
    /// Adds the next version of a path. Returns the entry with its `version` and `created_at`. With `base`, the version
    /// is added only when the latest is `base`, where 0 means that there is none; otherwise the latest is returned.
    pub(crate) async fn register(
        &self,
        mut entry: CatalogEntry,
        base: Option<i64>,
    ) -> Result<Result<CatalogEntry, i64>, StoreError> {
        let mut transaction = self.begin().await?;
        if self.is_postgres() {
            // Registrations of the same path wait for each other.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1))::text")
                .bind(&entry.path)
                .fetch_one(&mut *transaction)
                .await?;
        }
        // A deleted version that is kept for its executions keeps its number.
        let (latest, visible): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT MAX(version), MAX(CASE WHEN deleted_at IS NULL THEN version END) FROM catalog WHERE path = $1",
        )
        .bind(&entry.path)
        .fetch_one(&mut *transaction)
        .await?;
        let visible = visible.unwrap_or(0);
        if base.is_some_and(|base| base != visible) {
            transaction.rollback().await;
            return Ok(Err(visible));
        }
        let next = latest.unwrap_or(0).checked_add(1);
        entry.version = next.ok_or_else(|| {
            let what = format!("the latest version of playbook {}", entry.path);
            StoreError::corrupt(what, "it has no successor")
        })?;
        entry.created_at = clock::now_ms();
        sqlx::query(
            "INSERT INTO catalog (catalog_id, path, version, kind, name, description, content, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(entry.catalog_id)
        .bind(&entry.path)
        .bind(entry.version)
        .bind(&entry.kind)
        .bind(&entry.name)
        .bind(&entry.description)
        .bind(&entry.content)
        .bind(entry.created_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(entry))
    }

    /// Lists entries, newest first. The texts of the first, [`LIST_BYTES`] in all, are included; others are empty.
    pub(crate) async fn catalog(
        &self,
        filter: &CatalogFilter,
    ) -> Result<Vec<CatalogEntry>, StoreError> {
        let latest = if filter.latest {
            "AND c.version = (SELECT MAX(l.version) FROM catalog l WHERE l.path = c.path AND l.deleted_at IS NULL)"
        } else {
            ""
        };
        // Without their texts, the texts are not read either.
        let content = if filter.content {
            format!(
                "CASE WHEN SUM(OCTET_LENGTH(c.content)) OVER (ORDER BY c.catalog_id DESC) <= {LIST_BYTES} \
                 THEN c.content ELSE '' END"
            )
        } else {
            "''".to_owned()
        };
        let statement = format!(
            "SELECT c.catalog_id, c.path, c.version, c.kind, c.name, c.description, {content} AS content, \
             c.created_at FROM catalog c WHERE c.deleted_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR lower(c.kind) = lower($1)) \
             AND (CAST($2 AS TEXT) IS NULL OR c.path = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR lower(c.path || ' ' || c.name || ' ' || COALESCE(c.description, '')) LIKE $3 ESCAPE '!') \
             {latest} ORDER BY c.catalog_id DESC"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(&filter.kind)
            .bind(&filter.path)
            .bind(filter.text.as_deref().map(like))
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns a version of a path, or the latest.
    pub(crate) async fn entry(
        &self,
        path: &str,
        version: Option<i64>,
    ) -> Result<Option<CatalogEntry>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM catalog c WHERE c.path = $1 AND c.deleted_at IS NULL AND (CAST($2 AS BIGINT) IS NULL OR c.version = $2) \
             ORDER BY c.version DESC LIMIT 1"
        );
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(path)
            .bind(version)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    pub(crate) async fn entry_by_id(
        &self,
        catalog_id: i64,
    ) -> Result<Option<CatalogEntry>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM catalog c WHERE c.catalog_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(catalog_id)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    /// As [`Self::entry_by_id`], on a connection.
    pub(crate) async fn entry_by_id_in(
        connection: &mut AnyConnection,
        catalog_id: i64,
    ) -> Result<Option<CatalogEntry>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM catalog c WHERE c.catalog_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(catalog_id)
            .fetch_optional(connection)
            .await?;
        Ok(row)
    }

    /// Deletes a version of a path, or all of them. What executions that have ended still need stays in the store, but
    /// not in the catalog. Returns how many were deleted; none while an execution of one runs.
    pub(crate) async fn delete_entry(
        &self,
        path: &str,
        version: Option<i64>,
    ) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.begin().await?;
        let (running,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM execution WHERE path = $1 AND end_time IS NULL \
             AND (CAST($2 AS BIGINT) IS NULL OR version = $2)",
        )
        .bind(path)
        .bind(version)
        .fetch_one(&mut *transaction)
        .await?;
        if running > 0 {
            transaction.rollback().await;
            return Ok(None);
        }
        let chosen =
            "path = $1 AND deleted_at IS NULL AND (CAST($2 AS BIGINT) IS NULL OR version = $2)";
        let statement = format!(
            "DELETE FROM catalog WHERE {chosen} \
             AND NOT EXISTS (SELECT 1 FROM execution e WHERE e.catalog_id = catalog.catalog_id)"
        );
        let unneeded = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(path)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        let statement = format!("UPDATE catalog SET deleted_at = $3 WHERE {chosen}");
        let needed = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(path)
            .bind(version)
            .bind(clock::now_ms())
            .execute(&mut *transaction)
            .await?;
        let deleted = unneeded.rows_affected() + needed.rows_affected();
        transaction.commit().await?;
        Ok(Some(deleted))
    }
}

/// Returns a LIKE pattern for texts that contain `text`, with `!` before wildcards in `text`.
pub(super) fn like(text: &str) -> String {
    let text = text.to_lowercase();
    let text = text
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    format!("%{text}%")
}
