//! Playbooks as YAML documents.

use noetl_yaml::{Document, DuplicateKeys, Error, Keys, Limits, Node, Options, Value};

/// How playbooks are read. A key that is there twice is a warning, and keys have the text that PyYAML
/// gives them.
const OPTIONS: Options = Options {
    limits: Limits {
        nodes: 500_000,
        depth: 100,
        alias_bytes: 16 << 20,
    },
    duplicate_keys: DuplicateKeys::KeepLast,
    keys: Keys::ByValue,
};

/// Reads the one document of a text.
///
/// # Errors
/// Fails at the first place where it is not YAML or exceeds a limit, and where a second document begins.
pub(super) fn read(text: &str) -> Result<Document, Error> {
    OPTIONS.parse_one(text)
}

/// Returns what a value is called in messages.
pub(super) fn noun(node: &Node) -> &'static str {
    match node.value() {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
    }
}
