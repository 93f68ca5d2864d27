//! Makes an image from a description of it.

use anyhow::Context as _;
use jiff::Timestamp;

use crate::annotation::{BASE_DIGEST, BASE_NAME};
use crate::base::{Base, BaseImage};
use crate::digest::Sha256;
use crate::layer::{Layer, LayerCache};
use crate::layout::Layout;
use crate::media_type::{CONFIG, INDEX, MANIFEST};
use crate::model::{
    Annotations, BASE_LAYER, Descriptor, History, ImageConfig, ImageIndex, ImageManifest, RootFs,
    RunConfig, encode,
};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::tar::write::Entry;

/// A value for [`ImageSpec::maker`] when the caller has no name of its own; the default of
/// [`Expectations::of`](crate::rules::Expectations::of).
pub const MAKER: &str = "noetl-oci";

/// The description of an image. The same value gives the same bytes on every machine.
#[derive(Debug, Clone)]
pub struct ImageSpec {
    /// The beginning of every line of history that is written, such as `my tool`; see [`History::own_layer`]. Checks of the
    /// image need the same value in [`Expectations::maker`](crate::rules::Expectations::maker).
    pub maker: String,
    /// The time of every file and every `created`, in seconds since 1970.
    pub created: u64,
    /// Annotations of the index and of each manifest; labels are in [`PlatformSpec::run`].
    pub annotations: Annotations,
    /// The full names of the image, in the order of `index.json`.
    pub names: Vec<Reference>,
    /// The base image, with one image for each of `platforms` in the same order.
    pub base: Option<Base>,
    /// The image of each platform, in the order of the index.
    pub platforms: Vec<PlatformSpec>,
}

/// The description of the image of one platform.
#[derive(Debug, Clone)]
pub struct PlatformSpec {
    /// The platform.
    pub platform: Platform,
    /// How a container of it starts.
    pub run: RunConfig,
    /// Layers on top of the base's, lowest first.
    pub layers: Vec<LayerSpec>,
}

/// The description of a layer.
#[derive(Debug, Clone)]
pub struct LayerSpec {
    /// The name of the layer, which follows the maker in its line of history.
    pub name: String,
    /// Files and folders; each comes after the folder that it is in.
    pub entries: Vec<Entry>,
}

/// Makes an image. Its layers are made by `cache`, several at the same time.
///
/// # Errors
/// When an entry does not fit in a tar or cannot be read, the base has no image for a platform, or the time cannot be
/// written in RFC 3339.
///
/// ```
/// use noetl_oci::tar::Entry;
/// use noetl_oci::{ImageSpec, LayerCache, LayerSpec, MAKER, Platform, PlatformSpec, RunConfig, assemble};
///
/// let layer = LayerSpec { name: "app".to_owned(), entries: vec![Entry::file("hello", 0o755, "…")] };
/// let spec = ImageSpec {
///     maker: MAKER.to_owned(),
///     created: 0,
///     annotations: Default::default(),
///     names: vec!["ghcr.io/some/image:1".parse()?],
///     base: None,
///     platforms: vec![PlatformSpec {
///         platform: Platform::new("linux", "amd64", None),
///         run: RunConfig { entrypoint: Some(vec!["/hello".to_owned()]), ..RunConfig::default() },
///         layers: vec![layer],
///     }],
/// };
/// let layout = assemble(&spec, &LayerCache::none())?;
/// assert_eq!(layout.files.len(), 6, "a layer, a config, a manifest, an index, index.json and oci-layout");
/// # anyhow::Ok(())
/// ```
pub fn assemble(spec: &ImageSpec, cache: &LayerCache) -> anyhow::Result<Layout> {
    let mut layout = Layout::default();
    let mut children = Vec::new();
    let layers = spec.platforms.iter().flat_map(|platform| &platform.layers);
    let layers: Vec<_> = layers.map(|layer| layer.entries.as_slice()).collect();
    let mut layers = cache.layers(&layers, spec.created)?.into_iter();
    for (position, platform) in spec.platforms.iter().enumerate() {
        let base = match &spec.base {
            Some(base) => {
                let found = base.images.get(position);
                Some(found.context("the base has no image for every platform")?)
            }
            None => None,
        };
        children.push(add_platform(
            spec,
            platform,
            base,
            &mut layers,
            &mut layout,
        )?);
    }
    let digest = spec.base.as_ref().map(|base| &base.digest);
    let index = encode(&ImageIndex::new(children, annotations(spec, digest)));
    layout.set_names(&Descriptor::of(INDEX, &index), &spec.names);
    layout.add(index);
    Ok(layout)
}

