//! An OCI image layout (image-layout.md) held in memory, and its two forms on disk:
//! a folder, and one tar that docker, containerd and podman load.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8Path;
use serde::Serialize;

use crate::digest::Sha256;
use crate::error::WithHelp as _;
use crate::files;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, encode};
use crate::oci::reference::Reference;
use crate::target::Platform;
use crate::ustar::{self, Entry};

/// Annotation with the tag, on descriptors of a layout's `index.json` alone.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with the full name, which containerd and podman take.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The content of `oci-layout`.
pub(crate) const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The files of a layout by their relative path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `oci-layout`, `index.json`, `blobs/sha256/…`, and in a tar `manifest.json`.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Layout {
    /// A layout without images.
    pub(crate) fn empty() -> Self {
        Self {
            files: BTreeMap::from([("oci-layout".to_owned(), MARKER.to_vec())]),
        }
    }

    /// Adds a blob under its digest.
    pub(crate) fn add_blob(&mut self, bytes: Vec<u8>) {
        self.files
            .insert(format!("blobs/sha256/{}", Sha256::of(&bytes)), bytes);
    }

    /// The blob with an OCI digest, if it is there.
    pub(crate) fn blob(&self, digest: &str) -> Option<&[u8]> {
        let (algorithm, hex) = digest.split_once(':')?;
        self.files
            .get(&format!("blobs/{algorithm}/{hex}"))
            .map(Vec::as_slice)
    }

    /// Writes `index.json`: one entry per name, all of the same image index.
    pub(crate) fn name(&mut self, image: &Descriptor, references: &[Reference]) {
        let named = references.iter().map(|reference| Descriptor {
            annotations: BTreeMap::from([
                (CONTAINERD_NAME.to_owned(), reference.to_string()),
                (REF_NAME.to_owned(), reference.tag.clone()),
            ]),
            ..image.clone()
        });
        let index = ImageIndex {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            artifact_type: None,
            manifests: named.collect(),
            subject: None,
            annotations: BTreeMap::new(),
        };
        self.files.insert("index.json".to_owned(), encode(&index));
    }

    /// The layout's own `index.json`.
    pub(crate) fn index_json(&self) -> anyhow::Result<ImageIndex> {
        let index = self
            .files
            .get("index.json")
            .context("the layout has no index.json")?;
        serde_json::from_slice(index).context("index.json is not an image index")
    }

    /// The descriptor of the one image index that `index.json` names, under as many names as it likes.
    ///
    /// # Errors
    /// When it names none, or several: nobody can tell which is meant.
    pub(crate) fn image_index(&self) -> anyhow::Result<Descriptor> {
        let mut named = self.index_json()?.manifests.into_iter();
        let first = named.next().context("index.json names no image")?;
        match named.find(|other| other.digest != first.digest) {
            None => Ok(first),
            Some(other) => Err(anyhow!(
                "index.json names several images: {} and {}",
                first.digest,
                other.digest
            ))
            .help("`skopeo copy oci:FOLDER:TAG oci:NEW:TAG` takes one out"),
        }
    }

    /// Reads a layout from a folder or a tar.
    pub(crate) fn open(path: &Utf8Path) -> anyhow::Result<Self> {
        // Before anything else is read: the folder may be somebody's home.
        let is_layout = path.is_file() || path.join("oci-layout").is_file();
        ensure!(
            is_layout,
            "{path} is not an OCI image layout: it has no file oci-layout"
        );
        let layout = if path.is_dir() {
            Self::from_folder(path)
        } else {
            Self::from_tar(&files::read(path)?)
        };
        layout.with_context(|| format!("cannot read {path} as an OCI image layout"))
    }

    /// Reads the tar form from bytes.
    pub(crate) fn from_tar(archive: &[u8]) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().context("not a tar")? {
            let mut entry = entry.context("the tar is damaged")?;
            if entry.header().entry_type().is_dir() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes())
                .trim_start_matches("./")
                .to_owned();
            let mut bytes = Vec::new();
            entry
                .read_to_end(&mut bytes)
                .with_context(|| format!("{name} is cut short"))?;
            ensure!(
                files.insert(name.clone(), bytes).is_none(),
                "{name} is there twice"
            );
        }
        Self { files }.marked()
    }

    fn from_folder(path: &Utf8Path) -> anyhow::Result<Self> {
        let read = |name: String| Ok((name.clone(), files::read(&path.join(name))?));
        Self {
            files: files::below(path)?
                .into_iter()
                .map(read)
                .collect::<anyhow::Result<_>>()?,
        }
        .marked()
    }

    fn marked(self) -> anyhow::Result<Self> {
        ensure!(
            self.files.contains_key("oci-layout"),
            "it has no file oci-layout"
        );
        Ok(self)
    }

    /// Writes the folder form, whole or not at all.
    pub(crate) fn write_folder(&self, path: &Utf8Path) -> anyhow::Result<()> {
        let unfinished = path.with_extension("part");
        files::remove(&unfinished)?;
        for (name, bytes) in &self.files {
            files::write(&unfinished.join(name), bytes)?;
        }
        files::swap_folder(&unfinished, path)
    }

    /// The tar form: the layout, and a `manifest.json` by which the classic Docker engine loads one platform.
    pub(crate) fn to_tar(
        &self,
        docker_platform: Platform,
        references: &[Reference],
        mtime: u64,
    ) -> anyhow::Result<Vec<u8>> {
        let mut entries = vec![
            Entry::folder("blobs", 0o755),
            Entry::folder("blobs/sha256", 0o755),
        ];
        let (blobs, documents): (Vec<_>, Vec<_>) = self
            .files
            .iter()
            .filter(|(name, _)| *name != "manifest.json")
            .partition(|(name, _)| name.starts_with("blobs/"));
        let docker = self.docker_manifest(docker_platform, references)?;
        entries.extend(
            blobs
                .into_iter()
                .map(|(name, bytes)| Entry::file(name, 0o644, bytes.as_slice())),
        );
        entries.extend(
            documents
                .into_iter()
                .rev()
                .map(|(name, bytes)| Entry::file(name, 0o644, bytes.as_slice())),
        );
        entries.push(Entry::file("manifest.json", 0o644, docker));
        ustar::write(&entries, mtime)
    }

    /// `docker save`'s format: one image only, since of two with one name the last would win.
    fn docker_manifest(
        &self,
        platform: Platform,
        references: &[Reference],
    ) -> anyhow::Result<Vec<u8>> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct DockerImage {
            config: String,
            repo_tags: Vec<String>,
            layers: Vec<String>,
        }
        let index = self
            .blob(&self.image_index()?.digest)
            .context("the image index is missing")?;
        let index: ImageIndex = serde_json::from_slice(index)?;
        let wanted = Some(platform.into());
        let child = index
            .manifests
            .iter()
            .find(|child| child.platform == wanted);
        let child = child.with_context(|| format!("no image for {platform}"))?;
        let manifest = self
            .blob(&child.digest)
            .context("an image manifest is missing")?;
        let manifest: ImageManifest = serde_json::from_slice(manifest)?;
        let path =
            |descriptor: &Descriptor| format!("blobs/{}", descriptor.digest.replace(':', "/"));
        Ok(encode(&[DockerImage {
            config: path(&manifest.config),
            repo_tags: references.iter().map(ToString::to_string).collect(),
            layers: manifest.layers.iter().map(path).collect(),
        }]))
    }
}
