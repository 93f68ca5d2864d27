//! Assembling an image index from binaries: a pure function from bytes to bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::digest::Sha256;
use crate::gzip::gzip;
use crate::oci::layout::Layout;
use crate::oci::model::{
    Annotations, CONFIG, Descriptor, History, INDEX, ImageConfig, ImageIndex, ImageManifest,
    LAYER_GZIP, MANIFEST, PlatformFields, RootFs, RunConfig, encode,
};
use crate::oci::reference::Reference;
use crate::oci::rootfs;
use crate::release::Release;
use crate::target::Platform;
use crate::ustar::{self, Entry};

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
}

/// The port that the server listens on, and that the config exposes.
pub(crate) const PORT: u16 = 8082;
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
    }
}

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

/// Builds the image from one binary per planned platform, in the plan's order.
///
/// # Errors
/// When a file does not fit a tar; the binaries are not looked at, that is `image check`'s work.
pub(crate) fn assemble(plan: &ImagePlan, binaries: Vec<Vec<u8>>) -> anyhow::Result<Layout> {
    let mut layout = Layout::empty();
    let base = Layer::new(&rootfs::base(), plan.commit_time)?;
    layout.add_blob(base.gzip.clone());
    let mut children = Vec::new();
    for (platform, binary) in plan.platforms.iter().zip(binaries) {
        let app = Layer::new(&rootfs::app(binary), plan.commit_time)?;
        let config = encode(&config(plan, *platform, &[(&base, "base"), (&app, "app")]));
        let manifest = encode(&ImageManifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::of(CONFIG, &config),
            layers: vec![
                Descriptor::of(LAYER_GZIP, &base.gzip),
                Descriptor::of(LAYER_GZIP, &app.gzip),
            ],
            subject: None,
            annotations: plan.labels.clone(),
        });
        let platform = PlatformFields::from(*platform);
        children.push(Descriptor {
            platform: Some(platform),
            ..Descriptor::of(MANIFEST, &manifest)
        });
        layout.add_blob(app.gzip);
        layout.add_blob(config);
        layout.add_blob(manifest);
    }
    let index = encode(&ImageIndex {
        schema_version: 2,
        media_type: Some(INDEX.to_owned()),
        artifact_type: None,
        manifests: children,
        subject: None,
        annotations: plan.labels.clone(),
    });
    let descriptor = Descriptor::of(INDEX, &index);
    layout.add_blob(index);
    layout.name(&descriptor, &plan.references);
    Ok(layout)
}

/// A layer before and after compression.
struct Layer {
    diff_id: Sha256,
    gzip: Vec<u8>,
}

impl Layer {
    fn new(entries: &[Entry], mtime: u64) -> anyhow::Result<Self> {
        let tar = ustar::write(entries, mtime)?;
        Ok(Self {
            diff_id: Sha256::of(&tar),
            gzip: gzip(&tar)?,
        })
    }
}

fn config(plan: &ImagePlan, platform: Platform, layers: &[(&Layer, &str)]) -> ImageConfig {
    let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let history = |name: &str| History {
        created: Some(plan.created.clone()),
        created_by: Some(format!("cargo xtask image: {name}")),
        empty_layer: None,
        other: BTreeMap::new(),
    };
    ImageConfig {
        created: Some(plan.created.clone()),
        architecture: platform.architecture.to_owned(),
        os: platform.os.to_owned(),
        variant: platform.variant.map(ToOwned::to_owned),
        config: Some(RunConfig {
            user: Some(format!("{0}:{0}", rootfs::USER)),
            exposed_ports: Some(BTreeMap::from([(format!("{}/tcp", plan.port), json!({}))])),
            env: words(&[
                &format!("HOME={}", rootfs::HOME),
                // A container is reached from outside, unlike a laptop.
                "NOETL_HOST=0.0.0.0",
                "PATH=/usr/local/bin:/usr/bin:/bin",
                &format!("SSL_CERT_FILE={}", rootfs::CA_BUNDLE),
            ]),
            entrypoint: words(&[rootfs::ENTRYPOINT]),
            cmd: words(&["server", "start"]),
            working_dir: Some(rootfs::HOME.to_owned()),
            labels: Some(plan.labels.clone()),
            stop_signal: Some("SIGTERM".to_owned()),
            other: BTreeMap::new(),
        }),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: layers
                .iter()
                .map(|(layer, _)| layer.diff_id.oci())
                .collect(),
        },
        history: layers.iter().map(|(_, name)| history(name)).collect(),
        other: BTreeMap::new(),
    }
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
