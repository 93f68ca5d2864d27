//! A cache of parsed playbooks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use noetl_engine::Playbook;

use super::error::RunError;
use crate::store::CatalogEntry;

/// How many bytes of text the kept playbooks have.
const CAPACITY_BYTES: usize = 16 << 20;

/// Playbooks by the id of their version.
#[derive(Debug, Default)]
pub(super) struct Playbooks(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    playbooks: HashMap<i64, Arc<Playbook>>,
    bytes: usize,
}

impl Playbooks {
    /// Returns the playbook of a catalog entry. Fails when the playbook cannot run.
    pub(super) fn get(&self, entry: &CatalogEntry) -> Result<Arc<Playbook>, RunError> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().playbooks.get(&entry.catalog_id) {
            return Ok(Arc::clone(known));
        }
        let file = format!("{}@{}", entry.path, entry.version);
        let playbook = Playbook::parse(&file, &entry.content).map_err(RunError::Invalid)?;
        let playbook = Arc::new(playbook);
        let mut kept = kept();
        if kept.bytes > CAPACITY_BYTES {
            *kept = Kept::default();
        }
        kept.bytes += entry.content.len();
        kept.playbooks
            .insert(entry.catalog_id, Arc::clone(&playbook));
        Ok(playbook)
    }
}
