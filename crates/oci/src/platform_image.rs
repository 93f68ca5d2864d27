//! The image of one platform: its manifest and config, and its layers when they are asked for.

use std::sync::Arc;

use anyhow::Context as _;

use crate::annotation;
use crate::contents::{LayerContents, read_member};
use crate::document::Document;
use crate::filesystem::FileContent;
use crate::known_layers::KnownLayers;
use crate::media_type;
use crate::model::{Descriptor, ImageConfig, ImageManifest, RunConfig};
use crate::platform::Platform;
use crate::source::ImageSource;

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// The descriptor that leads to it.
    pub descriptor: Descriptor,
    /// The digest of the index that lists it; `None` when `index.json` names the image itself.
    pub index: Option<String>,
    /// The manifest; `None` when it is not there or cannot be read.
    pub manifest: Option<Document<ImageManifest>>,
    /// The config; `None` when it is not there or cannot be read.
    pub config: Option<Document<ImageConfig>>,
}

impl PlatformImage {
    /// Returns where it runs: by the index, or by its config where no index says so.
    pub fn platform(&self) -> Option<Platform> {
        let of_config = || Some(self.config.as_ref()?.value.platform());
        self.descriptor.platform.clone().or_else(of_config)
    }

    /// Returns a short name for findings: `os/architecture`, or its digest.
    pub fn name(&self) -> String {
        match self.platform() {
            Some(platform) => platform.without_variant(),
            None => self.descriptor.digest.clone(),
        }
    }

    /// Returns the name of a layer for findings.
    pub fn layer_name(&self, position: usize) -> String {
        format!("{} layer {position}", self.name())
    }

    /// Returns the layers' descriptors, lowest first; none when the manifest cannot be read.
    pub fn layers(&self) -> &[Descriptor] {
        let manifest = self.manifest.as_ref();
        manifest.map_or(&[], |manifest| manifest.value.layers.as_slice())
    }

    /// Returns how a container of it starts.
    pub fn run(&self) -> Option<&RunConfig> {
        self.config.as_ref()?.value.config.as_ref()
    }

    /// Returns whether it is an attestation that stands where images stand. A label may say so of an image; a
    /// runtime heeds none of them, and runs what has a platform and an image's config.
    pub fn is_attestation(&self) -> bool {
        let platform = self.descriptor.platform.as_ref();
        let is_named = platform.is_some_and(|platform| platform.os != "unknown");
        let Some(manifest) = &self.manifest else {
            return platform.is_some_and(Platform::is_unknown);
        };
        let config_type = manifest.value.config.media_type.as_str();
        let runs = is_named && media_type::is_config(config_type);
        config_type == media_type::EMPTY || (self.claim().is_some() && !runs)
    }

    /// Returns what says of it that it is about another image: a label, an artifact type or a subject.
    pub fn claim(&self) -> Option<&'static str> {
        let manifest = &self.manifest.as_ref()?.value;
        let label = annotation::DOCKER_REFERENCE_TYPE;
        if self.descriptor.annotations.contains_key(label) {
            return Some(label);
        }
        if manifest.artifact_type.is_some() {
            return Some("artifactType");
        }
        manifest.subject.is_some().then_some("subject")
    }

    /// Reads what each layer holds, lowest first; `None` when one is missing or has no media type of a layer.
    ///
    /// # Errors
    /// When the source fails.
    pub fn contents(
        &self,
        source: &dyn ImageSource,
        known: &KnownLayers,
    ) -> anyhow::Result<Option<Vec<Arc<LayerContents>>>> {
        let layers = self.layers().iter();
        layers.map(|layer| contents(source, known, layer)).collect()
    }

    /// Reads the content of a file of the merged file system.
    ///
    /// # Errors
    /// When its layer cannot be read again.
    pub fn read_content(
        &self,
        source: &dyn ImageSource,
        contents: &[Arc<LayerContents>],
        content: FileContent,
    ) -> anyhow::Result<Vec<u8>> {
        let member = contents
            .get(content.layer)
            .and_then(|layer| layer.members.get(content.member));
        if let Some(kept) = member.and_then(|member| member.kept.as_ref()) {
            return Ok(kept.to_vec());
        }
        let layer = self.layers().get(content.layer);
        let layer = layer.context("the image has no such layer")?;
        let compression = media_type::compression(&layer.media_type);
        let compression = compression.context("its media type is not that of a layer")?;
        let reader = source.open(layer)?;
        let reader = reader.with_context(|| format!("{} is missing", layer.digest))?;
        read_member(reader, compression, content.member)
    }
}

/// Reads what one layer holds; `None` when it is missing, or has no media type of a layer.
pub(crate) fn contents(
    source: &dyn ImageSource,
    known: &KnownLayers,
    layer: &Descriptor,
) -> anyhow::Result<Option<Arc<LayerContents>>> {
    let Some(compression) = media_type::compression(&layer.media_type) else {
        return Ok(None);
    };
    let Some(first) = source.open(layer)? else {
        return Ok(None);
    };
    let opened = std::cell::Cell::new(Some(first));
    let contents = known.read(&layer.digest, compression, || match opened.take() {
        Some(reader) => Ok(reader),
        None => {
            let reader = source.open(layer)?;
            reader.with_context(|| format!("{} is missing", layer.digest))
        }
    });
    contents.map(Some)
}
