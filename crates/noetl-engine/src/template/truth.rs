//! The truth of a value that is a condition.

use minijinja::Value;

/// Whether a value counts as true; text counts by its content.
pub(super) fn truth(value: &Value) -> bool {
    match value.as_str() {
        Some(text) => truth_of_text(text).unwrap_or(!text.trim().is_empty()),
        None => value.is_true(),
    }
}

/// Returns the boolean that a text spells, if it spells one.
pub(super) fn truth_of_text(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "none" | "null" | "" => Some(false),
        _ => None,
    }
}
