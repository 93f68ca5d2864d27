//! Documents that are attached to an image by `subject`, never children of its index (image-spec, manifest.md,
//! "Guidelines for Artifact Usage").

use crate::digest::Sha256;
use crate::media_type::{EMPTY, EMPTY_BYTES};
use crate::model::{Annotations, Descriptor, ImageManifest, encode};

/// One document about one image or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What the document is, such as `application/vnd.in-toto+json`; its layer's media type too.
    pub media_type: String,
    /// The manifest or index that it is about: media type, digest and size alone.
    pub subject: Descriptor,
    /// The document.
    pub document: Vec<u8>,
    /// Notes on it, such as its creation time.
    pub annotations: Annotations,
}

impl Artifact {
    /// Returns the manifest that ties document and subject together, encoded.
    pub fn manifest(&self) -> Vec<u8> {
        let document = Descriptor::of(&self.media_type, &self.document);
        let config = Descriptor::of(EMPTY, EMPTY_BYTES);
        encode(&ImageManifest {
            artifact_type: Some(self.media_type.clone()),
            subject: Some(self.subject.clone()),
            ..ImageManifest::new(config, vec![document], self.annotations.clone())
        })
    }
}

/// Returns the tag under which a registry without the API keeps what is attached to `subject`.
pub fn fallback_tag(subject: &str) -> String {
    subject.replacen(':', "-", 1)
}

/// Returns the digest of the image that a tag keeps attachments of, when it is a fallback tag.
pub fn fallback_subject(tag: &str) -> Option<String> {
    let hex = tag.strip_prefix("sha256-")?;
    hex.parse::<Sha256>().ok().map(|sha256| sha256.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_tag_names_its_subject() {
        let digest = Sha256::of(b"x").digest();
        let tag = fallback_tag(&digest);
        assert_eq!(fallback_subject(&tag), Some(digest));
        for tag in ["latest", "sha256-abc", "1.2.3"] {
            assert_eq!(fallback_subject(tag), None, "{tag}");
        }
    }
}
