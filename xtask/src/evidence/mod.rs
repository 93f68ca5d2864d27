//! Evidence on an image: what it is made of (CycloneDX) and how it was made (SLSA provenance), as
//! documents that follow from the sources and the image alone: no clock, no chance.

pub(crate) mod collect;
mod crates;
mod drift;
mod graph;
mod npm;
mod provenance;
mod pypi;
mod sbom;

use crate::oci::artifact::Artifact;
use crate::oci::model::{Annotations, Descriptor};

/// Media type of a CycloneDX document in JSON.
pub(crate) const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// Media type of an in-toto statement.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// One document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What its file is called behind the image's: `sbom.linux-amd64.cdx.json`.
    pub name: String,
    /// What it is.
    pub media_type: &'static str,
    /// The images and indexes that it speaks of: media type, digest and size alone.
    pub subjects: Vec<Descriptor>,
    /// The document.
    pub document: Vec<u8>,
    /// Notes on it for those who list attachments: its creation time.
    pub annotations: Annotations,
}

impl Evidence {
    /// The same as artifacts, one for each subject, since an artifact has one.
    pub(crate) fn artifacts(&self) -> Vec<Artifact> {
        let artifact = |subject: &Descriptor| Artifact {
            media_type: self.media_type.to_owned(),
            subject: Descriptor {
                platform: None,
                annotations: Annotations::new(),
                ..subject.clone()
            },
            document: self.document.clone(),
            annotations: self.annotations.clone(),
        };
        self.subjects.iter().map(artifact).collect()
    }
}
