//! Reads YAML as a tree in which every value has its line, column and byte range.
//!
//! With these positions, messages can name the line that they are about, and a value can be edited in the text without
//! changing anything around it, such as comments and line ends.
//!
//! ```
//! let text = "image: 'noetl:1' # the server\nreplicas: 2\n";
//! let document = noetl_yaml::parse(text)?.remove(0);
//! let image = document.get("image").unwrap();
//! assert_eq!(image.text(), Some("noetl:1"));
//! assert_eq!((image.line, image.column), (1, 8));
//! assert_eq!(&text[image.bytes.clone()], "'noetl:1'");
//! assert_eq!(document.get("replicas").and_then(|node| node.as_u64()), Some(2));
//! # Ok::<(), noetl_yaml::Error>(())
//! ```
//!
//! Anchors, aliases and merge keys (`<<`) are expanded. The size of the expanded tree is limited, so that a small text
//! cannot produce a very large tree. A mapping with a duplicate key is an error. [`Options`] sets the limits, and can
//! allow duplicate keys:
//!
//! ```
//! use noetl_yaml::{DuplicateKeys, Options};
//!
//! let error = noetl_yaml::parse("a: 1\na: 2\n").unwrap_err();
//! assert_eq!(error.to_string(), "line 2, column 1: duplicate key `a`");
//!
//! let options = Options {
//!     duplicate_keys: DuplicateKeys::KeepLast,
//!     ..Options::default()
//! };
//! let document = options.parse_one("a: 1\na: 2\n")?;
//! assert_eq!(document.root.get("a").and_then(|node| node.as_u64()), Some(2));
//! assert_eq!(document.duplicates[0].line, 2);
//! # Ok::<(), noetl_yaml::Error>(())
//! ```

mod bytes;
mod compose;
mod error;
mod node;
mod options;
mod scalar;
mod size;
#[cfg(test)]
mod tests;

pub use error::{Error, ErrorKind};
pub use node::{Entry, Kind, Node, Scalar, Style, Value};
pub use options::{Document, DuplicateKey, DuplicateKeys, Keys, Limits, Options};

/// Returns the documents of a text, read with the default [`Options`]; empty documents are left out.
///
/// # Errors
/// Fails at the first place where the text is not YAML or not accepted (see [`ErrorKind`]), has a duplicate key, or
/// exceeds a limit.
pub fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let documents = Options::default().parse(text)?;
    Ok(documents
        .into_iter()
        .map(|document| document.root)
        .collect())
}

impl Options {
    /// Returns the documents of a text; empty documents are left out.
    ///
    /// # Errors
    /// Fails at the first place where the text is not YAML or not accepted (see [`ErrorKind`]), has a duplicate key
    /// (unless that is allowed), or exceeds a limit.
    pub fn parse(&self, text: &str) -> Result<Vec<Document>, Error> {
        compose::documents(text, *self)
    }

    /// Returns the only document of a text; for an empty text, this is `null`.
    ///
    /// # Errors
    /// Fails as [`Options::parse`] does, and when there is a second document.
    pub fn parse_one(&self, text: &str) -> Result<Document, Error> {
        compose::single_document(text, *self)
    }
}
