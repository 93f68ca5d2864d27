//! A base image under ours: its layers as they are, what its config says, and the few of its files
//! that decide what has to be added.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, anyhow, bail, ensure};
use flate2::read::MultiGzDecoder;

use crate::error::WithHelp as _;
use crate::oci::layout::{CONTAINERD_NAME, Layout};
use crate::oci::model::{
    Descriptor, ImageConfig, ImageIndex, ImageManifest, LAYER_GZIP, LAYER_TAR, PlatformFields,
};
use crate::oci::rootfs;
use crate::target::Platform;

/// Media types of Docker's own format, which name the same bytes as OCI's.
const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const DOCKER_LAYER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A base image for every platform that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// Its full name, where it has one.
    pub name: Option<String>,
    /// `sha256:…` of its image index, or of its one image.
    pub digest: String,
    /// One image per platform, in the order asked for.
    pub images: Vec<BaseImage>,
}

/// A base image for one platform.
#[derive(Debug, Clone)]
pub(crate) struct BaseImage {
    /// `sha256:…` of its image manifest.
    pub digest: String,
    /// Its layers under OCI's media types, lowest first.
    pub layers: Vec<Descriptor>,
    /// The layers' bytes, compressed as they are.
    pub blobs: Vec<Vec<u8>>,
    /// Its config.
    pub config: ImageConfig,
    /// Files that decide what is added.
    pub facts: Facts,
}

/// What is known of a base's file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Content of /etc/passwd.
    pub passwd: Option<String>,
    /// Content of /etc/group.
    pub group: Option<String>,
    /// Whether there is a bundle of TLS roots at its usual place.
    pub has_ca_bundle: bool,
    /// Version of its `python3`, such as `3.12`.
    pub python: Option<String>,
}

impl Base {
    /// Reads the images for `platforms` out of a layout that holds one image index or one image.
    ///
    /// `name` is its full name where it came from a registry; a layout's own name is taken otherwise.
    ///
    /// # Errors
    /// When a platform is missing, a blob is, or a layer is neither gzip nor plain tar.
    pub(crate) fn read(
        layout: &Layout,
        name: Option<String>,
        platforms: &[Platform],
    ) -> anyhow::Result<Self> {
        let index_json = layout.index_json()?;
        let root = layout.image_index()?;
        let one = index_json
            .manifests
            .iter()
            .all(|other| other.digest == root.digest);
        ensure!(
            one,
            "it holds several images; copy the one you mean into a layout of its own"
        );
        let candidates = candidates(layout, &root)?;
        let image = |platform: &Platform| {
            let found = candidates.iter().find(|candidate| {
                candidate
                    .platform
                    .as_ref()
                    .is_some_and(|has| serves(has, *platform))
            });
            found
                .map(|child| {
                    BaseImage::read(layout, child)
                        .with_context(|| format!("its image for {platform} cannot be used"))
                })
                .unwrap_or_else(|| {
                    Err(lacks(*platform, &candidates))
                        .help("take a base that has it, or leave it out with --platforms")
                })
        };
        Ok(Self {
            name: name.or_else(|| root.annotations.get(CONTAINERD_NAME).cloned()),
            images: platforms.iter().map(image).collect::<anyhow::Result<_>>()?,
            digest: root.digest,
        })
    }
}

fn lacks(platform: Platform, candidates: &[Descriptor]) -> anyhow::Error {
    let named = candidates
        .iter()
        .filter_map(|child| child.platform.as_ref());
    let has: Vec<_> = named.map(ToString::to_string).collect();
    anyhow!(
        "it has no image for {}; it has {}",
        platform.without_variant(),
        if has.is_empty() {
            "none that names its platform".to_owned()
        } else {
            has.join(", ")
        }
    )
}

/// The images below a root, each with its platform; what is attached to them has `unknown` there.
fn candidates(layout: &Layout, root: &Descriptor) -> anyhow::Result<Vec<Descriptor>> {
    let bytes = layout
        .blob(&root.digest)
        .with_context(|| format!("its blob {} is missing", root.digest))?;
    if let Ok(index) = serde_json::from_slice::<ImageIndex>(bytes) {
        let runnable = |child: &Descriptor| {
            child
                .platform
                .as_ref()
                .is_none_or(|platform| platform.os != "unknown")
        };
        return Ok(index.manifests.into_iter().filter(runnable).collect());
    }
    let image_manifest: ImageManifest = document(layout, &root.digest)?;
    let config: ImageConfig = document(layout, &image_manifest.config.digest)?;
    let platform = PlatformFields {
        architecture: config.architecture,
        os: config.os,
        variant: config.variant,
        os_version: None,
        os_features: Vec::new(),
    };
    Ok(vec![Descriptor {
        platform: Some(platform),
        ..root.clone()
    }])
}

/// Whether an image for `has` runs on `wanted`: arm64 is v8 whether it says so or not.
pub(crate) fn serves(has: &PlatformFields, wanted: Platform) -> bool {
    has.os == wanted.os
        && has.architecture == wanted.architecture
        && has
            .variant
            .as_deref()
            .is_none_or(|variant| Some(variant) == wanted.variant)
}

