//! An OCI image layout (image-spec, image-layout.md): its files, each read from where it lies, and its two
//! forms on disk, a folder and one tar that docker, containerd and podman load.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, bail, ensure};
use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::annotation;
use crate::blob::{Blob, BlobReader};
use crate::digest::Sha256;
use crate::files;
use crate::model::{Annotations, Descriptor, ImageIndex, encode};
use crate::reference::Reference;
use crate::source::ImageSource;
use crate::tar::write::{self, Entry};

/// The content of the file `oci-layout`.
pub const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The name of the file that marks a layout.
pub const MARKER_NAME: &str = "oci-layout";

/// The name of the file that names the images.
pub const INDEX_NAME: &str = "index.json";

/// The name of the list that `docker load` reads, in a tar alone.
pub const DOCKER_NAME: &str = "manifest.json";

/// The files of a layout by their relative path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// `oci-layout`, `index.json`, `blobs/sha256/…`, and in a tar `manifest.json`.
    pub files: BTreeMap<String, Blob>,
}

/// An entry of `docker save`'s list; Docker writes more fields, which say nothing about the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    /// Path of the config.
    pub config: String,
    /// Full names.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// Paths of the layers, lowest first.
    pub layers: Vec<String>,
}

impl DockerImage {
    /// Lists an image by the paths of its blobs in a layout.
    pub fn new(config: &Descriptor, layers: &[Descriptor], names: Vec<String>) -> Self {
        Self {
            config: blob_path(&config.digest),
            repo_tags: Some(names),
            layers: layers.iter().map(|it| blob_path(&it.digest)).collect(),
        }
    }
}

/// Returns the path of a blob in a layout.
pub fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

impl Default for Layout {
    /// A layout without images.
    fn default() -> Self {
        let marker = (MARKER_NAME.to_owned(), Blob::from(MARKER));
        Self {
            files: BTreeMap::from([marker]),
        }
    }
}

impl Layout {
    /// Opens a folder or a tar. Blobs are not read before they are asked for.
    ///
    /// # Errors
    /// When it is not a layout.
    pub fn open(path: &Utf8Path) -> anyhow::Result<Self> {
        // Before anything else is read: the folder may be a home.
        let is_layout = path.is_file() || path.join(MARKER_NAME).is_file();
        ensure!(
            is_layout,
            "{path} is not an OCI image layout: it has no file {MARKER_NAME}"
        );
        let files = if path.is_dir() {
            of_folder(path)
        } else {
            of_tar(path)
        };
        let files = files.with_context(|| format!("cannot read {path} as an OCI image layout"))?;
        ensure!(
            files.contains_key(MARKER_NAME),
            "{path} is not an OCI image layout: it has no file {MARKER_NAME}"
        );
        Ok(Self { files })
    }

    /// Adds a document under the digest of its bytes.
    pub fn add(&mut self, bytes: Vec<u8>) {
        let path = blob_path(&Sha256::of(&bytes).digest());
        self.files.insert(path, bytes.into());
    }

    /// Adds a blob under a digest that the caller has computed.
    pub fn add_blob(&mut self, digest: &str, blob: Blob) {
        self.files.insert(blob_path(digest), blob);
    }

    /// Returns the blob with a digest, if it is there.
    pub fn blob(&self, digest: &str) -> Option<&Blob> {
        self.files.get(&blob_path(digest))
    }

    /// Writes `index.json`: one entry per name, all of the same image.
    pub fn set_names(&mut self, image: &Descriptor, references: &[Reference]) {
        let index = encode(&named(image, references));
        self.files.insert(INDEX_NAME.to_owned(), index.into());
    }

    /// Writes the list that `docker load` reads: one image only, since of several with one name the last
    /// would win on every machine.
    pub fn set_docker_image(&mut self, image: &DockerImage) {
        let list = encode(&[image]);
        self.files.insert(DOCKER_NAME.to_owned(), list.into());
    }

    /// Writes the folder form in a new folder, without the list for Docker, which is for tars alone.
    ///
    /// # Errors
    /// When a blob cannot be read, or the folder cannot be written.
    pub fn write_folder(&self, folder: &Utf8Path) -> anyhow::Result<()> {
        for (name, blob) in self.files.iter().filter(|(name, _)| *name != DOCKER_NAME) {
            let reader = blob.open()?;
            files::write_from(&folder.join(name), reader)?;
        }
        Ok(())
    }

    /// Writes the tar form, whole or not at all, with `mtime` seconds since 1970 on every entry.
    ///
    /// # Errors
    /// When a blob cannot be read, or the file cannot be written.
    pub fn write_tar(&self, path: &Utf8Path, mtime: u64) -> anyhow::Result<()> {
        let tar = write::stream(&self.tar_entries(), mtime)?;
        files::write_from(path, tar).map(drop)
    }

