//! What the handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use noetl_api::server::BuildStamp;

use crate::credentials::Credentials;
use crate::executions::Executions;
use crate::sql::Sql;
use crate::store::{Ids, Store};

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) store: Store,
    pub(crate) ids: Arc<Ids>,
    pub(crate) executions: Arc<Executions>,
    pub(crate) credentials: Credentials,
    pub(crate) sql: Arc<Sql>,
    pub(crate) about: Arc<About>,
    /// The token that callers need; none when the server answers this machine alone.
    pub(crate) token: Option<Arc<str>>,
    /// Requests that were answered.
    pub(crate) requests: Arc<AtomicU64>,
}

/// What the server says of itself.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) build: BuildStamp,
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) started_at: i64,
}
