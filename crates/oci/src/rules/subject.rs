//! The input of rules: the documents of an image, the hashes of its blobs, the content of its layers, and the file
//! system that these make together. Each blob is read once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;

use crate::annotation;
use crate::contents::{LayerContents, LayerProblem};
use crate::digest::Sha256;
use crate::elf;
use crate::filesystem::FileSystem;
use crate::image::Image;
use crate::known_layers::KnownLayers;
use crate::media_type::Compression;
use crate::model::{Descriptor, ImageConfig, RunConfig};
use crate::parallel::{each, map};
use crate::platform_image::{self, PlatformImage};
use crate::rules::Expectations;
use crate::source::ImageSource;

/// An image that was read to be checked.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The source that it was read from.
    pub source: &'s dyn ImageSource,
    /// Its documents.
    pub image: Image,
    /// The blobs that exist, by the digest in their descriptor, which may differ from that of their bytes.
    pub blobs: BTreeMap<String, BlobFacts>,
    /// What was read of each of [`Image::platforms`], in the same order.
    facts: Vec<PlatformFacts>,
    maker: String,
}

/// Hash and size of the bytes of a blob.
#[derive(Debug, Clone)]
pub struct BlobFacts {
    /// The SHA-256 of its bytes.
    pub sha256: Sha256,
    /// The length in bytes.
    pub size: u64,
    /// The content, when it is a layer.
    pub contents: Option<Arc<LayerContents>>,
}

/// What was read of the image of one platform.
#[derive(Debug)]
struct PlatformFacts {
    origins: Vec<Origin>,
    contents: Vec<Option<Arc<LayerContents>>>,
    /// The merged file system. The error is `None` when a layer is missing or could not be decompressed.
    filesystem: Result<FileSystem, Option<Damage>>,
    program: Option<Program>,
}

/// Why decompressed layers do not make a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The position of the damaged layer; the lowest is 0.
    pub position: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Who wrote a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The maker in [`Expectations::maker`].
    Own,
    /// The maker of the base image with this digest, or `unknown`.
    Base(String),
}

/// The ELF program that an image starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its real path, without a leading slash.
    pub path: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// The first path of a build machine in its bytes; see [`elf::machine_path`].
    pub machine_path: Option<(usize, String)>,
}

/// The image of one platform, with its layers, file system and program.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    /// Its documents.
    pub image: &'a PlatformImage,
    facts: &'a PlatformFacts,
    maker: &'a str,
}

/// A layer of an image, with its content.
#[derive(Debug, Clone, Copy)]
pub struct LayerView<'a> {
    /// Its position; the lowest is 0.
    pub position: usize,
    /// Its descriptor.
    pub descriptor: &'a Descriptor,
    /// Who wrote it.
    pub origin: &'a Origin,
    /// Its content; `None` when it is missing.
    pub contents: Option<&'a LayerContents>,
}

impl<'s> Subject<'s> {
    /// Reads an image from its documents to the content of its layers. Layers in `known` are hashed, but not unpacked
    /// again.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(
        source: &'s dyn ImageSource,
        expected: &Expectations,
        known: &KnownLayers,
    ) -> anyhow::Result<Self> {
        let image = Image::read(source)?;
        let blobs = read_blobs(source, &image, known)?;
        let facts = map(&image.platforms, |platform| {
            PlatformFacts::of(source, &image, platform, &blobs, expected)
        })?;
        Ok(Self {
            source,
            image,
            blobs,
            facts,
            maker: expected.maker.clone(),
        })
    }

    /// Returns the images of all platforms, including attestations.
    pub fn platforms(&self) -> impl Iterator<Item = ImageView<'_>> {
        let pairs = self.image.platforms.iter().zip(&self.facts);
        pairs.map(|(image, facts)| ImageView {
            image,
            facts,
            maker: &self.maker,
        })
    }

    /// Returns the images that can be run, which are all except attestations.
    pub fn runnable(&self) -> impl Iterator<Item = ImageView<'_>> {
        self.platforms().filter(|view| !view.image.is_attestation())
    }
}

impl<'a> ImageView<'a> {
    /// Returns its short name for findings; see [`PlatformImage::name`].
    pub fn name(&self) -> String {
        self.image.name()
    }

