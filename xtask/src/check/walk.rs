//! Following an image from `index.json` to its layers, keeping whatever could be read.

use serde::de::DeserializeOwned;

use crate::check::Findings;
use crate::check::rootfs::RootFs;
use crate::gzip::gunzip;
use crate::oci::artifact::EMPTY;
use crate::oci::layout::Layout;
use crate::oci::model::{
    Annotations, CONFIG, Descriptor, History, INDEX, ImageConfig, ImageIndex, ImageManifest,
    LAYER_GZIP, LAYER_TAR, MANIFEST, encode,
};

/// Docker's older name of an image index.
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's older name of an image manifest.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's older name of a config.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's older name of a gzipped layer.
pub(super) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// How the lines of history begin that speak of layers we wrote.
const OURS: &str = "cargo xtask image: ";
/// How a line of ours begins that stands for a layer of a base without a history.
const OF_BASE: &str = "cargo xtask image: base layer ";
/// The annotation that names the base image.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What hangs below `index.json`, as far as it could be read.
#[derive(Debug)]
pub(super) struct Tree {
    /// Every descriptor met; index.json's own first.
    pub(super) descriptors: Vec<Link>,
    /// The image indexes, by descriptor, once each.
    pub(super) indexes: Vec<(Descriptor, ImageIndex)>,
    /// The images of all indexes, once per manifest.
    pub(super) images: Vec<Image>,
    /// Names of documents that we would have written with other bytes.
    pub(super) reworded: Vec<String>,
}

/// A descriptor and where it stands.
#[derive(Debug)]
pub(super) struct Link {
    /// The index, or the platform of the image.
    pub(super) parent: String,
    /// What it says.
    pub(super) descriptor: Descriptor,
    /// Whether it belongs to evidence, which has media types of its own.
    pub(super) evidence: bool,
}

/// One platform's image.
#[derive(Debug)]
pub(super) struct Image {
    /// Short name for findings: its platform, or its digest.
    pub(super) name: String,
    /// The entry in the index.
    pub(super) descriptor: Descriptor,
    /// The manifest.
    pub(super) image_manifest: ImageManifest,
    /// The config, when it could be read.
    pub(super) config: Option<ImageConfig>,
    /// The layers, lowest first.
    pub(super) layers: Vec<Layer>,
    /// The merged file system; `None` where a layer could not be had.
    pub(super) rootfs: Option<RootFs>,
}

/// A layer of an image.
#[derive(Debug)]
pub(super) struct Layer {
    /// Its digest and size.
    pub(super) descriptor: Descriptor,
    /// The tar, when it could be had.
    pub(super) tar: Option<Vec<u8>>,
    /// Who wrote it.
    pub(super) origin: Origin,
}

/// Who wrote a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// This build system.
    Ours,
    /// The makers of the base image with this digest, or `unknown`.
    Base(String),
}

impl Image {
    /// Evidence about an image that stands where images stand: nothing that could be run.
    pub(super) fn is_evidence(&self) -> bool {
        is_evidence(&self.descriptor, &self.image_manifest)
    }

    /// What says of it that it is about another image.
    pub(super) fn claim(&self) -> Option<&'static str> {
        claim(&self.descriptor, &self.image_manifest)
    }

    /// Whether we wrote its documents, which is when the last step that made it is ours.
    pub(super) fn is_ours(&self) -> bool {
        let history = self.config.as_ref().map(|config| config.history.as_slice());
        history.and_then(<[_]>::last).is_some_and(is_line_of_ours)
    }

    /// What a layer is called in findings.
    pub(super) fn layer_name(&self, position: usize) -> String {
        format!("{} layer {position}", self.name)
    }
}

