//! How a text is read: limits, and what happens to duplicate keys.

use crate::node::Node;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The most that one document may hold.
    pub limits: Limits,
    /// What happens when a mapping has a key twice.
    pub duplicate_keys: DuplicateKeys,
    /// The text of keys that are not strings.
    pub keys: Keys,
}

/// The most that one document may hold, its aliases expanded. They keep a small text from asking for a
/// large tree, or for a call stack that is not there.
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
    /// Values: those that are written, those that aliases repeat, and those below an anchor once more,
    /// since they are kept for its aliases.
    pub nodes: usize,
    /// Levels that values may nest within each other, counted through aliases.
    pub depth: usize,
    /// Bytes of text, keys included, that all aliases repeat together. An alias of a scalar of 1 MB
    /// counts as 1,000,000 bytes each time it is written.
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

/// What happens when a mapping has a key twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateKeys {
    /// The text is refused.
    #[default]
    Refuse,
    /// The last value counts, and [`Document::duplicates`] lists the key.
    KeepLast,
}

/// The text of keys that are not strings: `on`, `0755`, `~`.
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
    /// The text as it is written.
    #[default]
    AsWritten,
    /// The value's text in JSON, as PyYAML and `json.dumps` give it: `true`, `493`, `null`.
    ByValue,
}

/// One document of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The value that the document is.
    pub root: Node,
    /// Keys that override an earlier value of the same mapping, in the order of the text.
    pub duplicates: Vec<DuplicateKey>,
}

/// A key that a mapping has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Line of the later one, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}
