//! The documents and layers of an image in memory, to be changed and put together again with new digests.

use anyhow::{Context as _, bail, ensure};
use noetl_oci::gzip::{gunzip, gzip};
use noetl_oci::layout::{DOCKER_NAME, INDEX_NAME, blob_path};
use noetl_oci::media_type::{LAYER_GZIP, LAYER_TAR};
use noetl_oci::{
    Descriptor, DockerImage, Image, ImageConfig, ImageIndex, ImageManifest, Layout, Platform,
    RunConfig, Sha256, encode,
};

use crate::records::{self, RawEntry};

/// The position of the amd64 image in [`Parts`]; indexes list it first.
pub const AMD64: usize = 0;
/// The position of the arm64 image in [`Parts`].
pub const ARM64: usize = 1;

/// The documents and layers of an image for several platforms.
#[derive(Debug)]
pub struct Parts {
    /// `index.json`: an entry for each name, all with the digest of the index.
    pub names: ImageIndex,
    /// The index.
    pub index: ImageIndex,
    /// The manifest of each image, in the order of the index.
    pub manifests: Vec<ImageManifest>,
    /// The config of each image.
    pub configs: Vec<ImageConfig>,
    /// The layers of each image, lowest first.
    pub layers: Vec<Vec<PackedLayer>>,
    /// The entries of `manifest.json`: the position of an image, and its names; empty when there is no such file.
    pub docker: Vec<(usize, Vec<String>)>,
}

/// A layer before and after compression.
#[derive(Debug, Clone)]
pub struct PackedLayer {
    /// The media type in its descriptor.
    pub media_type: String,
    /// The compressed blob.
    pub packed: Vec<u8>,
    /// The uncompressed tar.
    pub tar: Vec<u8>,
}

impl Parts {
    /// Reads an image whose `index.json` names one index of at least two images.
    ///
    /// # Errors
    /// When it is not such an image, or a part of it is missing.
    pub fn of(layout: &Layout) -> anyhow::Result<Self> {
        let image = Image::read(layout)?;
        let index = image.index()?.context("index.json names no index")?;
        ensure!(
            image.platforms.len() >= 2,
            "its index lists fewer than two platforms"
        );
        let names = image
            .index_json
            .as_ref()
            .map(|document| document.value.clone());
        let mut parts = Self {
            names: names.context("there is no index.json")?,
            index: index.document.value.clone(),
            manifests: Vec::new(),
            configs: Vec::new(),
            layers: Vec::new(),
            docker: Vec::new(),
        };
        for platform in &image.platforms {
            let manifest = platform
                .manifest
                .as_ref()
                .context("a manifest is missing")?;
            let config = platform.config.as_ref().context("a config is missing")?;
            let layers = manifest.value.layers.iter();
            let layers = layers.map(|it| PackedLayer::read(layout, it));
            parts.layers.push(layers.collect::<anyhow::Result<_>>()?);
            parts.manifests.push(manifest.value.clone());
            parts.configs.push(config.value.clone());
        }
        parts.docker = parts.docker_list(layout)?;
        Ok(parts)
    }

    fn docker_list(&self, layout: &Layout) -> anyhow::Result<Vec<(usize, Vec<String>)>> {
        let Some(blob) = layout.files.get(DOCKER_NAME) else {
            return Ok(Vec::new());
        };
        let listed: Vec<DockerImage> =
            serde_json::from_slice(&blob.read()?).context("manifest.json is broken")?;
        let image = |entry: DockerImage| {
            let mut manifests = self.manifests.iter();
            let position =
                manifests.position(|image| entry.config == blob_path(&image.config.digest));
            let position = position.context("manifest.json names no image of the index")?;
            Ok((position, entry.repo_tags.unwrap_or_default()))
        };
        listed.into_iter().map(image).collect()
    }

