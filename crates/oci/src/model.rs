//! The documents of an image (image-spec 1.1). Fields are in the order in which they are written.
//!
//! Maps are sorted, so that the same content gives the same bytes. Fields that the specification does not define are
//! kept in `unknown`, so that a document with them can be read, and a rule can report them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::media_type;
use crate::platform::Platform;

/// Annotations or labels, sorted by key (image-spec, annotations.md).
pub type Annotations = BTreeMap<String, String>;

/// Fields of a document that the specification does not define, sorted by name.
pub type Unknown = BTreeMap<String, Value>;

/// Describes a blob: its media type, digest and size (image-spec, descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the blob.
    pub media_type: String,
    /// The digest of its bytes, such as `sha256:…`.
    pub digest: String,
    /// The length of the blob in bytes.
    pub size: u64,
    /// URLs from which the blob may be downloaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// The content of the blob in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The type of an artifact; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The platform of a child of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Annotations, such as the names of an image in `index.json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not define.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Descriptor {
    /// Returns the descriptor of `bytes`.
    ///
    /// ```
    /// use noetl_oci::{Descriptor, media_type};
    /// let descriptor = Descriptor::of(media_type::CONFIG, b"{}");
    /// assert_eq!(descriptor.size, 2);
    /// ```
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Sha256::of(bytes), bytes.len() as u64)
    }

    /// Returns a descriptor with the given SHA-256 and size in bytes.
    pub fn new(media_type: &str, sha256: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: sha256.digest(),
            size,
            urls: Vec::new(),
            data: None,
            artifact_type: None,
            platform: None,
            annotations: Annotations::new(),
            unknown: Unknown::new(),
        }
    }
}

/// An image index: the images of each platform (image-spec, image-index.md). The `index.json` of a layout has the same
/// format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// [`media_type::INDEX`] in an index of OCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of an artifact; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The descriptors of the images.
    pub manifests: Vec<Descriptor>,
    /// The image that this is attached to; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations. Registries show those of the index for an image for several platforms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not define.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl ImageIndex {
    /// Returns an OCI index of the given manifests.
    pub fn new(manifests: Vec<Descriptor>, annotations: Annotations) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations,
            unknown: Unknown::new(),
        }
    }
}

/// An image manifest: config and layers of the image of one platform (image-spec, manifest.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`media_type::MANIFEST`] in a manifest of OCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of an artifact; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The descriptor of the config.
    pub config: Descriptor,
    /// The descriptors of the layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The image that this is attached to; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not define.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl ImageManifest {
    /// Returns an OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: Annotations) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations,
            unknown: Unknown::new(),
        }
    }
}

/// The config of an image: its platform, how it starts, and its layers (image-spec, config.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The creation time in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The architecture as Go names it (`GOARCH`).
    pub architecture: String,
    /// The operating system as Go names it (`GOOS`).
    pub os: String,
    /// The variant of the architecture, such as `v8` for arm64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How a container of the image starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<RunConfig>,
    /// The diff ids of the layers.
    pub rootfs: RootFs,
    /// How each layer was made, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Other fields, which config.md allows.
    #[serde(flatten)]
    pub other: Unknown,
}

impl ImageConfig {
    /// Returns the platform that the config names.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, self.variant.as_deref())
    }

    /// Returns the lines of history that describe a layer, which are those without `empty_layer`.
    pub fn layer_lines(&self) -> impl Iterator<Item = &History> {
        let lines = self.history.iter();
        lines.filter(|line| line.empty_layer != Some(true))
    }

    /// Returns the lines of history of the base image: those before the first line that `maker` wrote. Returns no lines
    /// when `maker` wrote none.
    pub fn base_history(&self, maker: &str) -> &[History] {
        let mut lines = self.history.iter();
        let first = lines.position(|line| line.own_layer(maker).is_some());
        &self.history[..first.unwrap_or_default()]
    }
}

/// How a container starts (image-spec, config.md, `config`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// User and group: `uid:gid`, or names in the image's `/etc/passwd` and `/etc/group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Exposed ports: `port/protocol` with an empty object as value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeMap<String, Value>>,
    /// Environment variables, each `NAME=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The program and its fixed arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments, or the program when there is no entry point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The working folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Annotations>,
    /// The signal that stops the container, such as `SIGTERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Other fields, which config.md allows.
    #[serde(flatten)]
    pub other: Unknown,
}

impl RunConfig {
    /// Returns the value of an environment variable; the first value when it is set twice.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .env
            .iter()
            .flatten()
            .filter_map(|it| it.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns the program that starts: the first word of `entrypoint`, or of `cmd` when there is no entry point.
    pub fn first_word(&self) -> Option<&str> {
        let entrypoint = self.entrypoint.iter().flatten();
        let mut words = entrypoint.chain(self.cmd.iter().flatten());
        words.next().map(String::as_str)
    }
}

/// The diff ids of the layers (image-spec, config.md, `rootfs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digest of each uncompressed tar, lowest first.
    pub diff_ids: Vec<String>,
    /// Fields that the specification does not define.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl RootFs {
    /// Returns a list of the given diff ids.
    pub fn new(diff_ids: Vec<String>) -> Self {
        Self {
            kind: "layers".to_owned(),
            diff_ids,
            unknown: Unknown::new(),
        }
    }
}

/// One line of history (image-spec, config.md, `history`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The creation time in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command or tool that made the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether the line describes no layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_layer: Option<bool>,
    /// Other fields, such as `comment`.
    #[serde(flatten)]
    pub other: Unknown,
}

/// The text in a line of history for a layer of a base whose own history cannot be used.
pub(crate) const BASE_LAYER: &str = "base layer ";

impl History {
    /// Returns a line that describes a layer.
    pub fn new(created: Option<String>, created_by: String) -> Self {
        Self {
            created,
            created_by: Some(created_by),
            empty_layer: None,
            other: Unknown::new(),
        }
    }

    /// Returns the name of the layer when [`assemble()`](crate::assemble()) made it for `maker`; `None` for layers of a
    /// base image.
    ///
    /// ```
    /// use noetl_oci::History;
    /// let line = History::new(None, "my tool: app".to_owned());
    /// assert_eq!(line.own_layer("my tool"), Some("app"));
    /// assert_eq!(line.own_layer("another tool"), None);
    /// ```
    pub fn own_layer(&self, maker: &str) -> Option<&str> {
        let by = self.created_by.as_deref()?;
        let name = by.strip_prefix(maker)?.strip_prefix(": ")?;
        (!name.starts_with(BASE_LAYER)).then_some(name)
    }
}

/// Returns a document as compact JSON in field order. This crate writes all documents in this form.
pub fn encode(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document)
        .expect("documents contain only strings, numbers and maps with string keys")
}
