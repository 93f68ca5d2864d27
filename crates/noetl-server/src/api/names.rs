//! What requests call things: ids as text or numbers, versions as numbers or `latest`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ApiError, id};

/// An id, which old clients send as a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Text(String),
    Number(i64),
}

impl Id {
    pub(crate) fn parse(&self, noun: &str) -> Result<i64, ApiError> {
        match self {
            Self::Text(text) => id(text, noun),
            Self::Number(number) => Ok(*number),
        }
    }
}

/// A version's number, or `latest`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Version {
    Number(i64),
    Text(String),
}

/// A version's number, or `latest`.
#[derive(ToSchema)]
#[schema(as = Version)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum VersionSchema {
    #[schema(rename = "latest")]
    Latest,
}

impl Version {
    pub(crate) fn number(&self) -> Result<Option<i64>, ApiError> {
        match self {
            Self::Number(number) => Ok(Some(*number)),
            Self::Text(text) if text == "latest" || text.is_empty() => Ok(None),
            Self::Text(text) => text.parse().map(Some).map_err(|_| {
                ApiError::invalid(format!(
                    "`{text}` is neither a version's number nor `latest`"
                ))
            }),
        }
    }
}
