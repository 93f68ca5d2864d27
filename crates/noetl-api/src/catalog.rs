//! Playbooks, their versions and their validation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::graph::Graph;
use crate::{ExecutionStatus, Id, Problem, Version};

/// A document for the catalog.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Registration {
    /// YAML text, or base64 of it.
    pub content: String,
    /// `Playbook` or `Credential`; found from the document when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The version that the text was made from; 0 when there must be none. With another latest version the answer is
    /// 409, and nothing is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_version: Option<i64>,
}

/// The result of a registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Registered {
    /// Always `success`.
    pub status: RegisterStatus,
    /// One sentence for people.
    pub message: String,
    /// The path in the catalog; of a credential, its name.
    pub path: String,
    /// The version that it got.
    pub version: i64,
    /// The id of that version.
    pub catalog_id: String,
    /// `Playbook` or `Credential`.
    pub kind: String,
    /// Problems that do not prevent the playbook from running.
    #[serde(serialize_with = "crate::problem::with_every_field")]
    pub warnings: Vec<Problem>,
}

word_enum! {
    /// Whether a document was registered.
    RegisterStatus {
        /// It was; an error has another body.
        Success = "success",
    }
}

/// An entry of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogEntry {
    /// The id of this version.
    pub catalog_id: String,
    /// The path.
    pub path: String,
    /// The playbook's name.
    pub name: String,
    /// The version, from 1.
    pub version: i64,
    /// `Playbook`.
    pub kind: String,
    /// The playbook's description.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub description: Option<String>,
    /// The YAML text. A list includes those of its first entries, up to 4 MiB in all.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub content: Option<String>,
    /// Always null: older clients read it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub layout: Option<Map<String, Value>>,
    /// The document as JSON.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub payload: Option<Map<String, Value>>,
    /// Always empty: older clients read it.
    pub meta: Map<String, Value>,
    /// When it was registered, in RFC 3339.
    pub created_at: String,
}

/// Entries, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogEntries {
    /// The entries.
    pub entries: Vec<CatalogEntry>,
}

/// Which entries to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogListRequest {
    /// The kind, such as `Playbook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Part of a path, name or description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only the latest version of each path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<bool>,
    /// False leaves the texts out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<bool>,
}

/// Which entry to get: by its id, or by path and version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogResourceRequest {
    /// The id of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub catalog_id: Option<Id>,
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The version; the latest when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// An entry by its path.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct CatalogEntryQuery {
    /// The path.
    pub path: String,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// The result of a deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogDeleted {
    /// Always `deleted`.
    pub status: DeleteStatus,
    /// How many versions.
    pub deleted: u64,
}

word_enum! {
    /// Whether something was deleted.
    DeleteStatus {
        /// It was; an error has another body.
        Deleted = "deleted",
    }
}

/// A playbook to validate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidateRequest {
    /// YAML text.
    pub content: String,
    /// Values that will be given when it runs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub payload: Map<String, Value>,
}

/// The problems of a playbook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Validation {
    /// Whether it can run, since no problem is an error.
    pub valid: bool,
    /// The problems, in the order of their places.
    #[serde(serialize_with = "crate::problem::with_every_field")]
    pub problems: Vec<Problem>,
    /// Its name, when the playbook can be read.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub name: Option<String>,
    /// The path at which it would be registered.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub path: Option<String>,
    /// Its workload.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub workload: Option<Map<String, Value>>,
    /// Its graph.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub graph: Option<Graph>,
}

/// How many executions of each playbook to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct CatalogRunsQuery {
    /// From 1 to 20; 5 when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// The newest executions of each playbook of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogRuns {
    /// By the path of the playbook, newest first. A playbook that has not run is missing.
    pub runs: BTreeMap<String, Vec<CatalogRun>>,
}

/// An execution of a playbook, in short.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogRun {
    /// The execution.
    pub execution_id: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it began, in RFC 3339.
    pub start_time: String,
    /// How long it took; null before its end.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub duration_seconds: Option<f64>,
}
