//! Ids and versions as requests write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An id. Answers give it as text, since JavaScript's numbers are too small for it; clients of older
/// versions send it as a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// Digits.
    Text(String),
    /// The number itself.
    Number(i64),
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A version's number, or `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Version {
    /// The number.
    Number(i64),
    /// `latest`, or digits.
    Text(String),
}

impl Version {
    /// Returns the word for the latest version.
    pub fn latest() -> Self {
        Self::Text("latest".to_owned())
    }

    /// The number; none for the latest version.
    ///
    /// # Errors
    /// When the text is neither a number nor `latest`.
    pub fn number(&self) -> Result<Option<i64>, UnknownVersion> {
        match self {
            Self::Number(number) => Ok(Some(*number)),
            Self::Text(text) if text == "latest" || text.is_empty() => Ok(None),
            Self::Text(text) => text
                .parse()
                .map(Some)
                .map_err(|_| UnknownVersion(text.clone())),
        }
    }
}

impl From<i64> for Version {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVersion(pub String);

impl fmt::Display for UnknownVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{}` is neither a version's number nor `latest`",
            self.0
        )
    }
}

impl std::error::Error for UnknownVersion {}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Version {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let latest = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["latest"]));
        OneOfBuilder::new()
            .description(Some("A version's number, or `latest`."))
            .item(number)
            .item(latest)
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_versions_are_read_from_numbers_and_text() {
        let id = |json| serde_json::from_str::<Id>(json).unwrap().to_string();
        assert_eq!(id("7"), "7");
        assert_eq!(id("\"7\""), "7");
        let version = |json| serde_json::from_str::<Version>(json).unwrap();
        assert_eq!(version("2").number(), Ok(Some(2)));
        assert_eq!(version("\"2\"").number(), Ok(Some(2)));
        assert_eq!(version("\"latest\""), Version::latest());
        assert_eq!(Version::latest().number(), Ok(None));
        assert!(version("\"two\"").number().is_err());
    }
}
