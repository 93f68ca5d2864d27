//! Credentials and keychains.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::DeleteStatus;

/// A credential to store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialRequest {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// Such as `postgres`, `bearer`, `basic`, `api_key`.
    #[serde(rename = "type", alias = "credential_type", alias = "kind")]
    pub kind: String,
    /// Its fields.
    pub data: Map<String, Value>,
    /// Further facts of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A credential, with its data only when that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialItem {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Further facts of the user's own.
    pub meta: Map<String, Value>,
    /// Tags.
    pub tags: Vec<String>,
    /// What it is for.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub description: Option<String>,
    /// When it was registered, in RFC 3339.
    pub created_at: String,
    /// When it was replaced last.
    pub updated_at: String,
    /// Only when `include_data` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub data: Option<Map<String, Value>>,
}

/// Credentials by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialList {
    /// The credentials.
    pub items: Vec<CredentialItem>,
    /// What narrowed the list.
    pub filter: CredentialFilter,
}

/// Which credentials to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema, utoipa::IntoParams),
    into_params(parameter_in = Query)
)]
pub struct CredentialFilter {
    /// Their type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Part of a name or description.
    pub q: Option<String>,
}

/// Whether the data is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::IntoParams),
    into_params(parameter_in = Query)
)]
pub struct CredentialQuery {
    /// True adds the decrypted data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_data: Option<bool>,
}

/// A credential that is deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialDeleted {
    /// Always `deleted`.
    pub status: DeleteStatus,
    /// Its name.
    pub name: String,
}

/// Whether a credential works.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialTest {
    /// Whether it can be read and, for databases, whether it opens a connection.
    pub ok: bool,
    /// One sentence for people.
    pub message: String,
}

/// A secret of a playbook's keychain to store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeychainRequest {
    /// The secret's fields.
    #[serde(alias = "token_data")]
    pub data: Map<String, Value>,
    /// Seconds until it expires; it does not when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 315360000))]
    pub ttl_seconds: Option<u32>,
    /// `secret` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_type: Option<String>,
}

/// A secret of a keychain, with its data when it was asked for by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeychainItem {
    /// Always `success`.
    pub status: KeychainStatus,
    /// The playbook's version.
    pub catalog_id: String,
    /// The secret's name.
    pub keychain_name: String,
    /// `secret` or `token`.
    pub cache_type: String,
    /// When it expires, in RFC 3339.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub expires_at: Option<String>,
    /// The secret's fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub data: Option<Map<String, Value>>,
}

word_enum! {
    /// Whether a keychain has a secret.
    KeychainStatus {
        /// It has; an error has another body.
        Success = "success",
    }
}

/// The secrets of a keychain, without their data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeychainList {
    /// The playbook's version.
    pub catalog_id: String,
    /// The secrets.
    pub entries: Vec<KeychainItem>,
    /// How many.
    pub count: usize,
}
