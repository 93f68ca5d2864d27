//! Artifacts: documents that are attached to an image by the field `subject` of their manifest (image-spec,
//! manifest.md, "Guidelines for Artifact Usage").

use crate::digest::Sha256;
use crate::media_type::{EMPTY, EMPTY_BYTES};
use crate::model::{Annotations, Descriptor, ImageManifest, encode};

/// A document about an image or index, to be attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The media type of the document, such as `application/vnd.in-toto+json`. It is also the artifact type.
    pub media_type: String,
    /// The manifest or index that it is about: media type, digest and size.
    pub subject: Descriptor,
    /// The bytes of the document.
    pub document: Vec<u8>,
    /// Annotations of its manifest, such as the creation time.
    pub annotations: Annotations,
}

impl Artifact {
    /// Returns the artifact's manifest as JSON. It lists the document as its only layer, and names the subject.
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

/// Returns the tag that lists the referrers of the digest `subject` in a registry without the referrers API
/// (distribution-spec, "Referrers Tag Schema").
pub fn fallback_tag(subject: &str) -> String {
    subject.replacen(':', "-", 1)
}

/// Returns the digest of the subject when `tag` is a fallback tag; `None` for other tags. It is the reverse of
/// [`fallback_tag`].
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
