//! Images as they are named on the command line: a folder, a tar, or a name in a registry.

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::registry::RegistryImage;
use noetl_oci::{Image, ImageSource, Layout, Location};

use crate::host::ctx::Ctx;
use crate::host::sign_ins;
use crate::kube::facts::ImageFacts;

/// Where an image is read from.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A layout's folder or tar.
    Layout(Layout),
    /// A registry.
    Registry(Box<RegistryImage>),
}

impl Opened {
    /// Opens an image without reading its layers.
    ///
    /// # Errors
    /// When it is not there, or the registry does not answer.
    pub(crate) fn new(ctx: &Ctx, text: &str) -> anyhow::Result<Self> {
        match Location::parse(text)? {
            Location::Path(path) => Self::layout(&path),
            Location::Registry(reference) => {
                let client = sign_ins::client(ctx);
                let image = RegistryImage::open(&client, &reference)?;
                Ok(Self::Registry(Box::new(image)))
            }
        }
    }

    fn layout(path: &Utf8Path) -> anyhow::Result<Self> {
        Layout::open(path).map(Self::Layout).help(
            "`cargo xtask image` makes one at target/xtask/image; an image in a registry is named in full",
        )
    }

    /// Returns where it is read from.
    pub(crate) fn source(&self) -> &dyn ImageSource {
        match self {
            Self::Layout(layout) => layout,
            Self::Registry(image) => image.as_ref(),
        }
    }

    /// Reads its documents.
    ///
    /// # Errors
    /// When the source fails.
    pub(crate) fn image(&self) -> anyhow::Result<Image> {
        Image::read(self.source())
    }
}

/// Returns what an image promises to a cluster. Its documents are read and their digests checked; its layers are not.
///
/// # Errors
/// When it cannot be opened, a digest is wrong, or it is for no platform.
pub(crate) fn facts(ctx: &Ctx, text: &str) -> anyhow::Result<ImageFacts> {
    let image = Opened::new(ctx, text)?.image()?;
    image.check_digests().with_context(|| text.to_owned())?;
    ImageFacts::of(&image)
}
