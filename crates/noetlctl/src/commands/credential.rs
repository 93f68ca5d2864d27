//! Credentials of a server, for the tools of playbooks that run on this machine.

use noetl_api::credential::{CredentialItem, CredentialQuery};
use noetl_engine::{Credential, Failure};

use crate::client::error::Error;
use crate::client::{Client, encode};

/// Requests a credential with its data. Returns `None` when the server does not have it.
pub(super) fn request(client: &Client, name: &str) -> Result<Option<Credential>, Error> {
    let path = format!("/api/credentials/{}", encode(name));
    let query = CredentialQuery {
        include_data: Some(true),
    };
    match client.get(&path, &query) {
        Ok(CredentialItem {
            name, kind, data, ..
        }) => Ok(Some(Credential {
            name,
            kind,
            data: data.unwrap_or_default(),
        })),
        Err(error) if error.status == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the failure of a step whose credential cannot be read.
pub(super) fn unreadable(name: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::retryable(
        "auth",
        format!("credential `{name}` cannot be read: {error}"),
    )
}
