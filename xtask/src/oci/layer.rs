//! Layers of our own, and what is kept of them: compressing is most of the work of making an image.

use std::fs;
use std::time::SystemTime;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::digest::Sha256;
use crate::files;
use crate::gzip::{CODEC, all_processors, gzip_on};
use crate::oci::model::{Descriptor, LAYER_GZIP};
use crate::ustar::{self, Entry};

/// A layer that we wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Digest of the tar.
    pub diff_id: Sha256,
    /// Media type, digest and size of the gzip.
    pub descriptor: Descriptor,
    /// The gzip.
    pub gzip: Vec<u8>,
}

/// Compressed layers by content: a folder of files named after the tar and the gzip, one folder per codec.
#[derive(Debug, Clone)]
pub(crate) struct LayerCache {
    folder: Option<Utf8PathBuf>,
    writes: bool,
    threads: usize,
}

/// How many layers are kept: a few images' worth.
const KEPT: usize = 12;

impl LayerCache {
    /// Keeps nothing and finds nothing.
    pub(crate) fn none() -> Self {
        Self {
            folder: None,
            writes: false,
            threads: all_processors(),
        }
    }

    /// Keeps layers below xtask's state folder.
    pub(crate) fn below(state: &Utf8Path) -> Self {
        Self {
            folder: Some(state.join("layers").join(CODEC)),
            writes: true,
            ..Self::none()
        }
    }

    /// The same, but a layer that has to be made is compressed on so many threads.
    pub(crate) fn on(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The same, but nothing is written.
    pub(crate) fn read_only(self) -> Self {
        Self {
            writes: false,
            ..self
        }
    }

    /// Makes a layer of entries, or takes it as it was made before.
    ///
    /// # Errors
    /// When an entry does not fit a tar, or the cache cannot be written.
    pub(crate) fn layer(&self, entries: &[Entry], mtime: u64) -> anyhow::Result<Layer> {
        let tar = ustar::write(entries, mtime)?;
        let diff_id = Sha256::of(&tar);
        if let Some(layer) = self.find(diff_id) {
            return Ok(layer);
        }
        let gzip = gzip_on(&tar, self.threads)?;
        let layer = Layer {
            diff_id,
            descriptor: Descriptor::of(LAYER_GZIP, &gzip),
            gzip,
        };
        if let (Some(folder), true) = (&self.folder, self.writes) {
            files::write(&folder.join(file_name(&layer)), &layer.gzip)?;
            prune(folder)?;
        }
        Ok(layer)
    }

    /// A kept layer whose bytes are still those that its name says; a damaged one is made anew.
    fn find(&self, diff_id: Sha256) -> Option<Layer> {
        let folder = self.folder.as_ref()?;
        let prefix = format!("{diff_id}-");
        let mut names = files::below(folder).ok()?.into_iter();
        let name = names.find(|name| name.starts_with(&prefix))?;
        let gzip = files::read(&folder.join(&name)).ok()?;
        let layer = Layer {
            diff_id,
            descriptor: Descriptor::of(LAYER_GZIP, &gzip),
            gzip,
        };
        (file_name(&layer) == name).then_some(layer)
    }
}

fn file_name(layer: &Layer) -> String {
    let gzip = layer.descriptor.digest.trim_start_matches("sha256:");
    format!("{}-{gzip}.gz", layer.diff_id)
}

/// Removes what was written longest ago.
fn prune(folder: &Utf8Path) -> anyhow::Result<()> {
    let mut aged = Vec::new();
    for name in files::below(folder)? {
        let path = folder.join(name);
        let written = fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        aged.push((written, path));
    }
    aged.sort_by(|one, other| other.cmp(one));
    aged.iter()
        .skip(KEPT)
        .try_for_each(|(_, path)| files::remove(path))
        .context("cannot tidy the kept layers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, LayerCache) {
        let guard = tempfile::tempdir().unwrap();
        let state = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, LayerCache::below(&state))
    }

    fn kept(cache: &LayerCache) -> Vec<Utf8PathBuf> {
        let folder = cache.folder.as_ref().unwrap();
        let names = files::below(folder).unwrap_or_default();
        names.into_iter().map(|name| folder.join(name)).collect()
    }

    #[test]
    fn a_kept_layer_is_the_one_that_would_be_made() {
        let (_guard, cache) = cache();
        let entries = [Entry::file("a", 0o644, vec![7; 3 << 20])];
        let made = LayerCache::none().layer(&entries, 5).unwrap();
        assert_eq!(cache.clone().read_only().layer(&entries, 5).unwrap(), made);
        assert!(kept(&cache).is_empty(), "reading writes nothing");
        assert_eq!(cache.layer(&entries, 5).unwrap(), made);
        assert_eq!(kept(&cache).len(), 1);
        assert_eq!(cache.layer(&entries, 5).unwrap(), made);
        assert_eq!(kept(&cache).len(), 1, "the same content is kept once");
    }

    #[test]
    fn a_damaged_one_is_made_anew() {
        let (_guard, cache) = cache();
        let entries = [Entry::file("a", 0o644, "text")];
        let made = cache.layer(&entries, 5).unwrap();
        files::write(&kept(&cache)[0], "something else").unwrap();
        assert_eq!(cache.layer(&entries, 5).unwrap(), made);
        assert_eq!(files::read(&kept(&cache)[0]).unwrap(), made.gzip);
    }

    #[test]
    fn only_a_few_are_kept() {
        let (_guard, cache) = cache();
        for mtime in 0..20 {
            cache.layer(&[], mtime).unwrap();
            let file = Entry::file("a", 0o644, mtime.to_string());
            cache.layer(&[file], mtime).unwrap();
        }
        assert_eq!(kept(&cache).len(), KEPT);
    }
}
