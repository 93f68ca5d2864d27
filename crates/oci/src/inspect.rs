//! Summaries of images: platforms, digests and sizes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::image::Image;
use crate::model::{Annotations, Descriptor, RunConfig};
use crate::platform_image::PlatformImage;

/// The summary of an image. Sizes are those of the compressed blobs, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The digest of the index, or of the manifest when there is no index.
    pub digest: String,
    /// The media type of the index or manifest.
    pub media_type: String,
    /// The annotations of the index or manifest.
    pub annotations: Annotations,
    /// Whether there is an index.
    #[serde(skip)]
    pub has_index: bool,
    /// The images of each platform, and attestations.
    pub manifests: Vec<PlatformSummary>,
    /// The size of all documents and blobs, each counted once: what a registry stores.
    pub total_size: u64,
}

/// The summary of the image of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlatformSummary {
    /// The digest of its manifest.
    pub digest: String,
    /// The media type of its manifest.
    pub media_type: String,
    /// The platform, such as `linux/arm64/v8`, or `unknown`.
    pub platform: String,
    /// The size of manifest, config and layers: what a node of that platform downloads.
    pub size: u64,
    /// Its layers, lowest first.
    pub layers: Vec<LayerSummary>,
    /// How a container of it starts.
    pub config: Option<RunConfig>,
}

/// The summary of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Summary {
    /// Returns the summary of an image.
    ///
    /// # Errors
    /// When `index.json` names no image, or several.
    pub fn of(image: &Image) -> anyhow::Result<Self> {
        let root = image.root()?;
        let index = image.index()?;
        let annotations = match (index, image.platforms.first()) {
            (Some(index), _) => index.document.value.annotations.clone(),
            (None, first) => {
                let manifest = first.and_then(|image| image.manifest.as_ref());
                manifest
                    .map(|it| it.value.annotations.clone())
                    .unwrap_or_default()
            }
        };
        let blobs = image.links.iter().map(|link| &link.descriptor);
        let blobs: BTreeMap<_, _> = blobs.map(|blob| (&blob.digest, blob.size)).collect();
        Ok(Self {
            digest: root.digest.clone(),
            media_type: root.media_type.clone(),
            annotations,
            has_index: index.is_some(),
            manifests: image.platforms.iter().map(PlatformSummary::of).collect(),
            total_size: blobs.values().sum(),
        })
    }

    /// Returns the text that `docker buildx imagetools inspect` prints for the image `name`, and for each platform its
    /// size, its layers and the lines that `more` returns.
    pub fn columns(&self, name: &str, more: impl Fn(&PlatformSummary) -> String) -> String {
        let (digest, media_type) = (&self.digest, &self.media_type);
        let mut text = format!("Name:      {name}\nMediaType: {media_type}\nDigest:    {digest}\n");
        if self.has_index {
            text.push_str("\nManifests:\n");
        }
        for image in &self.manifests {
            let (digest, media_type) = (&image.digest, &image.media_type);
            if self.has_index {
                let lines = format!("  Name:      {name}@{digest}\n  MediaType: {media_type}\n");
                text.push_str(&lines);
            }
            let (platform, size) = (&image.platform, format_size(image.size));
            text.push_str(&format!("  Platform:  {platform}\n  Size:      {size}\n"));
            for LayerSummary { digest, size, .. } in &image.layers {
                text.push_str(&format!("  Layer:     {digest} {}\n", format_size(*size)));
            }
            text.push_str(&more(image));
            text.push('\n');
        }
        text
    }
}

/// Returns a size in bytes as text, such as `1572864 bytes (1.5 MiB)`.
pub fn format_size(size: u64) -> String {
    let unit = |shift: u32| size as f64 / f64::from(1_u32 << shift);
    match size {
        0..1024 => format!("{size} bytes"),
        1024..1_048_576 => format!("{size} bytes ({:.1} KiB)", unit(10)),
        _ => format!("{size} bytes ({:.1} MiB)", unit(20)),
    }
}

impl PlatformSummary {
    fn of(image: &PlatformImage) -> Self {
        let platform = image.platform().map(|platform| platform.to_string());
        let manifest = image.manifest.as_ref();
        let config = manifest.map(|manifest| manifest.value.config.size);
        let layers: u64 = image.layers().iter().map(|layer| layer.size).sum();
        Self {
            digest: image.descriptor.digest.clone(),
            media_type: image.descriptor.media_type.clone(),
            platform: platform.unwrap_or_else(|| "unknown".to_owned()),
            size: image.descriptor.size + config.unwrap_or_default() + layers,
            layers: image.layers().iter().map(LayerSummary::of).collect(),
            config: image.run().cloned(),
        }
    }
}

impl LayerSummary {
    fn of(layer: &Descriptor) -> Self {
        Self {
            media_type: layer.media_type.clone(),
            digest: layer.digest.clone(),
            size: layer.size,
        }
    }
}
