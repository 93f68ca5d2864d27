//! Keys of annotations and labels: the predefined ones (image-spec, annotations.md) and those of engines.

/// The prefix of the predefined keys.
pub const PREFIX: &str = "org.opencontainers.image.";

/// The version of the packaged software.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The commit of the packaged software.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// The URL of the source code.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// When the image was made, in RFC 3339.
pub const CREATED: &str = "org.opencontainers.image.created";
/// An SPDX licence expression.
pub const LICENSES: &str = "org.opencontainers.image.licenses";
/// A description for people.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// A title for people.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The name of the person or organization that distributes it.
pub const VENDOR: &str = "org.opencontainers.image.vendor";
/// The full name of the base image.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The digest of the base image.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The tag; only on descriptors in a layout's `index.json`.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name that containerd and podman give an image when they load it.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Marks children of an index that are not images; written by buildx.
pub const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";
