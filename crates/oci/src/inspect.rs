//! What an image is, as plain data: platforms, digests, sizes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::image::Image;
use crate::model::{Annotations, Descriptor, RunConfig};
use crate::platform_image::PlatformImage;

/// An image and its platforms. Sizes are in bytes, as they are sent over a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Digest of the index, or of the one image.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Annotations of the index, or of the one image.
    pub annotations: Annotations,
    /// Whether there is an index.
    #[serde(skip)]
    pub has_index: bool,
    /// One for each image, attestations included.
    pub manifests: Vec<PlatformSummary>,
    /// What a registry stores: every document and blob, each counted once.
    pub total_size: u64,
}

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlatformSummary {
    /// Digest of its manifest.
    pub digest: String,
    /// Media type of its manifest.
    pub media_type: String,
    /// `linux/arm64/v8`, or `unknown` where no document says it.
    pub platform: String,
    /// What a node of that platform fetches: manifest, config and layers.
    pub size: u64,
    /// Its layers, lowest first.
    pub layers: Vec<LayerSummary>,
    /// How a container of it starts.
    pub config: Option<RunConfig>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub size: u64,
}

impl Summary {
    /// Summarizes an image.
    ///
    /// # Errors
    /// When it names no image, or several.
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

    /// Returns the columns that `docker buildx imagetools inspect` prints, and for each image its sizes, its layers and
    /// the lines that `more` adds.
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

/// Returns a size such as `1572864 bytes (1.5 MiB)`.
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
