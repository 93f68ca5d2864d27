//! An image taken apart, so that a mutant can change one thing and have all digests fit again.

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use super::records::{self, Entry};
use crate::digest::Sha256;
use crate::gzip::{gunzip, gzip};
use crate::oci::layout::Layout;
use crate::oci::model::{
    Descriptor, ImageConfig, ImageIndex, ImageManifest, LAYER_TAR, PlatformFields, RunConfig,
    encode,
};

/// The amd64 image's place in [`Parts`]: indexes list it first.
pub(super) const AMD64: usize = 0;
/// The arm64 image's place.
pub(super) const ARM64: usize = 1;

/// The documents and layers of an image for several platforms.
#[derive(Debug)]
pub(crate) struct Parts {
    /// `index.json`: names, each with the descriptor of the one image index.
    pub names: ImageIndex,
    /// The image index.
    pub index: ImageIndex,
    /// One for each child of the index.
    pub manifests: Vec<ImageManifest>,
    /// The config of each image.
    pub configs: Vec<ImageConfig>,
    /// The layers of each image, lowest first.
    pub layers: Vec<Vec<Layer>>,
    /// The entries of `manifest.json`: which image, under which names; none without that file.
    pub docker: Vec<(usize, Vec<String>)>,
}

/// A layer before and after compression.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// What its descriptor says it is.
    pub media_type: String,
    /// The blob.
    pub packed: Vec<u8>,
    /// What is compressed in it.
    pub tar: Vec<u8>,
}

/// `docker save`'s format.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

impl Parts {
    /// Takes apart an image whose `index.json` names one index of at least two images.
    pub(crate) fn of(layout: &Layout) -> anyhow::Result<Self> {
        let names = layout.index_json()?;
        let index: ImageIndex = document(layout, &layout.image_index()?)?;
        ensure!(
            index.manifests.len() >= 2,
            "its index lists fewer than two platforms"
        );
        let (mut manifests, mut configs, mut layers) = (Vec::new(), Vec::new(), Vec::new());
        for child in &index.manifests {
            let image_manifest: ImageManifest = document(layout, child)?;
            configs.push(document(layout, &image_manifest.config)?);
            let own = image_manifest.layers.iter();
            layers.push(
                own.map(|it| layer(layout, it))
                    .collect::<anyhow::Result<_>>()?,
            );
            manifests.push(image_manifest);
        }
        let docker = docker(layout, &manifests)?;
        Ok(Self {
            names,
            index,
            manifests,
            configs,
            layers,
            docker,
        })
    }

    /// Puts everything together with digests and sizes that fit, from the layers up.
    pub(crate) fn seal(mut self) -> anyhow::Result<Layout> {
        let mut layout = Layout::empty();
        for (number, image) in self.manifests.iter_mut().enumerate() {
            let config = encode(&self.configs[number]);
            refit(&mut image.config, &config);
            for (descriptor, layer) in image.layers.iter_mut().zip(&self.layers[number]) {
                descriptor.media_type.clone_from(&layer.media_type);
                refit(descriptor, &layer.packed);
                layout.add_blob(layer.packed.clone());
            }
            let manifest = encode(image);
            // A mutant may have taken the child off the index.
            if let Some(child) = self.index.manifests.get_mut(number) {
                refit(child, &manifest);
                layout.add_blob(config);
                layout.add_blob(manifest);
            }
        }
        let index = encode(&self.index);
        self.names
            .manifests
            .iter_mut()
            .for_each(|name| refit(name, &index));
        layout.add_blob(index);
        layout
            .files
            .insert("index.json".to_owned(), encode(&self.names));
        let docker = self.docker.iter().map(|(image, names)| {
            let manifest = self
                .manifests
                .get(*image)
                .context("manifest.json names no image")?;
            Ok(DockerImage {
                config: path(&manifest.config),
                repo_tags: names.clone(),
                layers: manifest.layers.iter().map(path).collect(),
            })
        });
        let docker = docker.collect::<anyhow::Result<Vec<_>>>()?;
        if !docker.is_empty() {
            layout
                .files
                .insert("manifest.json".to_owned(), encode(&docker));
        }
        Ok(layout)
    }

    /// How the container of an image starts.
    pub(super) fn run(&mut self, image: usize) -> anyhow::Result<&mut RunConfig> {
        self.configs[image]
            .config
            .as_mut()
            .context("the config says nothing of how to run it")
    }

    /// Where the index says that an image runs.
    pub(super) fn platform(&mut self, image: usize) -> anyhow::Result<&mut PlatformFields> {
        let platform = self.index.manifests[image].platform.as_mut();
        platform.context("the index names no platform")
    }

