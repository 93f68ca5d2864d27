//! Credentials, which are encrypted in the store.

use std::sync::Arc;

use noetl_engine::{Credential, Failure};
use serde_json::{Map, Value};

use crate::store::{CredentialRow, Ids, Store, StoreError};
use crate::vault::{Vault, VaultError};

/// The type of the credentials that are secrets of a keychain.
pub(crate) const KEYCHAIN: &str = "keychain";

/// Why a credential could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A credential to store; `meta` and `tags` are JSON text.
#[derive(Debug)]
pub(crate) struct NewCredential {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) data: Map<String, Value>,
    pub(crate) meta: String,
    pub(crate) tags: String,
    pub(crate) description: Option<String>,
}

/// The credentials of the store, and the key that they are encrypted with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    store: Store,
    ids: Arc<Ids>,
    vault: Arc<Vault>,
}

impl Credentials {
    pub(crate) fn new(store: Store, ids: Arc<Ids>, vault: Vault) -> Self {
        Self {
            store,
            ids,
            vault: Arc::new(vault),
        }
    }

    /// Returns the credential of that name with its decrypted data.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Credential>, CredentialError> {
        let Some(row) = self.store.credential(name).await? else {
            return Ok(None);
        };
        let text = self.vault.decrypt(&row.data_encrypted)?;
        let data = serde_json::from_str(&text)
            .map_err(|error| StoreError::corrupt(format!("credential {}", row.name), error))?;
        Ok(Some(Credential {
            name: row.name,
            kind: row.kind,
            data,
        }))
    }

    /// As [`Self::get`], with the error that a tool returns.
    pub(crate) async fn for_tool(&self, name: &str) -> Result<Option<Credential>, Failure> {
        self.get(name).await.map_err(|error| {
            Failure::retryable(
                "auth",
                format!("credential `{name}` cannot be read: {error}"),
            )
        })
    }

    /// Stores a credential, or replaces the one of its name.
    pub(crate) async fn put(
        &self,
        credential: NewCredential,
    ) -> Result<CredentialRow, CredentialError> {
        let data = Value::Object(credential.data).to_string();
        let row = CredentialRow {
            id: self.ids.next(),
            name: credential.name,
            kind: credential.kind,
            data_encrypted: self.vault.encrypt(&data)?,
            meta: credential.meta,
            tags: credential.tags,
            description: credential.description,
            created_at: 0,
            updated_at: 0,
        };
        Ok(self.store.put_credential(&row).await?)
    }
}
