//! Layers that this crate writes. Compressing is most of the work of making an image, so the results can be
//! kept in a folder and used again.

use std::fs::{self, File};
use std::time::SystemTime;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::blob::Blob;
use crate::digest::{Hashing, Sha256};
use crate::files::{self, TemporaryFile};
use crate::gzip::{CODEC, compress, processor_count};
use crate::media_type::LAYER_GZIP;
use crate::model::Descriptor;
use crate::tar::write::{Entry, stream};

/// A layer as it is in an image: a gzipped tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the tar.
    pub diff_id: Sha256,
    /// Media type, digest and size of the blob.
    pub descriptor: Descriptor,
    /// The blob.
    pub blob: Blob,
}

/// Makes layers, and keeps them by content: a folder of files named after the tar and the gzip, one folder for
/// each version of the codec.
#[derive(Debug, Clone)]
pub struct LayerCache {
    folder: Option<Utf8PathBuf>,
    writes: bool,
    threads: usize,
}

/// How many layers are kept: a few images' worth.
const KEPT: usize = 12;

impl LayerCache {
    /// Keeps nothing: layers are made in memory.
    pub fn none() -> Self {
        Self {
            folder: None,
            writes: false,
            threads: processor_count(),
        }
    }

    /// Keeps layers below `folder`, and reads them from there.
    pub fn at(folder: &Utf8Path) -> Self {
        Self {
            folder: Some(folder.join(CODEC)),
            writes: true,
            ..Self::none()
        }
    }

    /// The same, with so many threads for a layer that has to be made; their number decides nothing but time.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The same, but nothing is written: a layer that has to be made is made in memory.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self {
            writes: false,
            ..self
        }
    }

    /// Makes a layer of entries with `mtime` seconds since 1970 on each, or takes it as it was made before.
    ///
    /// # Errors
    /// When an entry does not fit a tar or cannot be read, or the folder cannot be written.
    pub fn layer(&self, entries: &[Entry], mtime: u64) -> anyhow::Result<Layer> {
        let (diff_id, _) = Sha256::of_reader(stream(entries, mtime)?)
            .context("cannot read what goes into a layer")?;
        if let Some(layer) = self.find(diff_id) {
            return Ok(layer);
        }
        let tar = stream(entries, mtime)?;
        match &self.folder {
            Some(folder) if self.writes => {
                let mut file = TemporaryFile::beside(&folder.join("layer"))?;
                let mut gzip = Hashing::new(file.file());
                compress(tar, &mut gzip, self.threads)?;
                let (sha256, size) = gzip.finish();
                let path = folder.join(file_name(diff_id, sha256));
                file.rename(&path)?;
                prune(folder)?;
                Ok(Layer {
                    diff_id,
                    descriptor: Descriptor::new(LAYER_GZIP, sha256, size),
                    blob: Blob::of_file(&path)?,
                })
            }
            _ => {
                let mut gzip = Vec::new();
                compress(tar, &mut gzip, self.threads)?;
                Ok(Layer {
                    diff_id,
                    descriptor: Descriptor::of(LAYER_GZIP, &gzip),
                    blob: gzip.into(),
                })
            }
        }
    }

    /// Returns a layer that is kept and has the content that its name says; a damaged one is made anew.
    fn find(&self, diff_id: Sha256) -> Option<Layer> {
        let folder = self.folder.as_ref()?;
        let prefix = format!("{diff_id}-");
        let mut names = files::list(folder).ok()?.into_iter();
        let name = names.find(|name| name.starts_with(&prefix))?;
        let path = folder.join(&name);
        let blob = Blob::of_file(&path).ok()?;
        let sha256 = blob.sha256().ok()?;
        if name != file_name(diff_id, sha256) {
            return None;
        }
        if self.writes {
            // What is used is the last to be removed. Without the right to write, it may be removed earlier.
            let file = File::options().write(true).open(&path);
            drop(file.and_then(|file| file.set_modified(SystemTime::now())));
        }
        Some(Layer {
            diff_id,
            descriptor: Descriptor::new(LAYER_GZIP, sha256, blob.length()),
            blob,
        })
    }
}

fn file_name(diff_id: Sha256, gzip: Sha256) -> String {
    format!("{diff_id}-{gzip}.gz")
}

/// Removes what was used longest ago.
fn prune(folder: &Utf8Path) -> anyhow::Result<()> {
    let mut aged = Vec::new();
    for name in files::list(folder)? {
        let path = folder.join(name);
        let used = fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        aged.push((used, path));
    }
    aged.sort_by(|one, other| other.cmp(one));
    for (_, path) in aged.iter().skip(KEPT) {
        fs::remove_file(path).with_context(|| format!("cannot remove the kept layer {path}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, LayerCache) {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, LayerCache::at(&folder))
    }

    fn kept(cache: &LayerCache) -> Vec<Utf8PathBuf> {
        let folder = cache.folder.as_ref().unwrap();
        let names = files::list(folder).unwrap_or_default();
        names.into_iter().map(|name| folder.join(name)).collect()
    }

    fn same(one: &Layer, other: &Layer) -> bool {
        (one.diff_id, &one.descriptor) == (other.diff_id, &other.descriptor)
            && one.blob.read().unwrap() == other.blob.read().unwrap()
    }

    #[test]
    fn a_kept_layer_is_the_one_that_would_be_made() {
        let (_guard, cache) = cache();
        let entries = [Entry::file("a", 0o644, vec![7; 3 << 20])];
        let made = LayerCache::none().layer(&entries, 5).unwrap();
        let read_only = cache.clone().read_only().layer(&entries, 5).unwrap();
        assert!(same(&read_only, &made));
        assert!(kept(&cache).is_empty(), "reading writes nothing");
        for _ in 0..2 {
            assert!(same(&cache.layer(&entries, 5).unwrap(), &made));
            assert_eq!(kept(&cache).len(), 1, "the same content is kept once");
        }
    }

    #[test]
    fn a_damaged_one_is_made_anew() {
        let (_guard, cache) = cache();
        let entries = [Entry::file("a", 0o644, "text")];
        let made = LayerCache::none().layer(&entries, 5).unwrap();
        cache.layer(&entries, 5).unwrap();
        files::write(&kept(&cache)[0], b"something else").unwrap();
        assert!(same(&cache.layer(&entries, 5).unwrap(), &made));
        let bytes = files::read(&kept(&cache)[0]).unwrap();
        assert_eq!(bytes, made.blob.read().unwrap());
    }

    #[test]
    fn only_a_few_are_kept_and_what_is_in_use_stays() {
        let (_guard, cache) = cache();
        let shared = [Entry::folder("shared", 0o755)];
        for mtime in 0..20 {
            let layer = cache.layer(&shared, 5).unwrap();
            let file = Entry::file("a", 0o644, mtime.to_string());
            cache.layer(&[file], mtime).unwrap();
            assert!(layer.blob.read().is_ok(), "{mtime}");
        }
        assert_eq!(kept(&cache).len(), KEPT);
    }
}