    /// Changes a label, and the annotations of the same name.
    pub(in crate::check) fn relabel(&mut self, key: &str, value: &str) {
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

    /// The uppermost layer of an image that lists a path.
    pub(super) fn layer_with(&self, image: usize, path: &str) -> anyhow::Result<usize> {
        for (position, layer) in self.layers[image].iter().enumerate().rev() {
            let entries = records::read(&layer.tar)?;
            if entries.iter().any(|entry| entry.path() == path) {
                return Ok(position);
            }
        }
        bail!("no layer holds {path}")
    }

    /// Rewrites the layer of an image that lists a path.
    pub(super) fn edit(
        &mut self,
        image: usize,
        path: &str,
        edit: impl Fn(&mut Vec<Entry>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let position = self.layer_with(image, path)?;
        let mut entries = records::read(&self.layers[image][position].tar)?;
        edit(&mut entries)?;
        let tar = records::write(&entries);
        self.set_layer(image, position, gzip(&tar)?, tar)
    }

    /// Rewrites the layer that lists a path in all images alike.
    pub(super) fn edit_everywhere(
        &mut self,
        path: &str,
        edit: impl Fn(&mut Vec<Entry>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        (0..self.manifests.len()).try_for_each(|image| self.edit(image, path, &edit))
    }

    /// Replaces a layer, and the diff id with it.
    pub(in crate::check) fn set_layer(
        &mut self,
        image: usize,
        position: usize,
        packed: Vec<u8>,
        tar: Vec<u8>,
    ) -> anyhow::Result<()> {
        let diff_ids = &mut self.configs[image].rootfs.diff_ids;
        *diff_ids.get_mut(position).context("a diff id is missing")? = Sha256::of(&tar).oci();
        let layer = &mut self.layers[image][position];
        (layer.packed, layer.tar) = (packed, tar);
        Ok(())
    }

    /// Compresses the layer with the program in another way.
    pub(super) fn repack(
        &mut self,
        image: usize,
        pack: impl Fn(&[u8]) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let position = self.layer_with(image, &self.program_path(image)?)?;
        let tar = self.layers[image][position].tar.clone();
        self.set_layer(image, position, pack(&tar)?, tar)
    }

    /// Puts one more layer on top of an image.
    #[cfg(test)]
    pub(crate) fn add_layer(&mut self, image: usize, tar: Vec<u8>) -> anyhow::Result<()> {
        let last = self.manifests[image].layers.last().cloned();
        let config = &mut self.configs[image];
        config.rootfs.diff_ids.push(Sha256::of(&tar).oci());
        let line = config.history.last().cloned().context("no history")?;
        config.history.push(line);
        self.manifests[image]
            .layers
            .push(last.context("no layers")?);
        let media_type = crate::oci::model::LAYER_GZIP.to_owned();
        let packed = gzip(&tar)?;
        self.layers[image].push(Layer {
            media_type,
            packed,
            tar,
        });
        Ok(())
    }

    /// Where the program of an image lies, without a leading slash.
    pub(super) fn program_path(&self, image: usize) -> anyhow::Result<String> {
        let run = self.configs[image].config.as_ref();
        let word = run.and_then(|run| run.entrypoint.as_ref()?.first());
        let word = word.context("the image has no entry point")?;
        Ok(word.trim_start_matches('/').to_owned())
    }

    /// The program of an image.
    pub(super) fn program(&self, image: usize) -> anyhow::Result<Vec<u8>> {
        let path = self.program_path(image)?;
        let position = self.layer_with(image, &path)?;
        let entries = records::read(&self.layers[image][position].tar)?;
        let entry = entries.into_iter().find(|entry| entry.path() == path);
        Ok(entry.context("the program is missing")?.content)
    }

    /// Changes the program's entry in its layer.
    pub(super) fn edit_program(
        &mut self,
        image: usize,
        edit: impl Fn(&mut Entry) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.program_path(image)?;
        self.edit(image, &path, |entries| edit(records::find(entries, &path)?))
    }
}

fn document<T: serde::de::DeserializeOwned>(
    layout: &Layout,
    descriptor: &Descriptor,
) -> anyhow::Result<T> {
    let bytes = layout.blob(&descriptor.digest);
    let bytes = bytes.with_context(|| format!("{} is missing", descriptor.digest))?;
    serde_json::from_slice(bytes).with_context(|| format!("cannot read {}", descriptor.digest))
}

fn layer(layout: &Layout, descriptor: &Descriptor) -> anyhow::Result<Layer> {
    let packed = layout
        .blob(&descriptor.digest)
        .context("a layer is missing")?;
    Ok(Layer {
        media_type: descriptor.media_type.clone(),
        packed: packed.to_vec(),
        tar: match descriptor.media_type.as_str() {
            LAYER_TAR => packed.to_vec(),
            _ => gunzip(packed)?,
        },
    })
}

fn docker(
    layout: &Layout,
    manifests: &[ImageManifest],
) -> anyhow::Result<Vec<(usize, Vec<String>)>> {
    let Some(bytes) = layout.files.get("manifest.json") else {
        return Ok(Vec::new());
    };
    let listed: Vec<Value> = serde_json::from_slice(bytes).context("manifest.json is broken")?;
    let image = |entry: &Value| {
        let position = manifests
            .iter()
            .position(|image| entry["Config"] == path(&image.config));
        let names = entry["RepoTags"].as_array().into_iter().flatten();
        let names = names.filter_map(|name| name.as_str().map(ToOwned::to_owned));
        Ok((
            position.context("manifest.json names no image of the index")?,
            names.collect(),
        ))
    };
    listed.iter().map(image).collect()
}

fn path(descriptor: &Descriptor) -> String {
    format!("blobs/{}", descriptor.digest.replace(':', "/"))
}

/// Gives a descriptor digest and size of new bytes.
fn refit(descriptor: &mut Descriptor, bytes: &[u8]) {
    descriptor.digest = Sha256::of(bytes).oci();
    descriptor.size = bytes.len() as u64;
}
