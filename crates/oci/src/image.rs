//! Reads the documents of an image: indexes, manifests and configs.
//!
//! Media types may be those of OCI or Docker, and the image may be an index or a single image. Missing and damaged
//! documents are not errors: they are listed, and rules report them as findings.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use noetl_help::Help as _;
use serde::de::DeserializeOwned;

use crate::annotation;
use crate::digest::Sha256;
use crate::document::Document;
use crate::filesystem::FileSystem;
use crate::known_layers::KnownLayers;
use crate::layout::INDEX_NAME;
use crate::media_type;
use crate::model::{Descriptor, ImageIndex, ImageManifest};
use crate::platform::Platform;
use crate::platform_image::PlatformImage;
use crate::source::ImageSource;

/// A document that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The digest of the document, or `index.json`.
    pub name: String,
    /// Why it cannot be parsed.
    pub why: String,
    /// Whether the reason is a duplicate key.
    pub duplicate_key: bool,
}

/// A descriptor and the document that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The document with the descriptor: `index.json`, the digest of an index, or [`PlatformImage::name`].
    pub parent: String,
    /// The descriptor.
    pub descriptor: Descriptor,
    /// Whether the document is that of an attestation, which may have other media types.
    pub attestation: bool,
}

/// The documents of an image for one or several platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The entries of `index.json`, one for each name.
    pub names: Vec<Descriptor>,
    /// Every descriptor in the documents, those of `index.json` first.
    pub links: Vec<Link>,
    /// The image indexes; each is listed once.
    pub indexes: Vec<Index>,
    /// The images of all names in the order of the indexes; each is listed once.
    pub platforms: Vec<PlatformImage>,
    /// Documents that cannot be parsed.
    pub unreadable: Vec<Unreadable>,
    /// `index.json`; `None` when it is missing or cannot be parsed.
    pub index_json: Option<Document<ImageIndex>>,
}

/// An image index and its descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The descriptor by which it was found.
    pub descriptor: Descriptor,
    /// The document.
    pub document: Document<ImageIndex>,
}

impl Image {
    /// Reads indexes, manifests and configs from a source, but no layers.
    ///
    /// # Errors
    /// When the source cannot be read. A missing document is left out, and one that cannot be parsed is listed in
    /// [`Image::unreadable`].
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

    /// Returns the descriptor of the only image or index that the source names; it may have several names.
    ///
    /// # Errors
    /// When the source names no image, or several.
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
            .help("copy one of them to its own layout: `skopeo copy oci:FOLDER:TAG oci:NEW:TAG`")),
        }
    }

    /// Returns the index that the source names; `None` when it names a single image without an index.
    ///
    /// # Errors
    /// When the source names no image, or several.
    pub fn index(&self) -> anyhow::Result<Option<&Index>> {
        let root = self.root()?;
        let mut indexes = self.indexes.iter();
        Ok(indexes.find(|index| index.descriptor.digest == root.digest))
    }

    /// Checks that the bytes of every document have the digest in its descriptor. [`Image::read`] does not check this;
    /// call it before you rely on the documents, unless [`rules::check`](crate::rules::check) has checked the image.
    ///
    /// # Errors
    /// When a document has another digest, or cannot be parsed.
    pub fn check_digests(&self) -> anyhow::Result<()> {
        if let Some(unreadable) = self.unreadable.first() {
            bail!("{} cannot be read: {}", unreadable.name, unreadable.why);
        }
        let check = |descriptor: &Descriptor, bytes: &[u8]| {
            let (expected, found) = (&descriptor.digest, Sha256::of(bytes).digest());
            ensure!(
                *expected == found,
                "the document {expected} has the digest {found}"
            );
            Ok(())
        };
        for index in &self.indexes {
            check(&index.descriptor, &index.document.bytes)?;
        }
        for image in &self.platforms {
            let Some(manifest) = &image.manifest else {
                continue;
            };
            check(&image.descriptor, &manifest.bytes)?;
            if let Some(config) = &image.config {
                check(&manifest.value.config, &config.bytes)?;
            }
        }
        Ok(())
    }

    /// Returns the full names in `index.json`.
    pub fn full_names(&self) -> Vec<String> {
        let names = self.names.iter();
        names
            .filter_map(|name| name.annotations.get(annotation::CONTAINERD_NAME).cloned())
            .collect()
    }

    /// Returns the images that can be run, which are all except attestations.
    pub fn runnable(&self) -> impl Iterator<Item = &PlatformImage> {
        self.platforms.iter().filter(|it| !it.is_attestation())
    }

    /// Returns the first image that can be used where `platform` is requested; see [`Platform::serves`].
    pub fn find_platform(&self, platform: &Platform) -> Option<&PlatformImage> {
        self.runnable()
            .find(|image| image.platform().is_some_and(|has| has.serves(platform)))
    }

    /// Reads the program that each runnable image starts. Returns [`PlatformImage::name`] and the bytes of the program;
    /// images that start no file are left out.
    ///
    /// # Errors
    /// When a layer cannot be read.
    pub fn programs(
        &self,
        source: &dyn ImageSource,
        known: &KnownLayers,
    ) -> anyhow::Result<Vec<(String, Bytes)>> {
        let mut programs = Vec::new();
        for image in self.runnable() {
            let Some(path) = image.program_path() else {
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

/// How much of a config is read at most, in bytes.
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