    /// Returns its config; `None` when it is missing or cannot be parsed.
    pub fn config(&self) -> Option<&'a ImageConfig> {
        self.image.config.as_ref().map(|document| &document.value)
    }

    /// Returns how a container of it starts, if its config contains that.
    pub fn run(&self) -> Option<&'a RunConfig> {
        self.config()?.config.as_ref()
    }

    /// Returns its layers, lowest first.
    pub fn layers(&self) -> impl Iterator<Item = LayerView<'a>> + use<'a> {
        let facts = self.facts;
        let layers = self.image.layers().iter().enumerate();
        layers.map(move |(position, descriptor)| LayerView {
            position,
            descriptor,
            origin: &facts.origins[position],
            contents: facts.contents[position].as_deref(),
        })
    }

    /// Returns the content of each layer, lowest first; `None` for missing layers.
    pub fn contents(&self) -> impl Iterator<Item = &'a Option<Arc<LayerContents>>> {
        self.facts.contents.iter()
    }

    /// Returns the name of a layer for findings; see [`PlatformImage::layer_name`].
    pub fn layer_name(&self, position: usize) -> String {
        self.image.layer_name(position)
    }

    /// Returns the merged file system; `None` when it could not be made from the layers.
    pub fn filesystem(&self) -> Option<&'a FileSystem> {
        self.facts.filesystem.as_ref().ok()
    }

    /// Returns why the layers do not make a file system, when all could be decompressed and yet they do not.
    pub fn damage(&self) -> Option<&'a Damage> {
        self.facts.filesystem.as_ref().err()?.as_ref()
    }

    /// Returns the program that it starts; `None` when that is not an ELF file.
    pub fn program(&self) -> Option<&'a Program> {
        self.facts.program.as_ref()
    }

    /// Returns whether the expected maker made it, by the last line of its history.
    pub fn is_own(&self) -> bool {
        let last = self.config().and_then(|config| config.history.last());
        last.is_some_and(|line| line.own_layer(self.maker).is_some())
    }

    /// Returns a small file below `/etc` as text; `None` when there is no such file.
    pub fn text(&self, path: &str) -> Option<String> {
        let content = self.filesystem()?.file(path)?;
        let layer = self.facts.contents.get(content.layer)?.as_ref()?;
        let kept = layer.members.get(content.member)?.kept.as_ref()?;
        Some(String::from_utf8_lossy(kept).into_owned())
    }
}

impl PlatformFacts {
    fn of(
        source: &dyn ImageSource,
        image: &Image,
        platform: &PlatformImage,
        blobs: &BTreeMap<String, BlobFacts>,
        expected: &Expectations,
    ) -> anyhow::Result<Self> {
        let find = |layer: &Descriptor| blobs.get(&layer.digest)?.contents.clone();
        let contents: Vec<_> = platform.layers().iter().map(find).collect();
        let mut facts = Self {
            origins: origins(image, platform, &expected.maker),
            filesystem: merge(&contents),
            contents,
            program: None,
        };
        if !platform.is_attestation() {
            facts.program = program(source, platform, &facts)?;
        }
        Ok(facts)
    }
}

/// Merges the layers of an image; the error is `None` when a layer is missing or could not be decompressed.
fn merge(contents: &[Option<Arc<LayerContents>>]) -> Result<FileSystem, Option<Damage>> {
    let mut merged = FileSystem::default();
    for (position, layer) in contents.iter().enumerate() {
        let layer = layer.as_ref().ok_or(None)?;
        // S8 and S9 report layers that cannot be decompressed.
        if !matches!(layer.problem, None | Some(LayerProblem::Tar(_))) {
            return Err(None);
        }
        merged.apply(layer).map_err(|error| {
            let why = format!("{error:#}");
            Some(Damage { position, why })
        })?;
    }
    Ok(merged)
}

/// Reads the ELF program that an image starts; `None` when it starts none.
fn program(
    source: &dyn ImageSource,
    platform: &PlatformImage,
    facts: &PlatformFacts,
) -> anyhow::Result<Option<Program>> {
    let (Some(path), Ok(merged)) = (platform.program_path(), &facts.filesystem) else {
        return Ok(None);
    };
    let Some((path, content)) = merged
        .resolve(&path)
        .and_then(|(real, _)| Some((real.clone(), merged.file(&real)?)))
    else {
        return Ok(None);
    };
    let contents: Option<Vec<_>> = facts.contents.iter().cloned().collect();
    let contents = contents.unwrap_or_default();
    let is_native = contents
        .get(content.layer)
        .and_then(|layer| layer.members.get(content.member))
        .is_some_and(|member| member.machine.is_some());
    if !is_native {
        return Ok(None);
    }
    let bytes = platform.read_content(source, &contents, content)?;
    Ok(Some(Program {
        machine_path: elf::machine_path(&bytes, &[]),
        path,
        bytes,
    }))
}