impl BaseImage {
    fn read(layout: &Layout, child: &Descriptor) -> anyhow::Result<Self> {
        let image_manifest: ImageManifest = document(layout, &child.digest)?;
        let config: ImageConfig = document(layout, &image_manifest.config.digest)?;
        let (layers, diff_ids) = (image_manifest.layers, &config.rootfs.diff_ids);
        ensure!(
            layers.len() == diff_ids.len(),
            "{} layers and {} diff ids",
            layers.len(),
            diff_ids.len()
        );
        let blob = |layer: &Descriptor| {
            let bytes = layout.blob(&layer.digest);
            bytes
                .map(<[u8]>::to_vec)
                .with_context(|| format!("its layer {} is missing", layer.digest))
        };
        let blobs = layers
            .iter()
            .map(blob)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let layers = layers
            .iter()
            .map(relabelled)
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self {
            digest: child.digest.clone(),
            facts: facts(&layers, &blobs)?,
            layers,
            blobs,
            config,
        })
    }
}

/// The same bytes under OCI's name for them: one family of media types in an image.
fn relabelled(layer: &Descriptor) -> anyhow::Result<Descriptor> {
    let media_type = match layer.media_type.as_str() {
        LAYER_GZIP | DOCKER_LAYER_GZIP => LAYER_GZIP,
        LAYER_TAR | DOCKER_LAYER_TAR => LAYER_TAR,
        other => bail!(
            "its layer {} is {other}, which older engines cannot load",
            layer.digest
        ),
    };
    Ok(Descriptor {
        media_type: media_type.to_owned(),
        digest: layer.digest.clone(),
        size: layer.size,
        ..Descriptor::of(media_type, &[])
    })
}

/// Where Python lies in the official images, then where Debian has it.
const PYTHONS: [&str; 2] = ["usr/local/bin/python3", "usr/bin/python3"];

/// Reads the files that matter, as later layers leave them.
fn facts(layers: &[Descriptor], blobs: &[Vec<u8>]) -> anyhow::Result<Facts> {
    let bundle = rootfs::CA_BUNDLE.trim_start_matches('/');
    let wanted = ["etc/passwd", "etc/group", bundle, PYTHONS[0], PYTHONS[1]];
    let mut found = BTreeMap::new();
    for (layer, blob) in layers.iter().zip(blobs) {
        let tar: Box<dyn std::io::Read> = if layer.media_type == LAYER_GZIP {
            Box::new(MultiGzDecoder::new(blob.as_slice()))
        } else {
            Box::new(blob.as_slice())
        };
        apply(tar, &wanted, &mut found)
            .with_context(|| format!("its layer {} cannot be read", layer.digest))?;
    }
    let text = |path: &str| {
        found
            .get(path)
            .map(|file: &Found| String::from_utf8_lossy(&file.bytes).into_owned())
    };
    let version = |path: &&str| {
        let target = found.get(*path)?.link.as_ref()?;
        let version = target.rsplit('/').next()?.strip_prefix("python")?;
        version.starts_with("3.").then(|| version.to_owned())
    };
    Ok(Facts {
        passwd: text("etc/passwd"),
        group: text("etc/group"),
        has_ca_bundle: found.contains_key(bundle),
        python: PYTHONS.iter().find_map(version),
    })
}

/// A file or link of a base.
struct Found {
    bytes: Vec<u8>,
    link: Option<String>,
}

/// Applies one layer to the files that are looked for (layer.md, "Whiteouts").
fn apply(
    tar: impl std::io::Read,
    wanted: &[&str],
    found: &mut BTreeMap<String, Found>,
) -> anyhow::Result<()> {
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.trim_start_matches("./").trim_matches('/');
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == ".wh..wh..opq" {
            found.retain(|known, _| !known.starts_with(&format!("{folder}/")));
        } else if let Some(gone) = name.strip_prefix(".wh.") {
            let gone = if folder.is_empty() {
                gone.to_owned()
            } else {
                format!("{folder}/{gone}")
            };
            found.retain(|known, _| *known != gone && !known.starts_with(&format!("{gone}/")));
        } else if wanted.contains(&path) {
            let mut file = Found {
                bytes: Vec::new(),
                link: None,
            };
            entry.read_to_end(&mut file.bytes)?;
            file.link = entry
                .link_name_bytes()
                .map(|link| String::from_utf8_lossy(&link).into_owned());
            found.insert(path.to_owned(), file);
        }
    }
    Ok(())
}

fn document<T: serde::de::DeserializeOwned>(layout: &Layout, digest: &str) -> anyhow::Result<T> {
    let bytes = layout
        .blob(digest)
        .with_context(|| format!("its blob {digest} is missing"))?;
    serde_json::from_slice(bytes).with_context(|| format!("its blob {digest} is no such document"))
}
