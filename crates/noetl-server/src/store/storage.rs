//! Where a store is.

use std::path::PathBuf;

use noetl_api::server::StorageKind;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL, which may hold a password and is never shown.
    Postgres {
        /// `postgres://…`
        url: String,
        /// The schema that the tables are in.
        schema: String,
    },
}

impl Storage {
    /// Which of the two it is.
    pub fn kind(&self) -> StorageKind {
        match self {
            Self::Sqlite(_) => StorageKind::Sqlite,
            Self::Postgres { .. } => StorageKind::Postgresql,
        }
    }
}
