//! An image of anybody's, read as far as it can be: OCI or Docker media types, index or single image,
//! with every field that its documents hold. Judges nothing; `check` does, and takes our own form alone.

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::gzip::gunzip;
use crate::oci::layout::Layout;
use crate::oci::model::{INDEX, LAYER_GZIP, LAYER_TAR};

/// Media type of Docker's image index.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of Docker's image manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a name points to.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// Media type of the index or the single image.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    /// The document; of a single image, its manifest.
    pub document: Value,
    /// The image of each platform, in the index's order; one of a single image.
    pub children: Vec<Child>,
}

/// One platform's image.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// `linux/arm64/v8`, by the index, or by the config where there is no index.
    pub platform: String,
    /// Media type of its manifest.
    pub media_type: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Length of its manifest in bytes.
    pub size: u64,
    /// Its entry in the index; null where there is no index.
    pub entry: Value,
    /// Its manifest; null when it is not there.
    pub image_manifest: Value,
    /// Its config; null when it is not there.
    pub config: Value,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

/// A layer as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// How it is packed.
    pub media_type: String,
    /// Digest of the packed bytes.
    pub digest: String,
    /// Length of the packed bytes.
    pub size: u64,
}

impl Opened {
    /// Reads what a layout names first; blobs that are not there are left out.
    ///
    /// # Errors
    /// When there is no image, or its outermost document is no JSON.
    pub(crate) fn of(layout: &Layout) -> anyhow::Result<Self> {
        let root = layout.image_index()?;
        let document = json(layout, &root.digest)
            .with_context(|| format!("{} is missing or no JSON", root.digest))?;
        let is_index = [INDEX, DOCKER_LIST].contains(&root.media_type.as_str());
        let children = if is_index {
            let entries = document["manifests"].as_array().into_iter().flatten();
            entries.map(|entry| Child::of(layout, entry)).collect()
        } else {
            let entry = serde_json::to_value(&root)?;
            let single = Child::of(layout, &entry);
            vec![Child {
                platform: platform(&single.config),
                entry: Value::Null,
                ..single
            }]
        };
        Ok(Self {
            media_type: root.media_type,
            digest: root.digest,
            size: root.size,
            document,
            children,
        })
    }
}

impl Child {
    fn of(layout: &Layout, entry: &Value) -> Self {
        let digest = text(&entry["digest"]);
        let image_manifest = json(layout, &digest).unwrap_or_default();
        let config = json(layout, &text(&image_manifest["config"]["digest"])).unwrap_or_default();
        let layers = image_manifest["layers"].as_array().into_iter().flatten();
        Self {
            platform: platform(&entry["platform"]),
            media_type: text(&entry["mediaType"]),
            size: entry["size"].as_u64().unwrap_or_default(),
            layers: layers
                .map(|layer| Layer {
                    media_type: text(&layer["mediaType"]),
                    digest: text(&layer["digest"]),
                    size: layer["size"].as_u64().unwrap_or_default(),
                })
                .collect(),
            entry: entry.clone(),
            digest,
            image_manifest,
            config,
        }
    }

    /// Whether it is buildx's way to attach a document: a child that no machine can run.
    pub(crate) fn is_attestation(&self) -> bool {
        self.platform == "unknown/unknown"
            || self.entry["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
    }
}

impl Layer {
    /// The uncompressed tar.
    ///
    /// # Errors
    /// When the bytes are not there, damaged, or packed in a way that is not read here.
    pub(crate) fn tar(&self, layout: &Layout) -> anyhow::Result<Vec<u8>> {
        const DOCKER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        let bytes = layout
            .blob(&self.digest)
            .with_context(|| format!("{} is missing", self.digest))?;
        match self.media_type.as_str() {
            LAYER_GZIP | DOCKER_GZIP => gunzip(bytes),
            LAYER_TAR => Ok(bytes.to_vec()),
            other => bail!("{other} is not read here"),
        }
    }
}

fn json(layout: &Layout, digest: &str) -> Option<Value> {
    serde_json::from_slice(layout.blob(digest)?).ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `os/architecture[/variant]` of an index's platform or of a config.
fn platform(fields: &Value) -> String {
    let word = |name: &str| fields[name].as_str();
    let unknown = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
    let variant = word("variant").map(|variant| format!("/{variant}"));
    format!(
        "{}/{}{}",
        unknown(word("os")),
        unknown(word("architecture")),
        variant.unwrap_or_default()
    )
}
