//! Workers that have registered, and the shards of servers.

use super::database::Store;
use super::error::StoreError;
use super::ids::SHARDS;
use super::row::from_row;

/// A server that takes a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerRow<'a> {
    /// The name under which it holds commands.
    pub(crate) name: &'a str,
    /// Whether it made its encryption key itself.
    pub(crate) own_key: bool,
    /// How many commands it runs at once.
    pub(crate) slots: i64,
}

/// A worker.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeRow {
    pub(crate) runtime_id: i64,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) runtime: String,
    pub(crate) capacity: i64,
    pub(crate) labels: String,
    pub(crate) pid: Option<i64>,
    pub(crate) hostname: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) heartbeat: i64,
}

from_row!(
    RuntimeRow:
    runtime_id, name, kind, runtime, capacity, labels, pid, hostname, started_at, heartbeat
);

const COLUMNS: &str =
    "runtime_id, name, kind, runtime, capacity, labels, pid, hostname, started_at, heartbeat";

impl Store {
    /// Adds a worker, or replaces the one of its name. Returns its id.
    pub(crate) async fn put_runtime(&self, row: &RuntimeRow) -> Result<i64, StoreError> {
        let statement = format!(
            "INSERT INTO runtime ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (kind, name) DO UPDATE SET runtime = excluded.runtime, capacity = excluded.capacity, \
             labels = excluded.labels, pid = excluded.pid, hostname = excluded.hostname, started_at = excluded.started_at, \
             heartbeat = excluded.heartbeat RETURNING runtime_id"
        );
        let mut transaction = self.begin().await?;
        let (id,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(row.runtime_id)
            .bind(&row.name)
            .bind(&row.kind)
            .bind(&row.runtime)
            .bind(row.capacity)
            .bind(&row.labels)
            .bind(row.pid)
            .bind(&row.hostname)
            .bind(row.started_at)
            .bind(row.heartbeat)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Sets the time of a worker's last heartbeat. Returns false when the worker is not registered.
    pub(crate) async fn heartbeat(
        &self,
        kind: &str,
        name: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let known = sqlx::query("UPDATE runtime SET heartbeat = $3 WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(known.rows_affected() == 1)
    }

    pub(crate) async fn delete_runtime(&self, kind: &str, name: &str) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let known = sqlx::query("DELETE FROM runtime WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(known.rows_affected() == 1)
    }

    /// Lists workers by name, with the number of commands that each holds. The slots of a server count as a worker of
    /// the runtime `server`.
    pub(crate) async fn runtimes(
        &self,
        kind: &str,
        now: i64,
    ) -> Result<Vec<(RuntimeRow, i64)>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM runtime WHERE kind = $1 UNION ALL \
             SELECT shard, server, $1, 'server', slots, '{{}}', NULL, NULL, started_at, heartbeat FROM shard WHERE slots > 0 \
             ORDER BY name"
        );
        let rows: Vec<RuntimeRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(kind)
            .fetch_all(self.reader())
            .await?;
        let held: Vec<(String, i64)> = sqlx::query_as(
            "SELECT worker_id, COUNT(*) FROM command WHERE worker_id IS NOT NULL AND lease_until >= $1 GROUP BY worker_id",
        )
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let held = held
                    .iter()
                    .find(|(worker, _)| *worker == row.name)
                    .map_or(0, |(_, count)| *count);
                (row, held)
            })
            .collect())
    }

    /// Takes a free shard for a server, or one that its server has not kept since `stale`. Fails when servers with
    /// different keys would share the store.
    pub(crate) async fn take_shard(
        &self,
        server: ServerRow<'_>,
        now: i64,
        stale: i64,
    ) -> Result<i64, StoreError> {
        let own_key = server.own_key;
        let mut transaction = self.begin().await?;
        if self.is_postgres() {
            sqlx::query("SELECT pg_advisory_xact_lock(8083)::text")
                .fetch_one(&mut *transaction)
                .await?;
        }
        // A shard with an own key is this server's from before a restart: its key fits the store, and the folder
        // with the key is locked.
        sqlx::query("DELETE FROM shard WHERE heartbeat < $1 OR (own_key = 1 AND $2 = 1)")
            .bind(stale)
            .bind(i64::from(own_key))
            .execute(&mut *transaction)
            .await?;
        let taken: Vec<(i64, i64)> =
            sqlx::query_as("SELECT shard, own_key FROM shard ORDER BY shard")
                .fetch_all(&mut *transaction)
                .await?;
        if !taken.is_empty() && (own_key || taken.iter().any(|(_, own)| *own != 0)) {
            return Err(StoreError::Unusable(
                "another server uses this database, and one of the two made its own encryption key"
                    .to_owned(),
            ));
        }
        let free = (0..SHARDS).find(|shard| taken.iter().all(|(used, _)| used != shard));
        let Some(shard) = free else {
            return Err(StoreError::Unusable(format!(
                "{SHARDS} servers use this database already"
            )));
        };
        sqlx::query(
            "INSERT INTO shard (shard, server, own_key, heartbeat, slots, started_at) VALUES ($1, $2, $3, $4, $5, $4)",
        )
        .bind(shard)
        .bind(server.name)
        .bind(i64::from(own_key))
        .bind(now)
        .bind(server.slots)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(shard)
    }

    /// Says that the shard's server runs, and sets the clock of leases.
    pub(crate) async fn keep_shard(&self, shard: i64) -> Result<(), StoreError> {
        self.set_clock().await?;
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE shard SET heartbeat = $2 WHERE shard = $1")
            .bind(shard)
            .bind(self.clock().now())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    pub(crate) async fn free_shard(&self, shard: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM shard WHERE shard = $1")
            .bind(shard)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::new_store;

    #[tokio::test]
    async fn servers_share_a_store_when_they_share_a_key() {
        let (_folder, store) = new_store().await;
        let take = async |own_key, now, stale| {
            let server = ServerRow {
                name: "s",
                own_key,
                slots: 4,
            };
            store.take_shard(server, now, stale).await
        };
        assert_eq!(take(false, 100, 0).await.unwrap(), 0);
        assert_eq!(take(false, 200, 0).await.unwrap(), 1);
        let error = take(true, 300, 0).await.unwrap_err();
        assert!(matches!(error, StoreError::Unusable(_)), "{error}");
        // The first has been silent for too long, and its shard is free again.
        assert_eq!(take(false, 300, 150).await.unwrap(), 0);
        store.free_shard(0).await.unwrap();
        store.free_shard(1).await.unwrap();
        assert_eq!(take(true, 400, 0).await.unwrap(), 0);
        assert_eq!(
            take(true, 500, 0).await.unwrap(),
            0,
            "its own after a restart"
        );
    }
}
