//! Evidence of an image: what it is made of (CycloneDX) and how it was made (SLSA provenance). The documents depend on
//! the sources and the image only, not on the clock.

pub(crate) mod collect;
mod provenance;
mod pypi;

use noetl_oci::Artifact;

/// One document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The end of its file's name, after that of the image: `sbom.linux-amd64.cdx.json`.
    pub name: String,
    /// The document as artifacts, one for each image or index that it is about: there is at least one.
    pub artifacts: Vec<Artifact>,
}