    /// Returns a layout of the parts. Digests and sizes in descriptors are computed again.
    ///
    /// # Errors
    /// When [`Parts::docker`] has an entry for an image that does not exist.
    pub fn seal(mut self) -> anyhow::Result<Layout> {
        let mut layout = Layout::default();
        for (number, image) in self.manifests.iter_mut().enumerate() {
            let config = encode(&self.configs[number]);
            describe(&mut image.config, &config);
            for (descriptor, layer) in image.layers.iter_mut().zip(&self.layers[number]) {
                descriptor.media_type.clone_from(&layer.media_type);
                describe(descriptor, &layer.packed);
                layout.add(layer.packed.clone());
            }
            let manifest = encode(image);
            // The change may have removed the child from the index.
            if let Some(child) = self.index.manifests.get_mut(number) {
                describe(child, &manifest);
                layout.add(config);
                layout.add(manifest);
            }
        }
        let index = encode(&self.index);
        self.names
            .manifests
            .iter_mut()
            .for_each(|name| describe(name, &index));
        layout.add(index);
        let names = encode(&self.names);
        layout.files.insert(INDEX_NAME.to_owned(), names.into());
        let docker = self.docker.iter().map(|(image, names)| {
            let manifest = self.manifests.get(*image);
            let ImageManifest { config, layers, .. } =
                manifest.context("manifest.json names no image")?;
            Ok(DockerImage::new(config, layers, names.clone()))
        });
        let docker = docker.collect::<anyhow::Result<Vec<_>>>()?;
        if !docker.is_empty() {
            let list = encode(&docker);
            layout.files.insert(DOCKER_NAME.to_owned(), list.into());
        }
        Ok(layout)
    }

    /// Returns how a container of an image starts.
    ///
    /// # Errors
    /// When the config does not contain that.
    pub fn run(&mut self, image: usize) -> anyhow::Result<&mut RunConfig> {
        self.configs[image]
            .config
            .as_mut()
            .context("the config has no field `config`")
    }

    /// Returns the platform of an image in the index.
    ///
    /// # Errors
    /// When the index names no platform for it.
    pub fn platform(&mut self, image: usize) -> anyhow::Result<&mut Platform> {
        let platform = self.index.manifests[image].platform.as_mut();
        platform.context("the index names no platform")
    }

    /// Sets the label and the annotations `org.opencontainers.image.KEY` of all images and the index.
    pub fn relabel(&mut self, key: &str, value: &str) {
        let key = format!("org.opencontainers.image.{key}");
        let labels = self
            .configs
            .iter_mut()
            .filter_map(|config| config.config.as_mut()?.labels.as_mut());
        let annotations = self.manifests.iter_mut().map(|it| &mut it.annotations);
        let everywhere = labels
            .chain(annotations)
            .chain([&mut self.index.annotations]);
        for set in everywhere {
            set.insert(key.clone(), value.to_owned());
        }
    }

    /// Returns the position of the uppermost layer of an image that contains a path.
    ///
    /// # Errors
    /// When no layer contains it, or a layer is damaged.
    pub fn layer_with(&self, image: usize, path: &str) -> anyhow::Result<usize> {
        for (position, layer) in self.layers[image].iter().enumerate().rev() {
            let entries = records::read(&layer.tar)?;
            if entries.iter().any(|entry| entry.path() == path) {
                return Ok(position);
            }
        }
        bail!("no layer contains {path}")
    }

