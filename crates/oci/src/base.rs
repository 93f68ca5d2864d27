//! Base images, whose layers have been fetched to this machine and read.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use noetl_help::Help as _;

use crate::annotation;
use crate::blob::Blob;
use crate::contents::LayerContents;
use crate::filesystem::FileSystem;
use crate::image::Image;
use crate::known_layers::KnownLayers;
use crate::media_type;
use crate::model::{Descriptor, ImageConfig};
use crate::platform::Platform;
use crate::platform_image::PlatformImage;
use crate::source::ImageSource;

/// A base image for every requested platform.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its full name, if the source names it.
    pub name: Option<String>,
    /// The digest of its index, or of its manifest when there is no index.
    pub digest: String,
    /// The image of each platform, in the requested order.
    pub images: Vec<BaseImage>,
}

/// A base image for one platform.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// The digest of its manifest.
    pub digest: String,
    /// Its layers with OCI's media types, lowest first.
    pub layers: Vec<Descriptor>,
    /// The compressed bytes of each layer.
    pub blobs: Vec<Blob>,
    /// Its config.
    pub config: ImageConfig,
    /// The file system that its layers make together.
    pub filesystem: FileSystem,
    /// The content of each layer.
    contents: Vec<Arc<LayerContents>>,
}

impl Base {
    /// Reads the images for `platforms` from a source that names one image or index, and fetches their layers.
    ///
    /// # Errors
    /// When the source names several images, a platform or a blob is missing, the bytes of a layer have another digest,
    /// or a layer is neither gzip nor plain tar.
    pub fn read(
        source: &dyn ImageSource,
        platforms: &[Platform],
        known: &KnownLayers,
    ) -> anyhow::Result<Self> {
        let image = Image::read(source)?;
        let root = image.root()?;
        if let Some(unreadable) = image.unreadable.first() {
            bail!(
                "its document {} cannot be read: {}",
                unreadable.name,
                unreadable.why
            );
        }
        let mut images = Vec::new();
        for platform in platforms {
            let found = image.find_platform(platform);
            let found = found
                .ok_or_else(|| no_image_for(platform, &image))
                .help("choose a base image that has it, or leave the platform out")?;
            let read = BaseImage::read(source, found, known);
            images.push(read.with_context(|| format!("its image for {platform} cannot be used"))?);
        }
        Ok(Self {
            name: root.annotations.get(annotation::CONTAINERD_NAME).cloned(),
            digest: root.digest.clone(),
            images,
        })
    }
}

fn no_image_for(platform: &Platform, image: &Image) -> anyhow::Error {
    let has: Vec<_> = image
        .runnable()
        .filter_map(|image| Some(image.platform()?.to_string()))
        .collect();
    let has = if has.is_empty() {
        "none with a platform".to_owned()
    } else {
        has.join(", ")
    };
    let platform = platform.without_variant();
    anyhow!("it has no image for {platform}; it has {has}")
}

impl BaseImage {
    fn read(
        source: &dyn ImageSource,
        image: &PlatformImage,
        known: &KnownLayers,
    ) -> anyhow::Result<Self> {
        let digest = image.descriptor.digest.clone();
        let missing = |what: &str| format!("its {what} is missing");
        let manifest = image
            .manifest
            .as_ref()
            .with_context(|| missing("manifest"))?;
        let config = image.config.as_ref().with_context(|| missing("config"))?;
        let (layers, config) = (&manifest.value.layers, config.value.clone());
        ensure!(
            layers.len() == config.rootfs.diff_ids.len(),
            "{} layers and {} diff ids",
            layers.len(),
            config.rootfs.diff_ids.len()
        );
        let (mut blobs, mut contents, mut relabelled) = (Vec::new(), Vec::new(), Vec::new());
        for layer in layers {
            let digest = &layer.digest;
            relabelled.push(oci_layer(layer)?);
            let blob = source.blob(layer)?;
            let blob = blob.with_context(|| format!("its layer {digest} is missing"))?;
            let compression = media_type::compression(&layer.media_type);
            let compression = compression.context("its media type is not that of a layer")?;
            let read = known.read(layer, compression, None, || blob.open())?;
            ensure!(
                read.sha256.digest() == *digest,
                "its layer {digest} has the content of {}",
                read.sha256.digest()
            );
            blobs.push(blob);
            contents.push(read);
        }
        let filesystem = FileSystem::merge(contents.iter().map(Arc::as_ref))
            .context("its layers cannot be read")?;
        Ok(Self {
            digest,
            layers: relabelled,
            blobs,
            config,
            filesystem,
            contents,
        })
    }

    /// Returns a small file below `/etc` as text; `None` when there is no such file.
    pub fn text(&self, path: &str) -> Option<String> {
        let content = self.filesystem.file(path)?;
        let member = self
            .contents
            .get(content.layer)?
            .members
            .get(content.member)?;
        let kept = member.kept.as_ref()?;
        Some(String::from_utf8_lossy(kept).into_owned())
    }
}

/// Returns the descriptor of a layer with OCI's media type, since an image must not mix OCI's and Docker's types.
fn oci_layer(layer: &Descriptor) -> anyhow::Result<Descriptor> {
    let Descriptor {
        media_type,
        digest,
        size,
        ..
    } = layer;
    let Some(oci) = media_type::oci_layer(media_type) else {
        bail!("its layer {digest} is {media_type}, which older engines cannot load");
    };
    Ok(Descriptor {
        digest: digest.clone(),
        size: *size,
        ..Descriptor::of(oci, &[])
    })
}
