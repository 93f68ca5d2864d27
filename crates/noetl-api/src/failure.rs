//! Why a task or a command failed.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Place;

/// Why a task or a command failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// The class of failure, such as `exit`, `timeout`, `connection`, `http`, `rate_limit`, `server_error`,
    /// `client_error`, `auth`, `sql`, `python`, `template`, `config`.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub retryable: bool,
    /// Exit code, SQLSTATE or exception type.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub code: Option<Value>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the tool returned in spite of the failure: output, response body.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub result: Option<Value>,
    /// Seconds that a server asked to wait before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
    /// The place in the playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How to correct it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Reads a null that is written as a value, so that the failure is written again as it was.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Failure {
    /// Returns a failure with which the same call would end again.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Returns a failure after which the same call may succeed later.
    pub fn retryable(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::new(kind, message)
        }
    }

    /// Adds how to correct it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the place where it happened, unless the failure has one already.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => place.write_before(&self.message, formatter),
            None => formatter.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_without_a_place_is_its_message() {
        let failure = Failure::new("sql", "no such table");
        assert_eq!(failure.to_string(), "no such table");
        let at = |place| failure.clone().at(&place).to_string();
        assert_eq!(at(Place::default()), "no such table");
        let file = "p.yaml".to_owned();
        let place = Place {
            file,
            line: 3,
            ..Place::default()
        };
        assert_eq!(at(place), "p.yaml:3: no such table");
    }

    #[test]
    fn a_failure_is_written_again_as_it_was() {
        let whole = r#"{"kind":"http","message":"m","retryable":true,"code":null,"status":503,"result":null,"retry_after":1.5,"place":{"file":"p","line":3,"column":0},"help":"h"}"#;
        let least = r#"{"kind":"sql","message":"m","retryable":false}"#;
        for text in [whole, least] {
            let failure: Failure = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&failure).unwrap(), text);
        }
    }
}
