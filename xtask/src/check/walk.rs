//! Following an image from `index.json` to its layers, keeping whatever could be read.

use serde::de::DeserializeOwned;

use crate::check::Findings;
use crate::gzip::gunzip;
use crate::oci::layout::Layout;
use crate::oci::model::{
    Descriptor, INDEX, ImageConfig, ImageIndex, ImageManifest, LAYER_GZIP, LAYER_TAR, MANIFEST,
    encode,
};

/// What hangs below `index.json`, as far as it could be read.
#[derive(Debug)]
pub(super) struct Tree {
    /// Every descriptor met, with where it stands; index.json's own first.
    pub(super) descriptors: Vec<(String, Descriptor)>,
    /// The image indexes, by digest, once each.
    pub(super) indexes: Vec<(String, ImageIndex)>,
    /// The images of all indexes, once per manifest.
    pub(super) images: Vec<Image>,
}

/// One platform's image.
#[derive(Debug)]
pub(super) struct Image {
    /// Short name for findings: its digest or platform.
    pub(super) name: String,
    /// The entry in the index.
    pub(super) descriptor: Descriptor,
    /// The manifest.
    pub(super) image_manifest: ImageManifest,
    /// The config, when it could be read.
    pub(super) config: Option<ImageConfig>,
    /// Uncompressed layers, lowest first; `None` where one could not be had.
    pub(super) layers: Vec<Option<Vec<u8>>>,
}

impl Tree {
    /// Walks the layout; a document that cannot be read is a finding of S7 or S11, and its subtree is skipped.
    pub(super) fn read(layout: &Layout, findings: &mut Findings) -> Self {
        let mut tree = Self {
            descriptors: Vec::new(),
            indexes: Vec::new(),
            images: Vec::new(),
        };
        let Some(bytes) = layout.files.get("index.json") else {
            findings.add("S12", "index.json", "it is missing");
            return tree;
        };
        if let Some(index) = document::<ImageIndex>("index.json", bytes, findings) {
            if index.manifests.is_empty() {
                findings.add("P1", "index.json", "it names no image");
            }
            for child in index.manifests {
                tree.descend("index.json", child, layout, findings);
            }
        }
        tree
    }

    fn descend(
        &mut self,
        parent: &str,
        descriptor: Descriptor,
        layout: &Layout,
        findings: &mut Findings,
    ) {
        let seen = self
            .indexes
            .iter()
            .any(|(digest, _)| *digest == descriptor.digest)
            || self
                .images
                .iter()
                .any(|image| image.descriptor == descriptor);
        self.descriptors
            .push((parent.to_owned(), descriptor.clone()));
        let Some(bytes) = layout.blob(&descriptor.digest).filter(|_| !seen) else {
            return;
        };
        let digest = descriptor.digest.clone();
        match descriptor.media_type.as_str() {
            INDEX => {
                if let Some(index) = document::<ImageIndex>(&digest, bytes, findings) {
                    self.indexes.push((digest.clone(), index.clone()));
                    for child in index.manifests {
                        self.descend(&digest, child, layout, findings);
                    }
                }
            }
            MANIFEST => {
                if let Some(image_manifest) = document::<ImageManifest>(&digest, bytes, findings) {
                    self.image(descriptor, image_manifest, layout, findings);
                }
            }
            other => {
                let message =
                    format!("{parent} says {other}, which is neither an image nor an index");
                findings.add("S6", digest, message);
            }
        }
    }

    fn image(
        &mut self,
        descriptor: Descriptor,
        image_manifest: ImageManifest,
        layout: &Layout,
        findings: &mut Findings,
    ) {
        let name = descriptor.platform.as_ref().map_or_else(
            || descriptor.digest.clone(),
            |platform| format!("{}/{}", platform.os, platform.architecture),
        );
        self.descriptors
            .push((name.clone(), image_manifest.config.clone()));
        self.descriptors.extend(
            image_manifest
                .layers
                .iter()
                .map(|layer| (name.clone(), layer.clone())),
        );
        let config = layout.blob(&image_manifest.config.digest);
        let config =
            config.and_then(|bytes| document(&image_manifest.config.digest, bytes, findings));
        let layers = image_manifest.layers.iter().map(|layer| {
            let bytes = layout.blob(&layer.digest)?;
            match layer.media_type.as_str() {
                LAYER_GZIP => gunzip(bytes).ok(),
                LAYER_TAR => Some(bytes.to_vec()),
                _ => None,
            }
        });
        let layers = layers.collect();
        self.images.push(Image {
            name,
            descriptor,
            image_manifest,
            config,
            layers,
        });
    }
}

/// Reads a JSON document strictly, and checks that we would write the same bytes for it.
fn document<T: DeserializeOwned + serde::Serialize>(
    name: &str,
    bytes: &[u8],
    findings: &mut Findings,
) -> Option<T> {
    match serde_json::from_slice::<T>(bytes) {
        Ok(document) => {
            if encode(&document) != bytes {
                findings.add("S11", name, "the JSON is not in canonical form");
            }
            Some(document)
        }
        Err(error) if error.to_string().contains("duplicate field") => {
            findings.add("S11", name, error.to_string());
            None
        }
        Err(error) => {
            findings.add("S7", name, error.to_string());
            None
        }
    }
}
