//! Opening an image that is named on the command line: a folder, a tar, or a name in a registry.

use anyhow::Context as _;
use noetl_help::Help as _;
use noetl_oci::diff::Side;
use noetl_oci::registry::RegistryImage;
use noetl_oci::{Image, ImageSource, Layout, Location};

use crate::host::ctx::Ctx;
use crate::host::sign_ins;
use crate::image::flavours;
use crate::kube::facts::ImageFacts;
use crate::tasks::image::outputs;

/// An image whose documents are read and whose layers are not.
pub(crate) struct Opened {
    /// Its path, without a scheme such as `oci:`, or its name.
    pub name: String,
    /// Where it is read from.
    pub place: Place,
    /// Its documents.
    pub image: Image,
}

/// Where an image is read from.
pub(crate) enum Place {
    /// A layout's folder or tar.
    Layout(Layout),
    /// A registry.
    Registry(Box<RegistryImage>),
}

impl Opened {
    /// Opens the image with this path or name, or else the one that `cargo xtask image` made.
    ///
    /// # Errors
    /// When there is no such image, or the registry does not answer.
    pub(crate) fn new(ctx: &Ctx, name: Option<&str>) -> anyhow::Result<Self> {
        let made = || outputs(ctx, flavours::plain()).0.into_string();
        let mut name = name.map_or_else(made, ToOwned::to_owned);
        let place = match Location::parse(&name)? {
            Location::Path(path) => {
                let layout = Layout::open(&path).help(
                    "`cargo xtask image` makes one at target/xtask/image; an image in a registry is named in full",
                )?;
                name = path.into_string();
                Place::Layout(layout)
            }
            Location::Registry(reference) => {
                let image = RegistryImage::open(&sign_ins::client(ctx), &reference)?;
                Place::Registry(Box::new(image))
            }
        };
        let image = Image::read(place.source())?;
        Ok(Self { name, place, image })
    }

    /// Returns it as comparisons take it.
    pub(crate) fn side(&self) -> Side<'_> {
        let (image, source) = (&self.image, self.place.source());
        Side { image, source }
    }
}

impl Place {
    /// Returns the source of documents and layers.
    pub(crate) fn source(&self) -> &dyn ImageSource {
        match self {
            Self::Layout(layout) => layout,
            Self::Registry(image) => image.as_ref(),
        }
    }
}

/// Returns what a cluster has to know of an image. Its documents are read and their digests checked.
///
/// # Errors
/// When it cannot be opened, a digest is wrong, or it is for no platform.
pub(crate) fn facts(ctx: &Ctx, name: &str) -> anyhow::Result<ImageFacts> {
    let Opened { image, .. } = Opened::new(ctx, Some(name))?;
    image.check_digests().with_context(|| name.to_owned())?;
    ImageFacts::of(&image)
}
