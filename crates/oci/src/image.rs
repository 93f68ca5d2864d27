//! An image of any maker: its documents, read at once, and its layers, read when they are asked for.
//!
//! OCI's and Docker's media types, an index or a single image, whole or with parts missing. It judges
//! nothing: what could not be read is listed, and the rules make findings of it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
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

    /// Fails unless every document has the digest that it was asked for by. A source may give others: rules find that,
    /// and so must whoever relies on the documents without checking the image.
    ///
    /// # Errors
    /// When a document has another digest, or could not be read.
    pub fn check_digests(&self) -> anyhow::Result<()> {
        if let Some(unreadable) = self.unreadable.first() {
            bail!("{} cannot be read: {}", unreadable.name, unreadable.why);
        }
        let check = |descriptor: &Descriptor, bytes: &[u8]| {
            let (said, found) = (&descriptor.digest, Sha256::of(bytes).digest());
            ensure!(*said == found, "it says {said}, and its bytes are {found}");
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
    pub fn find_platform(&self, platform: &Platform) -> Option<&PlatformImage> {
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
