//! Where an image is read from: a layout in memory, a folder, a tar, or a registry.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;

use crate::blob::{Blob, BlobReader};
use crate::model::Descriptor;
use crate::reference::Reference;

/// Gives the documents and blobs of an image. Nothing is fetched before it is asked for.
pub trait ImageSource: fmt::Debug + Send + Sync {
    /// Returns the bytes of `index.json`, which names the image; a registry's names what was asked for. `None`
    /// when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn index_json(&self) -> anyhow::Result<Option<Vec<u8>>>;

    /// Returns an index or a manifest; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be asked for.
    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Vec<u8>>>;

    /// Opens a config or a layer; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be asked for.
    fn open(&self, descriptor: &Descriptor) -> anyhow::Result<Option<BlobReader>>;

    /// Returns a config or a layer as a file of this machine, fetched there when the source keeps what it
    /// fetches; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be asked for, or the source keeps nothing.
    fn blob(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Blob>>;

    /// Returns the files of a layout by their relative path, when the source is one.
    fn files(&self) -> Option<&BTreeMap<String, Blob>> {
        None
    }
}

/// A path or a name, as people write images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A layout's folder or tar.
    Path(Utf8PathBuf),
    /// A name in a registry.
    Registry(Reference),
}

impl Location {
    /// Reads what somebody typed. `oci:PATH` and `oci-archive:PATH` are paths, and so is what exists, begins
    /// with `.`, `/` or `~`, or ends in `.tar`; everything else is a full name in a registry.
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
            "give the path of a layout or a tar, or a full name such as ghcr.io/noetl/noetl:latest",
        )
    }
}
