//! OCI image layouts (image-spec, image-layout.md): a set of files, stored as a folder, or as a tar that docker,
//! containerd and podman can load.

use std::collections::BTreeMap;

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

/// The name of the file that marks a folder or tar as a layout.
pub const MARKER_NAME: &str = "oci-layout";

/// The name of the file that lists the images.
pub const INDEX_NAME: &str = "index.json";

/// The name of the list of images that `docker load` reads; only tars have it.
pub const DOCKER_NAME: &str = "manifest.json";

/// An OCI image layout. Its default has only the file `oci-layout`, and no images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The files by their relative path: `oci-layout`, `index.json`, `blobs/sha256/…`, and in a tar `manifest.json`.
    pub files: BTreeMap<String, Blob>,
}

/// An entry of the list that `docker save` writes to `manifest.json`. Docker writes more fields, which are not needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    /// The path of the config.
    pub config: String,
    /// The full names.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The paths of the layers, lowest first.
    pub layers: Vec<String>,
}

impl DockerImage {
    /// Returns the entry of an image, given the descriptors of its blobs.
    pub fn new(config: &Descriptor, layers: &[Descriptor], names: Vec<String>) -> Self {
        Self {
            config: blob_path(&config.digest),
            repo_tags: Some(names),
            layers: layers.iter().map(|it| blob_path(&it.digest)).collect(),
        }
    }
}

/// Returns the path of a blob in a layout, given its digest: `blobs/sha256/…`.
pub fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

impl Default for Layout {
    /// Returns a layout without images.
    fn default() -> Self {
        let marker = (MARKER_NAME.to_owned(), Blob::from(MARKER));
        Self {
            files: BTreeMap::from([marker]),
        }
    }
}

impl Layout {
    /// Opens a layout in a folder or a tar. Lists its files, but does not read blobs.
    ///
    /// # Errors
    /// When it is not a layout, or cannot be read.
    pub fn open(path: &Utf8Path) -> anyhow::Result<Self> {
        // This comes first, so that a large folder such as a home is not listed.
        let is_layout = path.is_file() || path.join(MARKER_NAME).is_file();
        ensure!(
            is_layout,
            "{path} is not an OCI image layout: it has no file {MARKER_NAME}"
        );
        let files = if path.is_dir() {
            of_folder(path)
        } else {
            Blob::of_file(path).and_then(|tar| of_tar(&tar))
        };
        let files = files.with_context(|| format!("cannot read {path} as an OCI image layout"))?;
        ensure!(
            files.contains_key(MARKER_NAME),
            "{path} is not an OCI image layout: it has no file {MARKER_NAME}"
        );
        Ok(Self { files })
    }

    /// Opens a layout in a tar.
    ///
    /// # Errors
    /// When it is not a tar, or the tar is not a layout.
    pub fn of_tar(tar: &Blob) -> anyhow::Result<Self> {
        let files = of_tar(tar)?;
        ensure!(
            files.contains_key(MARKER_NAME),
            "it has no file {MARKER_NAME}"
        );
        Ok(Self { files })
    }

    /// Changes the path of blobs from `from` to `to`, after the tar of the layout was renamed.
    #[must_use]
    pub fn renamed(mut self, from: &Utf8Path, to: &Utf8Path) -> Self {
        for blob in self.files.values_mut() {
            if let Blob::File { path, .. } = blob
                && path == from
            {
                to.clone_into(path);
            }
        }
        self
    }

    /// Adds a blob under the digest of its bytes.
    pub fn add(&mut self, bytes: Vec<u8>) {
        let path = blob_path(&Sha256::of(&bytes).digest());
        self.files.insert(path, bytes.into());
    }

    /// Adds a blob under a digest that the caller has computed.
    pub fn add_blob(&mut self, digest: &str, blob: Blob) {
        self.files.insert(blob_path(digest), blob);
    }

