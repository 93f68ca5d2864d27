//! Assembling an image index from binaries: a function from bytes to bytes, but for the cache that spares it compressing.

use serde::Serialize;

use crate::oci::base::{Base, BaseImage};
use crate::oci::config::config;
use crate::oci::flavour::{self, Flavour};
use crate::oci::layer::{Layer, LayerCache};
use crate::oci::layout::Layout;
use crate::oci::model::{
    Annotations, CONFIG, Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST, PlatformFields,
    encode,
};
use crate::oci::reference::Reference;
use crate::oci::rootfs;
use crate::release::Release;
use crate::target::Platform;
use crate::ustar::Entry;

/// Everything that decides the image besides the binaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ImagePlan {
    /// Platforms in index order.
    pub platforms: Vec<Platform>,
    /// Full names the image gets, the first in the tar's Docker part.
    pub references: Vec<Reference>,
    /// Labels of the config and annotations of every manifest: one set.
    pub labels: Annotations,
    /// Every mtime and every `created`.
    pub commit_time: u64,
    /// `commit_time` as RFC 3339.
    pub created: String,
    /// The port that the config exposes.
    pub port: u16,
    /// The platform in the tar's Docker part, which the classic engine loads.
    pub docker_platform: Platform,
    /// Which of the flavours it is.
    pub flavour: &'static Flavour,
    /// The image below ours as it was named; nothing is below ours when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// The port that the server listens on, and that the config exposes.
pub(crate) const PORT: u16 = 8082;
/// Annotation with the full name of the image below ours.
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Annotation with its digest.
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The platform in the Docker part of a release's tar: one for every machine that builds it.
pub(crate) const RELEASE_PLATFORM: Platform = Platform {
    architecture: "amd64",
    os: "linux",
    variant: None,
};

/// Plans an image: labels from the release, names from registry and tags.
pub(crate) fn plan(
    release: &Release,
    platforms: &[Platform],
    references: &[Reference],
    docker_platform: Platform,
) -> ImagePlan {
    ImagePlan {
        platforms: platforms.to_vec(),
        references: references.to_vec(),
        labels: labels(release),
        commit_time: release.commit_time,
        created: release.created(),
        port: PORT,
        docker_platform,
        flavour: flavour::plain(),
        base: None,
    }
}

impl ImagePlan {
    /// The same image in another flavour, on the base named, or on the flavour's own.
    pub(crate) fn flavoured(self, flavour: &'static Flavour, base: Option<String>) -> Self {
        let base = base.or_else(|| flavour.base.map(ToOwned::to_owned));
        Self {
            flavour,
            base: base.filter(|base| base != SCRATCH),
            ..self
        }
    }
}

/// What `--base` takes for no base at all.
pub(crate) const SCRATCH: &str = "scratch";

fn labels(release: &Release) -> Annotations {
    let labels = [
        ("authors", "NoETL"),
        ("created", &release.created()),
        (
            "description",
            "Workflow automation from YAML playbooks: server, web page and command line in one binary",
        ),
        ("documentation", "https://noetl.io"),
        ("licenses", "MIT"),
        ("revision", &release.commit),
        ("source", "https://github.com/noetl/noetl"),
        ("title", "noetl"),
        ("url", "https://noetl.io"),
        ("vendor", "NoETL"),
        ("version", &release.version),
    ];
    labels
        .into_iter()
        .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()))
        .collect()
}

/// What goes into the image of one platform besides the base.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// The program.
    pub binary: Vec<u8>,
    /// Python packages below [`rootfs::PACKAGES`], none for most flavours.
    pub packages: Vec<Entry>,
}

/// Builds the image from one binary per planned platform, in the plan's order, on a base or on nothing.
///
/// # Errors
/// When a file does not fit a tar; the binaries are not looked at, that is `image check`'s work.
pub(crate) fn assemble(
    plan: &ImagePlan,
    base: Option<&Base>,
    contents: Vec<Contents>,
    layers: &LayerCache,
) -> anyhow::Result<Layout> {
    let mut layout = Layout::empty();
    let mut children = Vec::new();
    for (position, (platform, contents)) in plan.platforms.iter().zip(contents).enumerate() {
        let below = base.map(|base| &base.images[position]);
        let own = own_layers(plan, below, contents, layers)?;
        let names: Vec<_> = own
            .iter()
            .map(|(name, layer)| (layer.diff_id, *name))
            .collect();
        let config = encode(&config(plan, *platform, below, &names));
        let mut descriptors = below.map_or_else(Vec::new, |below| below.layers.clone());
        descriptors.extend(own.iter().map(|(_, layer)| layer.descriptor.clone()));
        let manifest = encode(&ImageManifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::of(CONFIG, &config),
            layers: descriptors,
            subject: None,
            annotations: annotations(plan, base, below.map(|below| &below.digest)),
        });
        children.push(Descriptor {
            platform: Some(PlatformFields::from(*platform)),
            ..Descriptor::of(MANIFEST, &manifest)
        });
        let of_base = below
            .into_iter()
            .flat_map(|below| below.blobs.iter().cloned());
        let ours = own.into_iter().map(|(_, layer)| layer.gzip);
        for blob in of_base.chain(ours).chain([config, manifest]) {
            layout.add_blob(blob);
        }
    }
    let index = encode(&ImageIndex {
        schema_version: 2,
        media_type: Some(INDEX.to_owned()),
        artifact_type: None,
        manifests: children,
        subject: None,
        annotations: annotations(plan, base, base.map(|base| &base.digest)),
    });
    let descriptor = Descriptor::of(INDEX, &index);
    layout.add_blob(index);
    layout.name(&descriptor, &plan.references);
    Ok(layout)
}

/// The layers we write, lowest first, each with its name in history.
fn own_layers(
    plan: &ImagePlan,
    base: Option<&BaseImage>,
    contents: Contents,
    layers: &LayerCache,
) -> anyhow::Result<Vec<(&'static str, Layer)>> {
    let system = base.map_or_else(rootfs::system, |base| rootfs::on_base(&base.facts));
    let mut listed = vec![(rootfs::SYSTEM_LAYER, system)];
    if !contents.packages.is_empty() {
        listed.push((rootfs::PACKAGES_LAYER, contents.packages));
    }
    listed.push((rootfs::APP_LAYER, rootfs::app(contents.binary)));
    let listed = listed.into_iter();
    listed
        .map(|(name, entries)| Ok((name, layers.layer(&entries, plan.commit_time)?)))
        .collect()
}

/// The labels, and on a base where it came from: the index names the base's index, each image its image.
fn annotations(plan: &ImagePlan, base: Option<&Base>, digest: Option<&String>) -> Annotations {
    let mut annotations = plan.labels.clone();
    let name = base.and_then(|base| base.name.clone());
    annotations.extend(name.map(|name| (BASE_NAME.to_owned(), name)));
    annotations.extend(digest.map(|digest| (BASE_DIGEST.to_owned(), digest.clone())));
    annotations
}

impl From<Platform> for PlatformFields {
    fn from(platform: Platform) -> Self {
        Self {
            architecture: platform.architecture.to_owned(),
            os: platform.os.to_owned(),
            variant: platform.variant.map(ToOwned::to_owned),
            os_version: None,
            os_features: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