    /// Returns the entries of the tar form: the blobs, then the documents, Docker's list last.
    pub fn tar_entries(&self) -> Vec<Entry> {
        let file = |name: &String| Entry::file(name, 0o644, self.files[name].clone());
        let (blobs, documents): (Vec<_>, Vec<_>) = self
            .files
            .keys()
            .filter(|name| *name != DOCKER_NAME)
            .partition(|name| name.starts_with("blobs/"));
        let mut entries = vec![
            Entry::folder("blobs", 0o755),
            Entry::folder("blobs/sha256", 0o755),
        ];
        entries.extend(blobs.into_iter().map(file));
        entries.extend(documents.into_iter().rev().map(file));
        let docker = self.files.get_key_value(DOCKER_NAME);
        entries.extend(docker.map(|(name, _)| file(name)));
        entries
    }
}

/// `index.json` with one entry per name.
pub(crate) fn named(image: &Descriptor, references: &[Reference]) -> ImageIndex {
    let entry = |reference: &Reference| Descriptor {
        annotations: Annotations::from([
            (
                annotation::CONTAINERD_NAME.to_owned(),
                reference.to_string(),
            ),
            (annotation::REF_NAME.to_owned(), reference.tag.clone()),
        ]),
        ..image.clone()
    };
    ImageIndex::new(references.iter().map(entry).collect(), Annotations::new())
}

impl ImageSource for Layout {
    fn index_json(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.files.get(INDEX_NAME).map(Blob::read).transpose()
    }

    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Vec<u8>>> {
        self.blob(&descriptor.digest).map(Blob::read).transpose()
    }

    fn open(&self, descriptor: &Descriptor) -> anyhow::Result<Option<BlobReader>> {
        self.blob(&descriptor.digest).map(Blob::open).transpose()
    }

    fn blob(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Blob>> {
        Ok(self.blob(&descriptor.digest).cloned())
    }

    fn files(&self) -> Option<&BTreeMap<String, Blob>> {
        Some(&self.files)
    }
}

fn of_folder(path: &Utf8Path) -> anyhow::Result<BTreeMap<String, Blob>> {
    let names = files::list(path)?.into_iter();
    names
        .map(|name| Ok((name.clone(), Blob::of_file(&path.join(name))?)))
        .collect()
}

/// Finds where each file lies in the tar; content is skipped.
fn of_tar(path: &Utf8Path) -> anyhow::Result<BTreeMap<String, Blob>> {
    let file = std::fs::File::open(path)?;
    let total = file.metadata()?.len();
    let mut files = BTreeMap::new();
    let mut archive = ::tar::Archive::new(file);
    for entry in archive.entries_with_seek().context("not a tar")? {
        let mut entry = entry.context("the tar is damaged")?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .to_owned();
        if !kind.is_file() {
            bail!("{name} is neither a file nor a folder");
        }
        let (offset, length) = (entry.raw_file_position(), entry.size());
        let is_there = offset.checked_add(length).is_some_and(|end| end <= total);
        ensure!(is_there, "{name} is cut short");
        // An empty read keeps the archive's own position.
        drop(entry.read(&mut []));
        let blob = Blob::File {
            path: path.to_owned(),
            offset,
            length,
        };
        ensure!(
            files.insert(name.clone(), blob).is_none(),
            "{name} is there twice"
        );
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::media_type::INDEX;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.add(b"{}".to_vec());
        let names = ["ghcr.io/a/b:1".parse().unwrap()];
        layout.set_names(&Descriptor::of(INDEX, b"{}"), &names);
        layout
    }

    fn content(layout: &Layout) -> Vec<(&str, Vec<u8>)> {
        let files = layout.files.iter();
        files
            .map(|(name, blob)| (name.as_str(), blob.read().unwrap()))
            .collect()
    }

    #[test]
    fn both_forms_hold_what_was_written() {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let mut layout = layout();
        layout.write_folder(&root.join("folder")).unwrap();
        let folder = Layout::open(&root.join("folder")).unwrap();
        assert_eq!(content(&folder), content(&layout));
        layout.set_docker_image(&DockerImage::new(
            &Descriptor::of(INDEX, b"{}"),
            &[],
            vec!["a:1".to_owned()],
        ));
        layout.write_tar(&root.join("image.tar"), 7).unwrap();
        let tar = Layout::open(&root.join("image.tar")).unwrap();
        assert_eq!(content(&tar), content(&layout));
    }

    #[test]
    fn files_that_are_no_layouts_are_refused() {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let error = Layout::open(&root).unwrap_err();
        assert!(error.to_string().contains("no file oci-layout"), "{error}");
        let tar = root.join("image.tar");
        layout().write_tar(&tar, 7).unwrap();
        let whole = files::read(&tar).unwrap();
        files::write(&tar, &whole[..whole.len() - 1400]).unwrap();
        assert!(Layout::open(&tar).is_err(), "cut short");
        files::write(&tar, b"something else").unwrap();
        assert!(Layout::open(&tar).is_err(), "no tar");
    }
}
