//! The errors of the store.

/// Why an operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement or a connection.
    #[error("the store failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The store contains a value that NoETL did not write.
    #[error("{what} cannot be read from the store: {why}")]
    Corrupt {
        /// What the value is, such as `the payload of execution 5`.
        what: String,
        /// Why it cannot be read. It may contain parts of the value.
        why: String,
    },
    /// The store cannot be used, for this reason.
    #[error("{0}")]
    Unusable(String),
    /// The transactions before did not end in time.
    #[error("the store is busy: the transactions before have not ended")]
    Busy,
    /// A later version of NoETL has changed the schema.
    #[error("the store has schema {found}, and this NoETL knows schemas up to {known}")]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest version that this NoETL knows.
        known: i64,
    },
}

/// A state of the store's disk or server that somebody can correct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No room is left.
    DiskFull,
    /// Nothing can be written.
    ReadOnly,
    /// Reading or writing the file fails.
    DiskFails,
    /// The file cannot be opened.
    CannotOpen,
    /// The file's content is damaged, or it never was a database.
    NotADatabase,
    /// All connections are in use.
    NoConnection,
    /// The database's server cannot be reached, or has ended the connection.
    Unreachable,
}

impl Cause {
    /// A clause on the store, such as `its disk is full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "its disk is full",
            Self::ReadOnly => "it can be read but not written",
            Self::DiskFails => "its file cannot be read or written",
            Self::CannotOpen => "its file cannot be opened",
            Self::NotADatabase => "its file is damaged, or is not a database",
            Self::NoConnection => "all its connections are in use",
            Self::Unreachable => "its database does not answer",
        }
    }

    /// How to correct it.
    pub const fn help(self) -> &'static str {
        match self {
            Self::DiskFull => {
                "make room on the disk of the store; the server then goes on by itself"
            }
            Self::ReadOnly => {
                "make the disk and the database writable; the server then goes on by itself"
            }
            Self::DiskFails | Self::CannotOpen => {
                "check the disk, the file noetl.db in the data folder and its permissions"
            }
            Self::NotADatabase => {
                "restore noetl.db of the data folder from a backup, or name another folder with --data-dir"
            }
            Self::NoConnection => {
                "allow the database more connections (max_connections), or try again later"
            }
            Self::Unreachable => "check the database's server and DATABASE_URL or POSTGRES_*",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { index, source } => {
                Self::corrupt(format!("the column {index} of a row"), source)
            }
            sqlx::Error::Decode(source) => Self::corrupt("a value", source),
            error => Self::Database(error),
        }
    }
}

impl StoreError {
    /// A value that NoETL did not write.
    pub(crate) fn corrupt(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what: what.into(),
            why: why.to_string(),
        }
    }

    /// Whether a text was refused for its zero bytes, SQLSTATE `character_not_in_repertoire`.
    pub(crate) fn is_unstorable(&self) -> bool {
        self.code().as_deref() == Some("22021")
    }

    /// The state of the store that led to the error, when it is known.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Busy | Self::Database(sqlx::Error::PoolTimedOut) => {
                return Some(Cause::NoConnection);
            }
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => {
                return Some(Cause::Unreachable);
            }
            _ => {}
        }
        let code = self.code()?;
        // SQLSTATE has five characters, and SQLite's result code is a number: its last byte is the primary code.
        if code.len() == 5 {
            return match code.as_str() {
                "53100" => Some(Cause::DiskFull),
                "25006" => Some(Cause::ReadOnly),
                "58030" => Some(Cause::DiskFails),
                "53300" => Some(Cause::NoConnection),
                "57P01" | "57P02" | "57P03" => Some(Cause::Unreachable),
                _ => None,
            };
        }
        match code.parse::<u32>().ok()? & 0xff {
            8 => Some(Cause::ReadOnly),
            10 => Some(Cause::DiskFails),
            11 | 26 => Some(Cause::NotADatabase),
            13 => Some(Cause::DiskFull),
            14 => Some(Cause::CannotOpen),
            _ => None,
        }
    }

    /// The database's own code.
    fn code(&self) -> Option<String> {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return None;
        };
        error.code().map(std::borrow::Cow::into_owned)
    }
}
