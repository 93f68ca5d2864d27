//! The image of one platform: manifest, config and access to the layers.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;

use crate::annotation;
use crate::contents::{LayerContents, read_member};
use crate::document::Document;
use crate::filesystem::FileContent;
use crate::known_layers::KnownLayers;
use crate::media_type;
use crate::model::{Descriptor, ImageConfig, ImageManifest, RunConfig};
use crate::platform::Platform;
use crate::source::ImageSource;

/// The image of one platform: its manifest and config, or an attestation in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// The descriptor by which it was found.
    pub descriptor: Descriptor,
    /// The digest of the index that lists it; `None` when it is listed in `index.json`.
    pub index: Option<String>,
    /// The manifest; `None` when it is missing or cannot be parsed.
    pub manifest: Option<Document<ImageManifest>>,
    /// The config; `None` when it is missing or cannot be parsed.
    pub config: Option<Document<ImageConfig>>,
}

impl PlatformImage {
    /// Returns the platform in its descriptor, or else in its config.
    pub fn platform(&self) -> Option<Platform> {
        let of_config = || Some(self.config.as_ref()?.value.platform());
        self.descriptor.platform.clone().or_else(of_config)
    }

    /// Returns a short name for messages: `os/architecture`, or its digest when the platform is not known.
    pub fn name(&self) -> String {
        match self.platform() {
            Some(platform) => platform.without_variant(),
            None => self.descriptor.digest.clone(),
        }
    }

    /// Returns the name of a layer for messages, such as `linux/amd64 layer 1`; the lowest layer is 0.
    pub fn layer_name(&self, position: usize) -> String {
        format!("{} layer {position}", self.name())
    }

    /// Returns the descriptors of the layers, lowest first; empty when there is no manifest.
    pub fn layers(&self) -> &[Descriptor] {
        let manifest = self.manifest.as_ref();
        manifest.map_or(&[], |manifest| manifest.value.layers.as_slice())
    }

    /// Returns how a container of it starts, if the config contains that.
    pub fn run(&self) -> Option<&RunConfig> {
        self.config.as_ref()?.value.config.as_ref()
    }

    /// Returns the path of the program that a container of it starts, as its config has it; a relative one is below the
    /// working directory. `None` when the config names none.
    pub fn program_path(&self) -> Option<String> {
        let run = self.run()?;
        let word = run.first_word().filter(|word| !word.is_empty())?;
        if word.starts_with('/') {
            return Some(word.to_owned());
        }
        let folder = run.working_dir.as_deref().unwrap_or_default();
        Some(format!("{folder}/{word}"))
    }

    /// Returns whether it is an attestation and not an image. A [`claim`](Self::claim) is not enough: runtimes ignore
    /// claims, and run everything that has a platform and the config of an image.
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

    /// Returns the annotation or field that marks it as a document about another image: buildx's annotation,
    /// `artifactType` or `subject`; `None` when there is none.
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

    /// Reads all layers, lowest first; `None` when one is missing, or its media type is not that of a layer.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn contents(
        &self,
        source: &dyn ImageSource,
        known: &KnownLayers,
    ) -> anyhow::Result<Option<Vec<Arc<LayerContents>>>> {
        let layers = self.layers().iter();
        let program = self.program_path();
        let program = program.as_deref();
        let read = |layer| contents(source, known, layer, program);
        layers.map(read).collect()
    }

    /// Reads the content of a file in the file system that was merged from `contents`, the layers of this image.
    ///
    /// # Errors
    /// When the layer of the file cannot be read again.
    pub fn read_content(
        &self,
        source: &dyn ImageSource,
        contents: &[Arc<LayerContents>],
        content: FileContent,
    ) -> anyhow::Result<Bytes> {
        let member = contents
            .get(content.layer)
            .and_then(|layer| layer.members.get(content.member));
        if let Some(kept) = member.and_then(|member| member.kept.as_ref()) {
            return Ok(kept.clone());
        }
        let layer = self.layers().get(content.layer);
        let layer = layer.context("the image has no such layer")?;
        let compression = media_type::compression(&layer.media_type);
        let compression = compression.context("its media type is not that of a layer")?;
        let reader = source.open(layer)?;
        let reader = reader.with_context(|| format!("{} is missing", layer.digest))?;
        read_member(reader, compression, content.member).map(Bytes::from)
    }
}

/// Reads one layer, and keeps the file at `program` if the layer is small; `None` when it is missing, or its media type is
/// not that of a layer.
pub(crate) fn contents(
    source: &dyn ImageSource,
    known: &KnownLayers,
    layer: &Descriptor,
    program: Option<&str>,
) -> anyhow::Result<Option<Arc<LayerContents>>> {
    let Some(compression) = media_type::compression(&layer.media_type) else {
        return Ok(None);
    };
    let Some(first) = source.open(layer)? else {
        return Ok(None);
    };
    let opened = std::cell::Cell::new(Some(first));
    let contents = known.read(layer, compression, program, || match opened.take() {
        Some(reader) => Ok(reader),
        None => {
            let reader = source.open(layer)?;
            reader.with_context(|| format!("{} is missing", layer.digest))
        }
    });
    contents.map(Some)
}
