//! Health, sessions and the build stamp.

use serde::{Deserialize, Serialize};

use crate::AnswerStatus;

/// The health of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`.
    pub status: AnswerStatus,
}

/// The answer at `/` of a server without a web page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// One sentence for people.
    pub message: String,
}

/// What the binary was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BuildStamp {
    /// The version of this list of fields.
    pub schema: u32,
    /// `noetl`.
    pub name: String,
    /// The version.
    pub version: String,
    /// The commit; empty when it is not known.
    pub commit: String,
    /// The target triple.
    pub target: String,
    /// The processor's features that the compiler used.
    pub target_features: String,
    /// The compiler.
    pub rustc: String,
    /// The hash of the embedded page.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ui_sha256: Option<String>,
    /// The port that the server takes when none is given.
    pub default_port: u16,
    /// Whether a page is embedded.
    pub ui_embedded: bool,
}

/// The part of a [`BuildStamp`] that every version of the server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildName {
    /// `noetl`.
    pub name: String,
    /// The version.
    pub version: String,
}

/// The status of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerInfo {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// The version.
    pub version: String,
    /// The server's name.
    pub server_name: String,
    /// Where the store is.
    pub storage: StorageKind,
    /// The folder of the store, the keys and the log.
    pub data_dir: String,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// How long it has run.
    pub uptime_seconds: f64,
    /// Executions whose first step waits for a worker.
    pub pending_executions: i64,
    /// Executions that run.
    pub running_executions: i64,
    /// Commands without an outcome.
    pub pending_commands: i64,
    /// What callers need.
    pub auth: AuthKind,
}

word_enum! {
    /// Where a store is.
    StorageKind {
        /// A file.
        Sqlite = "sqlite",
        /// A PostgreSQL database.
        Postgresql = "postgresql",
    }
}

word_enum! {
    /// What a caller of the API needs.
    AuthKind {
        /// Nothing: the server answers this machine alone.
        None = "none",
        /// The server's token.
        Token = "token",
    }
}

/// A token to exchange for a cookie.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRequest {
    /// The token.
    pub token: String,
}

/// Whether a session is needed, and whether the caller has one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionState {
    /// Whether one is needed.
    pub required: bool,
    /// Whether the caller has one.
    pub authenticated: bool,
}