/// Adds the image of one platform to `layout`, and returns its descriptor. `layers` are its own layers, and those of the
/// platforms after it.
fn add_platform(
    spec: &ImageSpec,
    platform: &PlatformSpec,
    base: Option<&BaseImage>,
    layers: &mut impl Iterator<Item = Layer>,
    layout: &mut Layout,
) -> anyhow::Result<Descriptor> {
    let mut descriptors = Vec::new();
    for (layer, blob) in base
        .into_iter()
        .flat_map(|it| it.layers.iter().zip(&it.blobs))
    {
        layout.add_blob(&layer.digest, blob.clone());
        descriptors.push(layer.clone());
    }
    let mut own = Vec::new();
    for (layer, made) in platform.layers.iter().zip(layers) {
        layout.add_blob(&made.descriptor.digest, made.blob);
        descriptors.push(made.descriptor);
        own.push((made.diff_id, layer.name.as_str()));
    }
    let config = encode(&config(spec, platform, base, &own)?);
    let digest = base.map(|base| &base.digest);
    let manifest = ImageManifest::new(
        Descriptor::of(CONFIG, &config),
        descriptors,
        annotations(spec, digest),
    );
    let manifest = encode(&manifest);
    let descriptor = Descriptor {
        platform: Some(platform.platform.clone()),
        ..Descriptor::of(MANIFEST, &manifest)
    };
    layout.add(config);
    layout.add(manifest);
    Ok(descriptor)
}

/// Returns the config, with the layers and history of the base before those of the spec.
fn config(
    spec: &ImageSpec,
    platform: &PlatformSpec,
    base: Option<&BaseImage>,
    own: &[(Sha256, &str)],
) -> anyhow::Result<ImageConfig> {
    let created = Timestamp::from_second(i64::try_from(spec.created)?)
        .context("the time of the image is out of range")?
        .to_string();
    let mut diff_ids = base.map_or_else(Vec::new, |it| it.config.rootfs.diff_ids.clone());
    diff_ids.extend(own.iter().map(|(diff_id, _)| diff_id.digest()));
    let line = |created: Option<String>, name: &str| {
        History::new(created, format!("{}: {name}", spec.maker))
    };
    let mut history = base.map_or_else(Vec::new, |base| {
        if base.config.layer_lines().count() == base.layers.len() {
            return base.config.history.clone();
        }
        let created = &base.config.created;
        let layers = base.layers.iter();
        layers
            .map(|layer| line(created.clone(), &format!("{BASE_LAYER}{}", layer.digest)))
            .collect()
    });
    history.extend(
        own.iter()
            .map(|(_, name)| line(Some(created.clone()), name)),
    );
    let Platform {
        architecture,
        os,
        variant,
        ..
    } = platform.platform.clone();
    Ok(ImageConfig {
        created: Some(created),
        architecture,
        os,
        variant,
        config: Some(platform.run.clone()),
        rootfs: RootFs::new(diff_ids),
        history,
        other: Default::default(),
    })
}

/// Returns the annotations of the spec, with name and digest of the base if there is one. `digest` is that of the
/// base's index for the index, and of the base's image for an image.
fn annotations(spec: &ImageSpec, digest: Option<&String>) -> Annotations {
    let mut annotations = spec.annotations.clone();
    let name = spec.base.as_ref().and_then(|base| base.name.clone());
    annotations.extend(name.map(|name| (BASE_NAME.to_owned(), name)));
    annotations.extend(digest.map(|digest| (BASE_DIGEST.to_owned(), digest.clone())));
    annotations
}
