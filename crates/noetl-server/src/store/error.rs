//! The errors of the store.

/// Why an operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement or a connection.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The store contains a value that NoETL did not write.
    #[error("the store contains an unreadable value: {0}")]
    Corrupt(String),
    /// The store cannot be used, for this reason.
    #[error("{0}")]
    Unusable(String),
    /// A later version of NoETL has changed the schema.
    #[error("the store has schema {found}, and this NoETL knows schemas up to {known}")]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest version that this NoETL knows.
        known: i64,
    },
}

impl StoreError {
    /// Whether a text was refused for its zero bytes, SQLSTATE `character_not_in_repertoire`.
    pub(crate) fn is_unstorable(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        error.code().as_deref() == Some("22021")
    }
}
