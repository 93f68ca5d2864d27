//! The error of reading a text.

use std::fmt;

/// Why a text could not be read, and where.
///
/// ```
/// use noetl_yaml::ErrorKind;
///
/// let error = noetl_yaml::parse("a: 1\nb: [\n").unwrap_err();
/// assert_eq!(error.kind, ErrorKind::Syntax);
/// assert_eq!(error.line, 3);
/// assert!(error.to_string().starts_with("line 3, column 1: this is not YAML: "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The class of error.
    pub kind: ErrorKind,
    /// What is wrong, without line and column.
    pub message: String,
}

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not YAML.
    Syntax,
    /// The text is YAML that is not accepted: a duplicate key, a key that is not text, a merge key whose value is not a
    /// mapping, an alias without a value, or a second document.
    Content,
    /// The text exceeds one of the [`Limits`](crate::Limits).
    Limit,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
            ..
        } = self;
        write!(formatter, "line {line}, column {column}: {message}")
    }
}

impl std::error::Error for Error {}
