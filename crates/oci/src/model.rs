//! The documents of an image, in the field order in which they are written (image-spec 1.1).
//!
//! Maps are sorted, so that the same content gives the same bytes. Fields that the specification does
//! not know are kept in `unknown`: reading is lenient, and a rule judges them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::media_type;
use crate::platform::Platform;

/// String to string, in key order.
pub type Annotations = BTreeMap<String, String>;

/// Fields of a document that the specification does not know, in key order.
pub type Unknown = BTreeMap<String, Value>;

/// Points to a blob (image-spec, descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    /// Where else it may be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// The blob itself in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What an artifact is; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// For a child of an index: where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Names and notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Descriptor {
    /// Describes bytes.
    ///
    /// ```
    /// use noetl_oci::{Descriptor, media_type};
    /// let descriptor = Descriptor::of(media_type::CONFIG, b"{}");
    /// assert_eq!(descriptor.size, 2);
    /// ```
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Sha256::of(bytes), bytes.len() as u64)
    }

    /// Describes a blob by its hash and length.
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

/// The list of one image per platform (image-spec, image-index.md), and a layout's `index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// 2.
    pub schema_version: u32,
    /// [`media_type::INDEX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What an index of artifacts is; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The children.
    pub manifests: Vec<Descriptor>,
    /// What this is attached to; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Registries show these of an image for several platforms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl ImageIndex {
    /// Makes an index of these children.
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

/// The image of one platform (image-spec, manifest.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// 2.
    pub schema_version: u32,
    /// [`media_type::MANIFEST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What an artifact is; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// What this is attached to; absent on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes for people and registries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// Fields that the specification does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl ImageManifest {
    /// Makes the manifest of an image.
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

/// What a runtime needs to know of an image (image-spec, config.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Go's name of the architecture.
    pub architecture: String,
    /// Go's name of the operating system.
    pub os: String,
    /// `v8` for arm64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How a container of it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<RunConfig>,
    /// The layers' uncompressed digests.
    pub rootfs: RootFs,
    /// What made each layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Fields of other builders, which config.md allows.
    #[serde(flatten)]
    pub other: Unknown,
}

impl ImageConfig {
    /// Returns the platform that it says it is for.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, self.variant.as_deref())
    }

    /// Returns the lines of history that stand for a layer.
    pub fn layer_lines(&self) -> impl Iterator<Item = &History> {
        let lines = self.history.iter();
        lines.filter(|line| line.empty_layer != Some(true))
    }

    /// Returns the lines of history of a base image: those before the first line that `maker` wrote. There are none
    /// when no line is by `maker`.
    pub fn base_history(&self, maker: &str) -> &[History] {
        let mut lines = self.history.iter();
        let first = lines.position(|line| line.own_layer(maker).is_some());
        &self.history[..first.unwrap_or_default()]
    }
}

/// How a container starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// `uid:gid`, or names that the image's passwd and group know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `port/protocol` to an empty object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeMap<String, Value>>,
    /// `NAME=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The program and its fixed arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The folder that it starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The same notes as the manifest's annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Annotations>,
    /// The signal that stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Fields of other builders, which config.md allows.
    #[serde(flatten)]
    pub other: Unknown,
}

impl RunConfig {
    /// Returns the value of a variable; the first one when it is set twice.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .env
            .iter()
            .flatten()
            .filter_map(|it| it.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns the first word of what starts: that of the entry point, or else of the command.
    pub fn first_word(&self) -> Option<&str> {
        let entrypoint = self.entrypoint.iter().flatten();
        let mut words = entrypoint.chain(self.cmd.iter().flatten());
        words.next().map(String::as_str)
    }
}

/// The layers by their uncompressed digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `sha256:…` of each uncompressed tar, lowest first.
    pub diff_ids: Vec<String>,
    /// Fields that the specification does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl RootFs {
    /// Lists layers by their uncompressed digests.
    pub fn new(diff_ids: Vec<String>) -> Self {
        Self {
            kind: "layers".to_owned(),
            diff_ids,
            unknown: Unknown::new(),
        }
    }
}

/// One line of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What made the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether there is no layer for this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_layer: Option<bool>,
    /// Fields of other builders.
    #[serde(flatten)]
    pub other: Unknown,
}

/// Begins the description of a base's layer in the history when the base has no usable history of its own.
pub(crate) const BASE_LAYER: &str = "base layer ";

impl History {
    /// A line for a layer.
    pub fn new(created: Option<String>, created_by: String) -> Self {
        Self {
            created,
            created_by: Some(created_by),
            empty_layer: None,
            other: Unknown::new(),
        }
    }

    /// Returns the name of the layer when [`assemble()`](crate::assemble()) wrote it for `maker`; `None` for layers of
    /// a base image.
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

/// Writes a document as compact JSON in field order: the one form in which this crate writes documents.
pub fn encode(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document)
        .expect("documents hold only strings, numbers and maps with string keys")
}
