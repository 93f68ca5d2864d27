//! The state that handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use noetl_api::server::BuildStamp;

use crate::connections::Connections;
use crate::credentials::Credentials;
use crate::executions::Executions;
use crate::readiness::Readiness;
use crate::sessions::Sessions;
use crate::sql::Sql;
use crate::store::{Ids, Store};

/// The state that handlers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) store: Store,
    pub(crate) ids: Arc<Ids>,
    pub(crate) executions: Arc<Executions>,
    pub(crate) credentials: Credentials,
    pub(crate) sql: Arc<Sql>,
    pub(crate) about: Arc<About>,
    /// The token and the sessions of callers.
    pub(crate) sessions: Sessions,
    /// Whether the store can be written to.
    pub(crate) readiness: Arc<Readiness>,
    /// The server's connections.
    pub(crate) connections: Arc<Connections>,
    /// The number of requests since the start.
    pub(crate) requests: Arc<AtomicU64>,
}

/// Facts about this server.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) build: BuildStamp,
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) started_at: i64,
}
