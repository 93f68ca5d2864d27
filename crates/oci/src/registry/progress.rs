//! What a caller is told while blobs are sent.

use crate::model::Descriptor;
use crate::registry::upload::Stored;

/// Is told of the progress of a push, from several threads. Every method does nothing unless it is replaced.
pub trait Progress: Sync {
    /// The blobs have so many bytes in all.
    fn start(&self, total: u64) {
        _ = total;
    }

    /// A blob is in the repository now.
    fn stored(&self, blob: &Descriptor, how: Stored) {
        _ = (blob, how);
    }

    /// All blobs are in the repository.
    fn finish(&self) {}
}

/// Progress that nobody is told of.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