/// Reads every blob that exists: layers are unpacked, and all others are hashed.
fn read_blobs(
    source: &dyn ImageSource,
    image: &Image,
    known: &KnownLayers,
) -> anyhow::Result<BTreeMap<String, BlobFacts>> {
    // Each layer with the program of an image that it is part of.
    let mut layers: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for platform in image.runnable() {
        let program = platform.program_path();
        for layer in platform.layers() {
            layers.insert(&layer.digest, program.clone());
        }
    }
    let mut links: BTreeMap<&str, (&Descriptor, bool)> = BTreeMap::new();
    for link in &image.links {
        let digest = link.descriptor.digest.as_str();
        let is_document = link.parent == crate::layout::INDEX_NAME
            || image
                .indexes
                .iter()
                .any(|it| it.descriptor.digest == link.parent);
        links
            .entry(digest)
            .or_insert((&link.descriptor, is_document));
    }
    let links: Vec<_> = links.into_values().collect();
    let blobs = Mutex::new(BTreeMap::new());
    each(&links, |(descriptor, is_document)| {
        let layer = layers.get(descriptor.digest.as_str());
        let layer = layer.map(Option::as_deref);
        if let Some(blob) = read_blob(source, descriptor, *is_document, layer, known)? {
            let mut blobs = blobs.lock().unwrap_or_else(PoisonError::into_inner);
            blobs.insert(descriptor.digest.clone(), blob);
        }
        Ok(())
    })?;
    Ok(blobs.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Reads one blob. `layer` is `None` when it is no layer; it may have the program of an image inside.
fn read_blob(
    source: &dyn ImageSource,
    descriptor: &Descriptor,
    is_document: bool,
    layer: Option<Option<&str>>,
    known: &KnownLayers,
) -> anyhow::Result<Option<BlobFacts>> {
    if is_document {
        let bytes = source.document(descriptor)?;
        return Ok(bytes.map(|bytes| BlobFacts {
            sha256: Sha256::of(&bytes),
            size: bytes.len() as u64,
            contents: None,
        }));
    }
    if let Some(program) = layer
        && let Some(contents) = platform_image::contents(source, known, descriptor, program)?
    {
        return Ok(Some(BlobFacts {
            sha256: contents.sha256,
            size: contents.size,
            contents: Some(contents),
        }));
    }
    let Some(reader) = source.open(descriptor)? else {
        return Ok(None);
    };
    // Other blobs are hashed; of layers of unknown type, the format is read as well.
    let read = LayerContents::read(reader, Compression::Zstd);
    let contents = read.with_context(|| format!("cannot read {}", descriptor.digest))?;
    Ok(Some(BlobFacts {
        sha256: contents.sha256,
        size: contents.size,
        contents: layer.map(|_| Arc::new(contents)),
    }))
}

/// Returns who wrote each layer, by the lines of history. When the number of lines is not that of the layers, all
/// layers count as own if any line is.
fn origins(image: &Image, platform: &PlatformImage, maker: &str) -> Vec<Origin> {
    let base =
        |annotations: &crate::model::Annotations| annotations.get(annotation::BASE_DIGEST).cloned();
    let of_manifest = platform.manifest.as_ref();
    let of_index = platform.index.as_ref().and_then(|digest| {
        let mut indexes = image.indexes.iter();
        indexes.find(|index| index.descriptor.digest == *digest)
    });
    let base = of_manifest
        .and_then(|manifest| base(&manifest.value.annotations))
        .or_else(|| of_index.and_then(|index| base(&index.document.value.annotations)))
        .unwrap_or_else(|| "unknown".to_owned());
    let config = platform.config.as_ref().map(|document| &document.value);
    let lines = config.into_iter().flat_map(ImageConfig::layer_lines);
    let own: Vec<bool> = lines.map(|line| line.own_layer(maker).is_some()).collect();
    let any = own.contains(&true);
    let count = platform.layers().len();
    let origin = |position| match own.get(position) {
        Some(true) => Origin::Own,
        _ if any && own.len() != count => Origin::Own,
        _ => Origin::Base(base.clone()),
    };
    (0..count).map(origin).collect()
}
