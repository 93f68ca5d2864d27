//! The body of every answer that is an error.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// The body of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What is wrong, in one sentence.
    pub detail: String,
    /// How to correct it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub help: Option<String>,
    /// The problems of a playbook that was refused.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "crate::problem::with_every_field"
    )]
    pub problems: Vec<Problem>,
}
