//! Why the store did not do what it was asked.

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement or a connection.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A value in it is not one that NoETL writes.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// It cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
    /// A later NoETL has changed its schema.
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