impl Tree {
    /// Walks the layout; a document that cannot be read is a finding of S7 or S11, and its subtree is skipped.
    pub(super) fn read(layout: &Layout, findings: &mut Findings) -> Self {
        let mut tree = Self {
            descriptors: Vec::new(),
            indexes: Vec::new(),
            images: Vec::new(),
            reworded: Vec::new(),
        };
        let Some(bytes) = layout.files.get("index.json") else {
            findings.add("S12", "index.json", "it is missing");
            return tree;
        };
        if let Some(index) = tree.document::<ImageIndex>("index.json", bytes, findings) {
            if index.manifests.is_empty() {
                findings.add("P1", "index.json", "it names no image");
            }
            for child in index.manifests {
                tree.descend("index.json", child, &Annotations::new(), layout, findings);
            }
        }
        tree
    }

    /// The images that somebody can run.
    pub(super) fn runnable(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| !image.is_evidence())
    }

    fn descend(
        &mut self,
        parent: &str,
        descriptor: Descriptor,
        annotations: &Annotations,
        layout: &Layout,
        findings: &mut Findings,
    ) {
        let seen = self
            .indexes
            .iter()
            .any(|(index, _)| index.digest == descriptor.digest)
            || self
                .images
                .iter()
                .any(|image| image.descriptor == descriptor);
        self.link(parent, &descriptor, false);
        let Some(bytes) = layout.blob(&descriptor.digest).filter(|_| !seen) else {
            return;
        };
        let digest = descriptor.digest.clone();
        match descriptor.media_type.as_str() {
            INDEX | DOCKER_INDEX => {
                if let Some(index) = self.document::<ImageIndex>(&digest, bytes, findings) {
                    self.indexes.push((descriptor, index.clone()));
                    for child in index.manifests {
                        self.descend(&digest, child, &index.annotations, layout, findings);
                    }
                }
            }
            MANIFEST | DOCKER_MANIFEST => {
                if let Some(manifest) = self.document::<ImageManifest>(&digest, bytes, findings) {
                    self.image(descriptor, manifest, annotations, layout, findings);
                }
            }
            other => {
                let message =
                    format!("{parent} says {other}, which is neither an image nor an index");
                findings.add("S6", digest, message);
            }
        }
    }

    fn link(&mut self, parent: &str, descriptor: &Descriptor, evidence: bool) {
        self.descriptors.push(Link {
            parent: parent.to_owned(),
            descriptor: descriptor.clone(),
            evidence,
        });
    }

    fn image(
        &mut self,
        descriptor: Descriptor,
        image_manifest: ImageManifest,
        index_annotations: &Annotations,
        layout: &Layout,
        findings: &mut Findings,
    ) {
        let evidence = is_evidence(&descriptor, &image_manifest);
        let digest = &image_manifest.config.digest;
        let config: Option<ImageConfig> = layout
            .blob(digest)
            .filter(|_| !evidence)
            .and_then(|bytes| self.document(digest, bytes, findings));
        let name = name(&descriptor, config.as_ref());
        for link in [&image_manifest.config]
            .into_iter()
            .chain(&image_manifest.layers)
        {
            self.link(&name, link, evidence);
        }
        let base = [&image_manifest.annotations, index_annotations]
            .iter()
            .find_map(|annotations| annotations.get(BASE_DIGEST));
        let base = base.map_or("unknown", String::as_str);
        let origins = origins(config.as_ref(), image_manifest.layers.len(), base);
        let layers = image_manifest.layers.iter().zip(origins);
        let layers: Vec<_> = layers
            .map(|(it, origin)| layer(it, origin, layout))
            .collect();
        let rootfs = merge(&name, &layers, findings).filter(|_| !evidence);
        self.images.push(Image {
            name,
            descriptor,
            image_manifest,
            config,
            layers,
            rootfs,
        });
    }

    /// Reads a JSON document strictly, and notes whether we would write the same bytes for it.
    fn document<T: DeserializeOwned + serde::Serialize>(
        &mut self,
        name: &str,
        bytes: &[u8],
        findings: &mut Findings,
    ) -> Option<T> {
        match serde_json::from_slice::<T>(bytes) {
            Ok(document) => {
                if encode(&document) != bytes {
                    self.reworded.push(name.to_owned());
                }
                Some(document)
            }
            Err(error) if error.to_string().contains("duplicate field") => {
                findings.add("S11", name, error.to_string());
                None
            }
            Err(error) => {
                findings.add("S7", name, error.to_string());
                None
            }
        }
    }
}

