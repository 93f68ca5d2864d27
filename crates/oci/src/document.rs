//! A JSON document of an image, with its bytes, which decide its digest.

use serde_json::Value;

use crate::model::encode;

/// A parsed document and the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// The parsed content.
    pub value: T,
    /// The bytes, as they were read.
    pub bytes: Vec<u8>,
}

impl<T: serde::Serialize> Document<T> {
    /// Returns whether the bytes are those that [`encode`] writes for the same content.
    pub fn is_canonical(&self) -> bool {
        encode(&self.value) == self.bytes
    }
}

impl<T> Document<T> {
    /// Returns the document as untyped JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}
