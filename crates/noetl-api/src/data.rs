//! SQL, variables and templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::AnswerStatus;

/// SQL to run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryRequest {
    /// The statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The same in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_base64: Option<String>,
    /// Values of the statement's parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<Value>>,
    /// The schema to look in, on PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// A `postgres` credential; without one, the server's own store is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryAnswer {
    /// Whether the database ran the statement.
    pub status: AnswerStatus,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Rows, each a list in the order of the columns.
    pub result: Vec<Vec<Value>>,
    /// The database's error.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
}

/// The state of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseState {
    /// `error` when a table is missing.
    pub status: AnswerStatus,
    /// One sentence for people.
    pub message: String,
    /// Whether no table is missing.
    pub valid: bool,
    /// The tables that exist.
    pub tables: Vec<String>,
    /// The tables that are missing.
    pub missing: Vec<String>,
}

/// A variable.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variable {
    /// Its value.
    pub value: Value,
    /// Always `user_defined`.
    #[serde(rename = "type")]
    pub kind: VariableKind,
    /// Always null: older clients read it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub source_step: Option<String>,
}

word_enum! {
    /// Where a variable comes from.
    VariableKind {
        /// The workload, a step or a request.
        UserDefined = "user_defined",
    }
}

/// The variables of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variables {
    /// The execution.
    pub execution_id: String,
    /// The variables by name.
    pub variables: BTreeMap<String, Variable>,
    /// How many.
    pub count: usize,
}

/// Variables to set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariablesRequest {
    /// The values by name.
    pub variables: Map<String, Value>,
}

/// A template and the names that it may use.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenderRequest {
    /// Text, or JSON whose texts are templates.
    pub template: Value,
    /// The names.
    #[serde(default)]
    pub context: Map<String, Value>,
}

/// A rendered template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rendered {
    /// What it was rendered to.
    pub result: Value,
}
