//! Evidence on an image: what it is made of (CycloneDX) and how it was made (SLSA provenance), as documents that follow
//! from the sources and the image alone, without a clock.

pub(crate) mod collect;
mod crates;
mod drift;
mod graph;
mod npm;
mod provenance;
mod pypi;
mod sbom;

use noetl_oci::{Annotations, Artifact, Descriptor};

/// One document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What its file is called behind the image's: `sbom.linux-amd64.cdx.json`.
    pub name: String,
    /// What it is.
    pub media_type: &'static str,
    /// The images and indexes that it is about: media type, digest and size alone.
    pub subjects: Vec<Descriptor>,
    /// The document.
    pub document: Vec<u8>,
    /// Notes on it for lists of attachments: its creation time.
    pub annotations: Annotations,
}

impl Evidence {
    /// Returns it as artifacts, one for each subject, since an artifact has one.
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
