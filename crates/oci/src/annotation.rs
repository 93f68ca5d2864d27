//! Keys of annotations and labels, each spelled out once (image-spec, annotations.md, and what engines read).

/// What the predefined keys begin with.
pub const PREFIX: &str = "org.opencontainers.image.";

/// The version of the packaged software.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The commit that it is made from.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// The repository with the sources.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// When it was made, in RFC 3339.
pub const CREATED: &str = "org.opencontainers.image.created";
/// An SPDX licence expression.
pub const LICENSES: &str = "org.opencontainers.image.licenses";
/// What it is, for people.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// Its name, for people.
pub const TITLE: &str = "org.opencontainers.image.title";
/// Who distributes it.
pub const VENDOR: &str = "org.opencontainers.image.vendor";
/// The full name of the base image.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The digest of the base image.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The tag, on descriptors of a layout's `index.json` alone.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name, which containerd and podman give an image that they load.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// buildx marks with it what stands in an index and is not an image.
pub const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";
