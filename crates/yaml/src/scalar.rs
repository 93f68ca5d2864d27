//! The typed value of a plain scalar.

use serde_json::Number;

/// The typed value of a plain scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
    String,
}

/// Returns the typed value of a plain scalar, by the core schema of YAML 1.2 and the rules of YAML 1.1 that PyYAML
/// uses.
pub(crate) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Plain::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Plain::Bool(false)
        }
        _ => number(text).map_or(Plain::String, Plain::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let whole = |digits: &str, radix| {
        let value = i128::from_str_radix(digits, radix).ok()?;
        let value = if negative { -value } else { value };
        i64::try_from(value)
            .map(Number::from)
            .or_else(|_| u64::try_from(value).map(Number::from))
            .ok()
    };
    if let Some(digits) = digits.strip_prefix("0x") {
        return whole(digits, 16);
    }
    if let Some(digits) = digits.strip_prefix("0o") {
        return whole(digits, 8);
    }
    let plain = digits.replace('_', "");
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        let octal = plain.len() > 1 && plain.starts_with('0');
        return whole(&plain, if octal { 8 } else { 10 });
    }
    // `1.5`, `.5` and `1e9` are numbers, and `1.2.3` is not.
    let float: f64 = plain.parse().ok()?;
    Number::from_f64(if negative { -float } else { float })
}