    /// Changes the entries of the layer of an image that contains a path.
    ///
    /// # Errors
    /// When no layer contains it, or `edit` fails.
    pub fn edit(
        &mut self,
        image: usize,
        path: &str,
        edit: impl Fn(&mut Vec<RawEntry>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let position = self.layer_with(image, path)?;
        let mut entries = records::read(&self.layers[image][position].tar)?;
        edit(&mut entries)?;
        let tar = records::write(&entries);
        self.set_layer(image, position, gzip(&tar)?, tar)
    }

    /// Changes the entries of the layer that contains a path, in all images.
    ///
    /// # Errors
    /// When no layer of an image contains it, or `edit` fails.
    pub fn edit_everywhere(
        &mut self,
        path: &str,
        edit: impl Fn(&mut Vec<RawEntry>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        (0..self.manifests.len()).try_for_each(|image| self.edit(image, path, &edit))
    }

    /// Replaces a layer and its diff id.
    ///
    /// # Errors
    /// When the config has no diff id for the layer.
    pub fn set_layer(
        &mut self,
        image: usize,
        position: usize,
        packed: Vec<u8>,
        tar: Vec<u8>,
    ) -> anyhow::Result<()> {
        let diff_ids = &mut self.configs[image].rootfs.diff_ids;
        *diff_ids.get_mut(position).context("a diff id is missing")? = Sha256::of(&tar).digest();
        let layer = &mut self.layers[image][position];
        (layer.packed, layer.tar) = (packed, tar);
        Ok(())
    }

    /// Replaces the compressed bytes of the layer with the program by those that `pack` returns for its tar.
    ///
    /// # Errors
    /// When there is no program, or `pack` fails.
    pub fn repack(
        &mut self,
        image: usize,
        pack: impl Fn(&[u8]) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let position = self.layer_with(image, &self.program_path(image)?)?;
        let tar = self.layers[image][position].tar.clone();
        self.set_layer(image, position, pack(&tar)?, tar)
    }

    /// Adds a layer on top of an image, with a copy of the last line of history.
    ///
    /// # Errors
    /// When the image has no layers or no history.
    pub fn add_layer(&mut self, image: usize, tar: Vec<u8>) -> anyhow::Result<()> {
        let last = self.manifests[image].layers.last().cloned();
        let config = &mut self.configs[image];
        config.rootfs.diff_ids.push(Sha256::of(&tar).digest());
        let line = config.history.last().cloned().context("no history")?;
        config.history.push(line);
        self.manifests[image]
            .layers
            .push(last.context("no layers")?);
        let media_type = LAYER_GZIP.to_owned();
        let packed = gzip(&tar)?;
        self.layers[image].push(PackedLayer {
            media_type,
            packed,
            tar,
        });
        Ok(())
    }

    /// Returns the path of the program of an image, without a leading slash.
    ///
    /// # Errors
    /// When the image has no entry point.
    pub fn program_path(&self, image: usize) -> anyhow::Result<String> {
        let run = self.configs[image].config.as_ref();
        let word = run.and_then(|run| run.entrypoint.as_ref()?.first());
        let word = word.context("the image has no entry point")?;
        Ok(word.trim_start_matches('/').to_owned())
    }

    /// Returns the bytes of the program of an image.
    ///
    /// # Errors
    /// When there is no program.
    pub fn program(&self, image: usize) -> anyhow::Result<Vec<u8>> {
        let path = self.program_path(image)?;
        let position = self.layer_with(image, &path)?;
        let entries = records::read(&self.layers[image][position].tar)?;
        let entry = entries.into_iter().find(|entry| entry.path() == path);
        Ok(entry.context("the program is missing")?.content)
    }

    /// Changes the entry of the program in its layer.
    ///
    /// # Errors
    /// When there is no program, or `edit` fails.
    pub fn edit_program(
        &mut self,
        image: usize,
        edit: impl Fn(&mut RawEntry) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.program_path(image)?;
        self.edit(image, &path, |entries| edit(records::find(entries, &path)?))
    }
}

impl PackedLayer {
    fn read(layout: &Layout, descriptor: &Descriptor) -> anyhow::Result<Self> {
        let packed = layout
            .blob(&descriptor.digest)
            .context("a layer is missing")?;
        let packed = packed.read()?;
        let tar = match descriptor.media_type.as_str() {
            LAYER_TAR => packed.clone(),
            _ => gunzip(&packed)?,
        };
        Ok(Self {
            media_type: descriptor.media_type.clone(),
            packed,
            tar,
        })
    }
}

/// Sets digest and size of a descriptor to those of `bytes`.
fn describe(descriptor: &mut Descriptor, bytes: &[u8]) {
    descriptor.digest = Sha256::of(bytes).digest();
    descriptor.size = bytes.len() as u64;
}
