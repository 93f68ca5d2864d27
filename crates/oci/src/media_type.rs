//! Media types of images: those of OCI (image-spec, media-types.md), and those of Docker (image manifest version 2,
//! schema 2) for the same formats.

/// An image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer compressed with gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer without compression.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A layer compressed with zstd, which older engines cannot load.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The config of an artifact that needs none; its content is [`EMPTY_BYTES`].
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The content of a config of type [`EMPTY`].
pub const EMPTY_BYTES: &[u8] = b"{}";

/// Docker's image index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer compressed with gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker's layer without compression.
pub const DOCKER_LAYER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A CycloneDX document in JSON.
pub const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// An in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The prefix of all media types of OCI.
pub const OCI_PREFIX: &str = "application/vnd.oci.";

/// The types that a tag may point to, OCI's first.
pub const DOCUMENTS: [&str; 4] = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

/// Returns whether a media type is that of an image index, OCI's or Docker's.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_INDEX)
}

/// Returns whether a media type is that of an image manifest, OCI's or Docker's.
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, MANIFEST | DOCKER_MANIFEST)
}

/// Returns whether a media type is that of an image config, OCI's or Docker's.
pub fn is_config(media_type: &str) -> bool {
    matches!(media_type, CONFIG | DOCKER_CONFIG)
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Gzip (RFC 1952).
    Gzip,
    /// Not compressed: a plain tar.
    None,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Returns the compression that a layer's media type names; `None` when it is not a known type of layer.
pub fn compression(media_type: &str) -> Option<Compression> {
    match media_type {
        LAYER_GZIP | DOCKER_LAYER_GZIP => Some(Compression::Gzip),
        LAYER_TAR | DOCKER_LAYER_TAR => Some(Compression::None),
        other if other.ends_with("+zstd") => Some(Compression::Zstd),
        _ => None,
    }
}

/// Returns OCI's media type for a layer with a type of OCI or Docker; `None` when it is neither gzip nor plain tar.
pub fn oci_layer(media_type: &str) -> Option<&'static str> {
    match compression(media_type)? {
        Compression::Gzip => Some(LAYER_GZIP),
        Compression::None => Some(LAYER_TAR),
        Compression::Zstd => None,
    }
}
