//! Fields of a server's answer as text for people: cells, times, durations.

use serde_json::Value;

use super::control::is_control;

/// Formats text as one table cell or field. Text that is missing or empty becomes `-`.
pub(crate) fn cell<'a>(text: impl Into<Option<&'a str>>) -> String {
    match text.into() {
        None | Some("") => "-".to_owned(),
        Some(text) => sanitize(text),
    }
}

/// Formats a value as one table cell or field: text and null like [`cell`], everything else as JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => cell(""),
        Value::String(text) => cell(text.as_str()),
        other => sanitize(&other.to_string()),
    }
}

/// Returns text on one line and without control characters.
pub(crate) fn sanitize(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            character if is_control(character) => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// Formats `2026-11-23T12:00:00.123Z` as `2026-11-23 12:00:00`.
pub(crate) fn time(time: &str) -> String {
    cell(time.get(..19).unwrap_or(time)).replace('T', " ")
}

/// Formats seconds as `0.4s`, `2m 03s` or `1h 02m`, and `-` when they are not known.
pub(crate) fn duration(seconds: impl Into<Option<f64>>) -> String {
    let Some(seconds) = seconds.into() else {
        return "-".to_owned();
    };
    let minutes = (seconds / 60.0).floor();
    let hours = (minutes / 60.0).floor();
    if seconds < 60.0 {
        format!("{seconds:.1}s")
    } else if minutes < 60.0 {
        format!("{minutes}m {:02.0}s", (seconds - minutes * 60.0).floor())
    } else {
        format!("{hours}h {:02.0}m", minutes - hours * 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_text_for_people() {
        assert_eq!(cell(None::<&str>), "-");
        assert_eq!(cell(""), "-");
        assert_eq!(cell("a\nb\u{1b}[31m"), "a b\u{fffd}[31m");
        assert_eq!(value(&json!(null)), "-");
        assert_eq!(value(&json!("a\nb")), "a b");
        assert_eq!(value(&json!({"a": [1]})), r#"{"a":[1]}"#);
        assert_eq!(time("2026-11-23T12:00:00.123Z"), "2026-11-23 12:00:00");
        assert_eq!(duration(None::<f64>), "-");
        let durations = [0.04, 59.94, 61.5, 3599.9, 3600.0, 90_061.0].map(duration);
        assert_eq!(
            durations,
            ["0.0s", "59.9s", "1m 01s", "59m 59s", "1h 00m", "25h 01m"]
        );
    }
}
