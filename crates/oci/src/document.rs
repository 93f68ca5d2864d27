//! A JSON document of an image, with the bytes that its digest is of.

use serde_json::Value;

use crate::model::encode;

/// A document and the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl<T: serde::Serialize> Document<T> {
    /// Returns whether these are the bytes that this crate writes for the same content.
    pub fn is_canonical(&self) -> bool {
        encode(&self.value) == self.bytes
    }
}

impl<T> Document<T> {
    /// Returns it as untyped JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}
