//! Paths of values within a field: `headers.Accept`, `items[2].name`.

use std::borrow::Cow;

/// Returns the path of an item of the list at `path`.
pub(crate) fn index(path: &str, position: usize) -> String {
    format!("{path}[{position}]")
}

/// Returns the path of an entry of the mapping at `path`.
pub(crate) fn key<'a>(path: &str, name: &'a str) -> Cow<'a, str> {
    if path.is_empty() {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{path}.{name}"))
    }
}

/// Returns the path of the value at `inner` within the value at `path`.
pub(crate) fn join(path: &str, inner: &str) -> String {
    if path.is_empty() || inner.is_empty() || inner.starts_with('[') {
        format!("{path}{inner}")
    } else {
        format!("{path}.{inner}")
    }
}
