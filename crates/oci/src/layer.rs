//! Makes layers, and keeps them in a cache, since most of the time of making an image is spent compressing.

use std::fs::{self, File};
use std::io;
use std::time::SystemTime;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::blob::Blob;
use crate::digest::{Hashing, Sha256};
use crate::files::{self, TemporaryFile};
use crate::media_type::LAYER_GZIP;
use crate::model::Descriptor;
use crate::parallel::map_on;
use crate::tar::write::{Entry, stream};
use noetl_gzip::{CODEC, compress, processor_count};

/// A layer of an image: a tar compressed with gzip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The SHA-256 of the uncompressed tar.
    pub diff_id: Sha256,
    /// Media type, digest and size of the blob.
    pub descriptor: Descriptor,
    /// The blob.
    pub blob: Blob,
}

/// Makes layers, and keeps the last 12 of them in a folder. Each file is named after the SHA-256 of the tar and of the
/// gzip file; each version of the codec has a folder of its own.
#[derive(Debug, Clone)]
pub struct LayerCache {
    folder: Option<Utf8PathBuf>,
    writes: bool,
    threads: usize,
}

/// How many layers are kept, which is enough for a few images.
const KEPT: usize = 12;

impl LayerCache {
    /// Returns a cache that keeps nothing: layers are made in memory.
    pub fn none() -> Self {
        Self {
            folder: None,
            writes: false,
            threads: processor_count(),
        }
    }

    /// Returns a cache that reads layers from a folder below `folder`, and writes them there.
    pub fn at(folder: &Utf8Path) -> Self {
        Self {
            folder: Some(folder.join(CODEC)),
            writes: true,
            ..Self::none()
        }
    }

    /// Sets how many threads compress a layer; the default is one for each processor. The number does not change the
    /// bytes.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Lets the cache write nothing: layers that are not in it are made in memory.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self {
            writes: false,
            ..self
        }
    }

    /// Returns a layer for each list of entries, in their order; several are made at the same time. `mtime` is the time of
    /// all entries, in seconds since 1970.
    ///
    /// # Errors
    /// As for [`LayerCache::layer`].
    pub fn layers(&self, lists: &[&[Entry]], mtime: u64) -> anyhow::Result<Vec<Layer>> {
        // Layers that several platforms have in common are made once.
        let mut different: Vec<&[Entry]> = Vec::new();
        let mut positions = Vec::new();
        for list in lists {
            let known = different.iter().position(|other| other == list);
            positions.push(known.unwrap_or(different.len()));
            if known.is_none() {
                different.push(list);
            }
        }
        let at_once = self.threads.min(different.len()).max(1);
        let cache = self.clone().threads(self.threads.div_ceil(at_once));
        let made = map_on(at_once, &different, |entries| cache.layer(entries, mtime))?;
        Ok(positions.into_iter().map(|it| made[it].clone()).collect())
    }

    /// Returns a layer of these entries, from the cache if it is there. `mtime` is the time of all entries, in seconds
    /// since 1970.
    ///
    /// # Errors
    /// When an entry does not fit in a tar or cannot be read, or the folder cannot be written.
    pub fn layer(&self, entries: &[Entry], mtime: u64) -> anyhow::Result<Layer> {
        let Some(folder) = &self.folder else {
            return self.in_memory(entries, mtime);
        };
        let (diff_id, _) = Sha256::of_reader(stream(entries, mtime)?)
            .context("cannot read the content of a layer")?;
        if let Some(layer) = self.find(folder, diff_id) {
            return Ok(layer);
        }
        if !self.writes {
            return self.in_memory(entries, mtime);
        }
        let mut file = TemporaryFile::beside(&folder.join("layer"))?;
        let mut gzip = Hashing::new(file.file());
        compress(stream(entries, mtime)?, &mut gzip, self.threads)?;
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

    /// Makes a layer in one pass over its entries.
    fn in_memory(&self, entries: &[Entry], mtime: u64) -> anyhow::Result<Layer> {
        let mut tar = Hashing::new(stream(entries, mtime)?);
        let mut gzip = Vec::new();
        compress(&mut tar, &mut gzip, self.threads)?;
        Ok(Layer {
            diff_id: tar.finish().0,
            descriptor: Descriptor::of(LAYER_GZIP, &gzip),
            blob: gzip.into(),
        })
    }

    /// Returns the layer with this diff id from the folder; `None` when it is not there, or its bytes do not have the
    /// SHA-256 in its name.
    fn find(&self, folder: &Utf8Path, diff_id: Sha256) -> Option<Layer> {
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
            // Layers that were used last are removed last. Without write permission, it may be removed earlier.
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

/// Removes the layers that were used longest ago, except the last [`KEPT`].
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
        match fs::remove_file(path) {
            // Another layer that was made at the same time has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => {
                removed.with_context(|| format!("cannot remove the cached layer {path}"))?;
            }
        }
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
    fn a_cached_layer_equals_one_that_is_made() {
        let (_guard, cache) = cache();
        let entries = [Entry::file("a", 0o644, vec![7; 3 << 20])];
        let made = LayerCache::none().layer(&entries, 5).unwrap();
        let read_only = cache.clone().read_only().layer(&entries, 5).unwrap();
        assert!(same(&read_only, &made));
        assert!(kept(&cache).is_empty(), "a read-only cache writes nothing");
        for _ in 0..2 {
            assert!(same(&cache.layer(&entries, 5).unwrap(), &made));
            assert_eq!(kept(&cache).len(), 1, "the same content is kept once");
        }
    }

    #[test]
    fn layers_are_in_order_and_equal_ones_are_the_same() {
        let lists = ["one", "two", "one", "three"].map(|text| [Entry::file("a", 0o644, text)]);
        let lists: Vec<&[Entry]> = lists.iter().map(<[Entry; 1]>::as_slice).collect();
        for threads in [1, 2, 9] {
            let (_guard, cache) = cache();
            let layers = cache.threads(threads).layers(&lists, 5).unwrap();
            for (list, layer) in lists.iter().zip(&layers) {
                assert!(same(layer, &LayerCache::none().layer(list, 5).unwrap()));
            }
            assert_eq!(layers.len(), lists.len());
        }
    }

    #[test]
    fn a_damaged_layer_is_made_again() {
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
    fn only_the_layers_used_last_are_kept() {
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
