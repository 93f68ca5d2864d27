//! Names in paths and parameters in queries, percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

/// The characters that are percent-encoded in a part of a path or a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes a name as one part of a path or a query.
pub(crate) fn encode(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}

/// Formats the fields of a type as the query of a URL, such as `?page=1&page_size=100`. Fields that are null are
/// left out. The text is empty when there are no fields.
///
/// # Errors
/// Fails when the type cannot be written as JSON.
pub(super) fn query(fields: &impl Serialize) -> serde_json::Result<String> {
    let fields = serde_json::to_value(fields)?;
    let mut text = String::new();
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(value) => encode(value),
            other => encode(&other.to_string()),
        };
        let separator = if text.is_empty() { '?' } else { '&' };
        text += &format!("{separator}{name}={value}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use noetl_api::catalog::CatalogEntryQuery;
    use noetl_api::event::EventsAfterQuery;

    use super::*;

    #[test]
    fn an_encoded_name_is_one_part_of_a_path() {
        assert_eq!(encode("a/b c?d=e&f%"), "a%2Fb%20c%3Fd%3De%26f%25");
        assert_eq!(encode("a-b.c_d~1"), "a-b.c_d~1");
    }

    #[test]
    fn a_query_has_the_fields_that_are_not_null() {
        let entry = CatalogEntryQuery {
            path: "a/b".to_owned(),
            version: Some(2),
        };
        assert_eq!(query(&entry).unwrap(), "?path=a%2Fb&version=2");
        assert_eq!(query(&EventsAfterQuery::default()).unwrap(), "");
        assert_eq!(query(&()).unwrap(), "");
    }
}