/// What an image is called in findings: the platform that the index says, or else the config.
fn name(descriptor: &Descriptor, config: Option<&ImageConfig>) -> String {
    match (&descriptor.platform, config) {
        (Some(platform), _) => format!("{}/{}", platform.os, platform.architecture),
        (None, Some(config)) => format!("{}/{}", config.os, config.architecture),
        (None, None) => descriptor.digest.clone(),
    }
}

/// Whether a manifest is about an image instead of one. A label says so of itself, and a runtime heeds none of them:
/// it runs whatever has a platform and an image's config.
fn is_evidence(descriptor: &Descriptor, image_manifest: &ImageManifest) -> bool {
    let config_type = image_manifest.config.media_type.as_str();
    let platform = descriptor.platform.as_ref();
    let runs = platform.is_some_and(|platform| platform.os != "unknown")
        && matches!(config_type, CONFIG | DOCKER_CONFIG);
    config_type == EMPTY || (claim(descriptor, image_manifest).is_some() && !runs)
}

/// What says of a manifest that it is about an image.
fn claim(descriptor: &Descriptor, image_manifest: &ImageManifest) -> Option<&'static str> {
    const LABEL: &str = "vnd.docker.reference.type";
    let labelled = descriptor.annotations.contains_key(LABEL);
    let typed = image_manifest.artifact_type.is_some();
    let attached = image_manifest.subject.is_some();
    [
        (labelled, LABEL),
        (typed, "artifactType"),
        (attached, "subject"),
    ]
    .into_iter()
    .find_map(|(there, what)| there.then_some(what))
}

fn is_line_of_ours(line: &History) -> bool {
    let by = line.created_by.as_deref();
    by.is_some_and(|by| by.starts_with(OURS) && !by.starts_with(OF_BASE))
}

/// Who wrote each layer, by the lines of history that have one. Where they do not match in number
/// (S4 says so), an image with any line of ours is judged as ours throughout.
fn origins(config: Option<&ImageConfig>, count: usize, base: &str) -> Vec<Origin> {
    let history = config
        .map(|config| config.history.as_slice())
        .unwrap_or_default();
    let lines = history.iter().filter(|line| line.empty_layer != Some(true));
    let ours: Vec<bool> = lines.map(is_line_of_ours).collect();
    let any = ours.contains(&true);
    let origin = |position| match ours.get(position) {
        Some(true) => Origin::Ours,
        _ if any && ours.len() != count => Origin::Ours,
        _ => Origin::Base(base.to_owned()),
    };
    (0..count).map(origin).collect()
}

fn layer(descriptor: &Descriptor, origin: Origin, layout: &Layout) -> Layer {
    let bytes = layout.blob(&descriptor.digest);
    let tar = bytes.and_then(|bytes| match descriptor.media_type.as_str() {
        LAYER_GZIP | DOCKER_LAYER => gunzip(bytes).ok(),
        LAYER_TAR => Some(bytes.to_vec()),
        _ => None,
    });
    Layer {
        descriptor: descriptor.clone(),
        tar,
        origin,
    }
}

/// What is in an unreadable layer cannot be judged; that it is unreadable is said of the layer.
fn merge(name: &str, layers: &[Layer], findings: &mut Findings) -> Option<RootFs> {
    let mut rootfs = RootFs::default();
    for (position, layer) in layers.iter().enumerate() {
        let object = format!("{name} layer {position}");
        findings.require("S8", &object, rootfs.apply(layer.tar.as_ref()?))?;
    }
    Some(rootfs)
}
