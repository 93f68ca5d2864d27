//! A cache of parsed playbooks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use noetl_engine::Playbook;

use super::error::RunError;
use crate::store::CatalogEntry;

/// How many playbooks are kept.
const CAPACITY: usize = 2_000;

/// Playbooks by the id of their version.
#[derive(Debug, Default)]
pub(super) struct Playbooks(Mutex<HashMap<i64, Arc<Playbook>>>);

impl Playbooks {
    /// Returns the playbook of a catalog entry. Fails when the playbook cannot run.
    pub(super) fn get(&self, entry: &CatalogEntry) -> Result<Arc<Playbook>, RunError> {
        let mut playbooks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = playbooks.get(&entry.catalog_id) {
            return Ok(Arc::clone(known));
        }
        let file = format!("{}@{}", entry.path, entry.version);
        let playbook = Playbook::parse(&file, &entry.content).map_err(RunError::Invalid)?;
        let playbook = Arc::new(playbook);
        if playbooks.len() >= CAPACITY {
            playbooks.clear();
        }
        playbooks.insert(entry.catalog_id, Arc::clone(&playbook));
        Ok(playbook)
    }
}
