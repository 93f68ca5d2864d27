//! Evidence that is attached to an image by `subject`, never a child of its index (manifest.md,
//! "Guidelines for Artifact Usage").

use crate::oci::model::{Annotations, Descriptor, ImageManifest, MANIFEST, encode};

/// Media type of the config of something that has none.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The bytes of that config.
pub(crate) const EMPTY_BYTES: &[u8] = b"{}";

/// One document about one image or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// What the document is, such as `application/vnd.in-toto+json`; its layer's media type too.
    pub media_type: String,
    /// The image manifest or image index that it speaks of: media type, digest and size alone.
    pub subject: Descriptor,
    /// The document.
    pub document: Vec<u8>,
    /// Notes on it, such as its creation time.
    pub annotations: Annotations,
}

impl Artifact {
    /// The manifest that ties document and subject together, encoded.
    pub(crate) fn manifest(&self) -> Vec<u8> {
        encode(&ImageManifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: Some(self.media_type.clone()),
            config: Descriptor::of(EMPTY, EMPTY_BYTES),
            layers: vec![Descriptor::of(&self.media_type, &self.document)],
            subject: Some(self.subject.clone()),
            annotations: self.annotations.clone(),
        })
    }
}
