//! An image of any maker: its documents, read at once, and its layers, read when they are asked for.
//!
//! OCI's and Docker's media types, an index or a single image, whole or with parts missing. It judges
//! nothing: what could not be read is listed, and the rules make findings of it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::annotation;
use crate::contents::{Contents, KnownLayers, read_member};
use crate::filesystem::{Content, FileSystem};
use crate::layout::INDEX_NAME;
use crate::media_type;
use crate::model::{Descriptor, ImageConfig, ImageIndex, ImageManifest, encode};
use crate::platform::Platform;
use crate::source::ImageSource;

/// A document and the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl<T: serde::Serialize> Document<T> {
    /// Returns whether these are the bytes that this crate writes for the same content.
    pub fn is_canonical(&self) -> bool {
        encode(&self.value) == self.bytes
    }
}

impl<T> Document<T> {
    /// Returns it as untyped JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

/// A document that is missing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its digest, or `index.json`.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
    /// Whether a key is there twice.
    pub duplicate_key: bool,
}

/// A descriptor and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `index.json`, the digest of an index, or the name of a platform's image.
    pub parent: String,
    /// The descriptor.
    pub descriptor: Descriptor,
    /// Whether it belongs to an attestation, which has media types of its own.
    pub attestation: bool,
}

/// An image for one or several platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// What the source names, one entry per name.
    pub names: Vec<Descriptor>,
    /// Every descriptor that was met, those of `index.json` first.
    pub links: Vec<Link>,
    /// The image indexes, once each.
    pub indexes: Vec<Index>,
    /// The images below all names, once each, in the order of the indexes.
    pub platforms: Vec<PlatformImage>,
    /// Documents that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// The document that names the image; `None` when it is not there or cannot be read.
    pub index_json: Option<Document<ImageIndex>>,
}

/// An image index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The descriptor that leads to it.
    pub descriptor: Descriptor,
    /// The document.
    pub document: Document<ImageIndex>,
}

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

impl Image {
    /// Reads index, manifests and configs from a source.
    ///
    /// # Errors
    /// When the source fails. Documents that are missing or broken are no errors: see [`Image::unreadable`].
    pub fn read(source: &dyn ImageSource) -> anyhow::Result<Self> {
        let mut image = Self::default();
        let bytes = source.index_json()?;
        image.index_json = bytes.and_then(|bytes| image.parse(INDEX_NAME, bytes));
        if let Some(index) = image.index_json.clone() {
            image.names.clone_from(&index.value.manifests);
            for child in index.value.manifests {
                image.descend(source, INDEX_NAME, child)?;
            }
        }
        Ok(image)
    }

    /// Returns the descriptor of the one image or index that the source names, under as many names as it likes.
    ///
    /// # Errors
    /// When it names none, or several: then it is not clear which is meant.
    pub fn root(&self) -> anyhow::Result<&Descriptor> {
        let first = self.names.first().context("index.json names no image")?;
        let mut others = self.names.iter();
        match others.find(|other| other.digest != first.digest) {
            None => Ok(first),
            Some(other) => Err(anyhow!(
                "index.json names several images: {} and {}",
                first.digest,
                other.digest
            )
            .help("`skopeo copy oci:FOLDER:TAG oci:NEW:TAG` takes one out")),
        }
    }

    /// Returns the index that the source names; `None` when it names a single image.
    ///
    /// # Errors
    /// When it names no image, or several.
    pub fn index(&self) -> anyhow::Result<Option<&Index>> {
        let root = self.root()?;
        let mut indexes = self.indexes.iter();
        Ok(indexes.find(|index| index.descriptor.digest == root.digest))
    }

    /// Returns the full names that the source gives it.
    pub fn full_names(&self) -> Vec<String> {
        let names = self.names.iter();
        names
            .filter_map(|name| name.annotations.get(annotation::CONTAINERD_NAME).cloned())
            .collect()
    }

    /// Returns the images that can be run: all but attestations.
    pub fn runnable(&self) -> impl Iterator<Item = &PlatformImage> {
        self.platforms.iter().filter(|it| !it.is_attestation())
    }

    /// Returns the first image that runs where `platform` is asked for.
    pub fn serving(&self, platform: &Platform) -> Option<&PlatformImage> {
        self.runnable()
            .find(|image| image.platform().is_some_and(|has| has.serves(platform)))
    }

