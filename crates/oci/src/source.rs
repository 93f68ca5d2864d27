//! Sources that an image is read from: a layout in memory, in a folder or in a tar, or a registry.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;

use crate::blob::{Blob, BlobReader};
use crate::model::Descriptor;
use crate::reference::Reference;

/// A source of the documents and blobs of an image. Each is fetched when a method asks for it.
pub trait ImageSource: fmt::Debug + Send + Sync {
    /// Returns the bytes of `index.json`, which lists the images of a layout (image-spec, image-layout.md). A registry
    /// returns one that lists the requested image. `None` when there is no such file.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn index_json(&self) -> anyhow::Result<Option<Vec<u8>>>;

    /// Returns the bytes of an index or a manifest; `None` when it is missing.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Vec<u8>>>;

    /// Opens a config or a layer for reading; `None` when it is missing.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn open(&self, descriptor: &Descriptor) -> anyhow::Result<Option<BlobReader>>;

    /// Returns a config or a layer as a blob on this machine, which a registry fetches into its cache; `None` when it
    /// is missing.
    ///
    /// # Errors
    /// When the source cannot be read, or is a registry without a cache.
    fn blob(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Blob>>;

    /// Returns the files of a layout by their relative path; `None` when the source is not a layout.
    fn files(&self) -> Option<&BTreeMap<String, Blob>> {
        None
    }
}

/// Where an image is: a path, or a name in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The folder or tar of a layout.
    Path(Utf8PathBuf),
    /// A name in a registry.
    Registry(Reference),
}

impl Location {
    /// Parses what a person typed. It is a path if it begins with `oci:`, `oci-archive:`, `.`, `/` or `~`, ends in
    /// `.tar`, or exists; else it is a full name in a registry.
    ///
    /// # Errors
    /// When it is neither a path nor a full name.
    ///
    /// ```
    /// use noetl_oci::Location;
    /// assert!(matches!(Location::parse("./image.tar")?, Location::Path(_)));
    /// assert!(matches!(Location::parse("ghcr.io/a/b:1")?, Location::Registry(_)));
    /// assert!(Location::parse("b:1").is_err());
    /// # anyhow::Ok(())
    /// ```
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let scheme = ["oci:", "oci-archive:"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        if let Some(path) = scheme {
            return Ok(Self::Path(path.into()));
        }
        let is_path = text.starts_with(['.', '/', '~'])
            || text.ends_with(".tar")
            || Utf8Path::new(text).exists();
        if is_path {
            return Ok(Self::Path(text.into()));
        }
        let reference = text.parse().map_err(|error: anyhow::Error| {
            error.context(format!(
                "there is no file {text}, and it is not an image name"
            ))
        });
        reference.map(Self::Registry).help(
            "give the path of a layout or a tar, or a full name such as ghcr.io/some/image:latest",
        )
    }
}