    /// Returns the blob with a digest; `None` when it is missing.
    pub fn blob(&self, digest: &str) -> Option<&Blob> {
        self.files.get(&blob_path(digest))
    }

    /// Replaces `index.json` by a list of one image under several names.
    pub fn set_names(&mut self, image: &Descriptor, references: &[Reference]) {
        let index = encode(&named(image, references));
        self.files.insert(INDEX_NAME.to_owned(), index.into());
    }

    /// Replaces `manifest.json`, which `docker load` reads, by a list of one image. Of several images with the same
    /// name, Docker would use the last on every machine.
    pub fn set_docker_image(&mut self, image: &DockerImage) {
        let list = encode(&[image]);
        self.files.insert(DOCKER_NAME.to_owned(), list.into());
    }

    /// Writes the layout to a new folder, without `manifest.json`, which only tars have.
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

    /// Writes the layout to a tar, completely or not at all. `mtime` is the time of all entries, in seconds since 1970.
    ///
    /// # Errors
    /// When a blob cannot be read, or the file cannot be written.
    pub fn write_tar(&self, path: &Utf8Path, mtime: u64) -> anyhow::Result<()> {
        let tar = write::stream(&self.tar_entries(), mtime)?;
        files::write_from(path, tar).map(drop)
    }

    /// Returns the entries of the layout as a tar: blobs first, then `oci-layout` and `index.json`, and `manifest.json`
    /// last.
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

/// Returns an `index.json` that lists `image` once for each name.
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

/// Finds the offset of each file in a tar; content is skipped.
fn of_tar(tar: &Blob) -> anyhow::Result<BTreeMap<String, Blob>> {
    match tar {
        Blob::Memory(bytes) => {
            let part = |offset: u64, length: u64| {
                let start = usize::try_from(offset).ok()?;
                let end = usize::try_from(offset.checked_add(length)?).ok()?;
                bytes.get(start..end).map(|part| Blob::from(part.to_vec()))
            };
            list_tar(std::io::Cursor::new(bytes), part)
        }
        Blob::File {
            path,
            offset,
            length,
        } => {
            ensure!(*offset == 0, "a tar inside another file is not supported");
            let total = *length;
            let part = |offset: u64, length: u64| {
                let is_there = offset.checked_add(length).is_some_and(|end| end <= total);
                is_there.then(|| Blob::File {
                    path: path.clone(),
                    offset,
                    length,
                })
            };
            list_tar(std::fs::File::open(path)?, part)
        }
    }
}

/// Lists the files of a tar; `part` returns the blob at an offset with a length, `None` when the tar ends before.
fn list_tar(
    reader: impl std::io::Read + std::io::Seek,
    part: impl Fn(u64, u64) -> Option<Blob>,
) -> anyhow::Result<BTreeMap<String, Blob>> {
    let mut files = BTreeMap::new();
    let mut archive = ::tar::Archive::new(reader);
    for entry in archive.entries_with_seek().context("not a tar")? {
        let entry = entry.context("the tar is damaged")?;
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
        let blob = part(entry.raw_file_position(), entry.size());
        let blob = blob.with_context(|| format!("{name} is truncated"))?;
        ensure!(
            files.insert(name.clone(), blob).is_none(),
            "{name} is listed twice"
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
    fn folders_and_tars_are_read_as_they_were_written() {
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
    fn files_that_are_not_layouts_are_refused() {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let error = Layout::open(&root).unwrap_err();
        assert!(error.to_string().contains("no file oci-layout"), "{error}");
        let tar = root.join("image.tar");
        layout().write_tar(&tar, 7).unwrap();
        let whole = files::read(&tar).unwrap();
        files::write(&tar, &whole[..whole.len() - 1400]).unwrap();
        assert!(Layout::open(&tar).is_err(), "truncated");
        files::write(&tar, b"something else").unwrap();
        assert!(Layout::open(&tar).is_err(), "not a tar");
    }
}
