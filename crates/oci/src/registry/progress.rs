//! Reports the progress of a push.

use crate::model::Descriptor;
use crate::registry::upload::Stored;

/// Receives the progress of a push, from several threads. The methods do nothing by default.
pub trait Progress: Sync {
    /// Called before blobs are sent; `total` is the size of all blobs in bytes.
    fn start(&self, total: u64) {
        _ = total;
    }

    /// Called when a blob is stored in the repository.
    fn stored(&self, blob: &Descriptor, how: Stored) {
        _ = (blob, how);
    }

    /// Called when all blobs are stored in the repository.
    fn finish(&self) {}
}

/// Ignores the progress.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