    /// Reads what each runnable image starts, by `os/architecture`; images that start no file are left out.
    ///
    /// # Errors
    /// When a layer cannot be read.
    pub fn programs(
        &self,
        source: &dyn ImageSource,
        known: &KnownLayers,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut programs = Vec::new();
        for image in self.runnable() {
            let run = image.config.as_ref().and_then(|it| it.value.config.clone());
            let Some(path) = run.and_then(|run| run.first_word().map(ToOwned::to_owned)) else {
                continue;
            };
            let Some(contents) = image.contents(source, known)? else {
                continue;
            };
            let Ok(merged) = FileSystem::merge(contents.iter().map(Arc::as_ref)) else {
                continue;
            };
            if let Some(content) = merged.file(&path) {
                let bytes = image.read_content(source, &contents, content)?;
                programs.push((image.name(), bytes));
            }
        }
        Ok(programs)
    }

    fn descend(
        &mut self,
        source: &dyn ImageSource,
        parent: &str,
        descriptor: Descriptor,
    ) -> anyhow::Result<()> {
        let is_known = self
            .indexes
            .iter()
            .any(|index| index.descriptor.digest == descriptor.digest)
            || self
                .platforms
                .iter()
                .any(|image| image.descriptor == descriptor);
        self.links.push(Link {
            parent: parent.to_owned(),
            descriptor: descriptor.clone(),
            attestation: false,
        });
        let media_type = descriptor.media_type.as_str();
        if is_known {
            return Ok(());
        }
        if media_type::is_index(media_type) {
            let Some(bytes) = source.document(&descriptor)? else {
                return Ok(());
            };
            if let Some(document) = self.parse::<ImageIndex>(&descriptor.digest, bytes) {
                let children = document.value.manifests.clone();
                let digest = descriptor.digest.clone();
                self.indexes.push(Index {
                    descriptor,
                    document,
                });
                for child in children {
                    self.descend(source, &digest, child)?;
                }
            }
        } else if media_type::is_manifest(media_type) {
            let index = (parent != INDEX_NAME).then(|| parent.to_owned());
            self.add_platform(source, descriptor, index)?;
        }
        Ok(())
    }

    fn add_platform(
        &mut self,
        source: &dyn ImageSource,
        descriptor: Descriptor,
        index: Option<String>,
    ) -> anyhow::Result<()> {
        let manifest = match source.document(&descriptor)? {
            Some(bytes) => self.parse::<ImageManifest>(&descriptor.digest, bytes),
            None => None,
        };
        let mut image = PlatformImage {
            descriptor,
            index,
            manifest,
            config: None,
        };
        if let Some(manifest) = image.manifest.clone().map(|document| document.value) {
            let attestation = image.is_attestation();
            if !attestation && let Some(bytes) = read_whole(source, &manifest.config)? {
                image.config = self.parse(&manifest.config.digest, bytes);
            }
            let parent = image.name();
            let descriptors = [manifest.config].into_iter().chain(manifest.layers);
            self.links.extend(descriptors.map(|descriptor| Link {
                parent: parent.clone(),
                descriptor,
                attestation,
            }));
        }
        self.platforms.push(image);
        Ok(())
    }

    fn parse<T: DeserializeOwned>(&mut self, name: &str, bytes: Vec<u8>) -> Option<Document<T>> {
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(Document { value, bytes }),
            Err(error) => {
                let why = error.to_string();
                self.unreadable.push(Unreadable {
                    name: name.to_owned(),
                    duplicate_key: why.contains("duplicate field"),
                    why,
                });
                None
            }
        }
    }
}

/// The longest config that is read, in bytes.
const LONGEST_CONFIG: u64 = 64 << 20;

fn read_whole(
    source: &dyn ImageSource,
    descriptor: &Descriptor,
) -> anyhow::Result<Option<Vec<u8>>> {
    use std::io::Read as _;
    let Some(reader) = source.open(descriptor)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    reader
        .take(LONGEST_CONFIG)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", descriptor.digest))?;
    Ok(Some(bytes))
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
    pub fn run(&self) -> Option<&crate::model::RunConfig> {
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
    ) -> anyhow::Result<Option<Vec<Arc<Contents>>>> {
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
        contents: &[Arc<Contents>],
        content: Content,
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
) -> anyhow::Result<Option<Arc<Contents>>> {
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
