//! JSON of others, read with a bound on the memory of its values: a list of ones takes forty times its text.

use serde_json::Value;

/// The most memory that the values of one text may take, in bytes.
const MAX_BYTES: usize = 256 << 20;

/// Why a text was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    /// It is not JSON.
    #[error(transparent)]
    Invalid(#[from] serde_json::Error),
    /// Its values take too much memory.
    #[error("it has too many values: they would take more than {} MiB of memory", MAX_BYTES >> 20)]
    TooLarge,
}

/// Reads a text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, JsonError> {
    if memory_of(text) > MAX_BYTES {
        return Err(JsonError::TooLarge);
    }
    Ok(serde_json::from_slice(text)?)
}

/// Estimates the memory of a text's values, without reading them: that of the text, and of one value for each sign that
/// begins or separates values.
fn memory_of(text: &[u8]) -> usize {
    let (mut values, mut is_string, mut is_escaped) = (1_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b',' | b':' | b'[' | b'{' if !is_string => values += 1,
            _ => {}
        }
    }
    text.len()
        .saturating_add(values.saturating_mul(size_of::<Value>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_texts_are_not() {
        assert_eq!(
            parse(br#"{"a": [1, "x,y\",["]}"#).unwrap()["a"][1],
            "x,y\",["
        );
        let text = format!("\"{}\"", ",".repeat(1 << 20));
        assert!(memory_of(text.as_bytes()) < 2 << 20);
        assert!(memory_of(b"[1,2,3]") >= 4 * size_of::<Value>());
        let many = format!("[{}0]", "0,".repeat(8 << 20));
        assert!(matches!(parse(many.as_bytes()), Err(JsonError::TooLarge)));
        assert!(matches!(parse(b"[1"), Err(JsonError::Invalid(_))));
    }
}
