//! YAML as a tree in which every value knows its line, its column and its bytes.
//!
//! The places serve two purposes: a message names the line that it is about, and text can be edited in
//! place while everything around it, comments and line ends included, stays as it is.
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
//! Anchors, aliases and merge keys (`<<`) are expanded, and a mapping that has a key twice is refused.
//! What is expanded is limited, so that a small text cannot ask for a large tree; [`Options`] sets the
//! limits and allows duplicate keys:
//!
//! ```
//! use noetl_yaml::{DuplicateKeys, Options};
//!
//! let error = noetl_yaml::parse("a: 1\na: 2\n").unwrap_err();
//! assert_eq!(error.to_string(), "line 2, column 1: the key `a` is there twice");
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

/// Reads all documents of a text with the default [`Options`]; empty documents are left out.
///
/// # Errors
/// Fails at the first place where the text is not YAML, has a key twice in one mapping, or exceeds a limit.
pub fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let documents = Options::default().parse(text)?;
    Ok(documents
        .into_iter()
        .map(|document| document.root)
        .collect())
}

impl Options {
    /// Reads all documents of a text; empty documents are left out.
    ///
    /// # Errors
    /// Fails at the first place where the text is not YAML, has a key twice in one mapping (unless that
    /// is allowed), or exceeds a limit.
    pub fn parse(&self, text: &str) -> Result<Vec<Document>, Error> {
        compose::documents(text, *self)
    }

    /// Reads a text that is one document; an empty text is the document `null`.
    ///
    /// # Errors
    /// Fails as [`Options::parse`] does, and where a second document begins.
    pub fn parse_one(&self, text: &str) -> Result<Document, Error> {
        compose::single_document(text, *self)
    }
}
