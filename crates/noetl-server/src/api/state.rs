//! What the handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use noetl_api::server::BuildStamp;

use crate::runs::Runs;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) runs: Arc<Runs>,
    pub(crate) build: Arc<BuildStamp>,
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) started_at: i64,
    /// The token that callers need; none when the server answers this machine alone.
    pub(crate) token: Option<Arc<str>>,
    pub(crate) requests: Arc<AtomicU64>,
}
