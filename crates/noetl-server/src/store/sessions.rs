//! Sessions of web pages, by the hash of their cookie.

use super::database::Store;
use super::error::StoreError;

impl Store {
    /// Adds a session, and removes those that have expired.
    pub(crate) async fn insert_session(
        &self,
        hash: &str,
        token_hash: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM session WHERE expires_at <= $1")
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO session (hash, token_hash, expires_at) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(token_hash)
            .bind(expires_at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Whether a session has begun with the token of this hash, and has not ended.
    pub(crate) async fn has_session(
        &self,
        hash: &str,
        token_hash: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let found: Option<(i64,)> = sqlx::query_as(
            "SELECT expires_at FROM session WHERE hash = $1 AND token_hash = $2 AND expires_at > $3",
        )
        .bind(hash)
        .bind(token_hash)
        .bind(now)
        .fetch_optional(self.reader())
        .await?;
        Ok(found.is_some())
    }

    /// Ends a session.
    pub(crate) async fn delete_session(&self, hash: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM session WHERE hash = $1")
            .bind(hash)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}
