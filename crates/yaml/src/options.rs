//! Options of reading a text.

use crate::node::Node;

/// Options of reading a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The limits of a document.
    pub limits: Limits,
    /// What happens to duplicate keys.
    pub duplicate_keys: DuplicateKeys,
    /// How keys that are not strings are converted to text.
    pub keys: Keys,
}

/// The limits of a document with its aliases expanded. They prevent a small text from producing a very large tree, or
/// from overflowing the stack.
///
/// ```
/// use noetl_yaml::{Limits, Options};
///
/// let options = Options {
///     limits: Limits {
///         alias_bytes: 1_000,
///         ..Limits::default()
///     },
///     ..Options::default()
/// };
/// let text = format!("a: &a {}\nb: [*a, *a, *a]\n", "x".repeat(400));
/// let error = options.parse(&text).unwrap_err();
/// assert_eq!(error.message, "the aliases repeat more than 1000 bytes of text");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of values: those in the text, those that aliases repeat, and those of anchors once more, since a copy
    /// is kept for the aliases.
    pub nodes: usize,
    /// The number of levels of nested values, with aliases expanded.
    pub depth: usize,
    /// The number of bytes of text, including keys, that all aliases repeat. Each alias of a scalar of 1 MB counts as
    /// 1,000,000 bytes.
    pub alias_bytes: usize,
}

impl Default for Limits {
    /// 200,000 values, 100 levels, and 16 MiB of text repeated by aliases.
    fn default() -> Self {
        Self {
            nodes: 200_000,
            depth: 100,
            alias_bytes: 16 << 20,
        }
    }
}

/// What happens to duplicate keys of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateKeys {
    /// They are an error.
    #[default]
    Refuse,
    /// The last value is used, and [`Document::duplicates`] lists the key.
    KeepLast,
}

/// How keys that are not strings, such as `on`, `0755` and `~`, are converted to text.
///
/// ```
/// use noetl_yaml::{Keys, Options};
///
/// let by_value = Options {
///     keys: Keys::ByValue,
///     ..Options::default()
/// };
/// let key = |options: Options| options.parse_one("on: push").map(|it| it.root.entries()[0].key.clone());
/// assert_eq!(&*key(Options::default())?, "on");
/// assert_eq!(&*key(by_value)?, "true");
/// # Ok::<(), noetl_yaml::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// As they are written.
    #[default]
    AsWritten,
    /// As the typed value in JSON, like PyYAML with `json.dumps`: `true`, `493`, `null`.
    ByValue,
}

/// A document of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The value of the document.
    pub root: Node,
    /// Duplicate keys, whose earlier value was replaced, in the order of the text.
    pub duplicates: Vec<DuplicateKey>,
}

/// A duplicate key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// The line of the later key, from 1.
    pub line: usize,
    /// The column of the later key, from 1, in characters.
    pub column: usize,
}
