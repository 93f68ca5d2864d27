//! Images as they are named on the command line: a folder, a tar, or a name in a registry.

use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::registry::RegistryImage;
use noetl_oci::{Image, ImageSource, Layout, Location};

use crate::host::ctx::Ctx;
use crate::host::sign_ins;

/// Where an image is read from.
#[derive(Debug)]
pub(super) enum Opened {
    /// A layout's folder or tar.
    Layout(Layout),
    /// A registry.
    Registry(RegistryImage),
}

impl Opened {
    /// Opens an image without reading its layers.
    ///
    /// # Errors
    /// When it is not there, or the registry does not answer.
    pub(super) fn new(ctx: &Ctx, text: &str) -> anyhow::Result<Self> {
        match Location::parse(text)? {
            Location::Path(path) => Self::layout(&path),
            Location::Registry(reference) => {
                let client = sign_ins::client(ctx);
                RegistryImage::open(&client, &reference).map(Self::Registry)
            }
        }
    }

    fn layout(path: &Utf8Path) -> anyhow::Result<Self> {
        Layout::open(path).map(Self::Layout).help(
            "`cargo xtask image` makes one at target/xtask/image; an image in a registry is named in full",
        )
    }

    /// Returns where it is read from.
    pub(super) fn source(&self) -> &dyn ImageSource {
        match self {
            Self::Layout(layout) => layout,
            Self::Registry(image) => image,
        }
    }

    /// Reads its documents.
    ///
    /// # Errors
    /// When the source fails.
    pub(super) fn image(&self) -> anyhow::Result<Image> {
        Image::read(self.source())
    }
}
