//! A cache of fetched blobs by digest, so that a base image is fetched once.

use std::io::Read;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use crate::blob::Blob;
use crate::digest::{Hashing, Sha256};
use crate::files::{self, TemporaryFile};

/// A cache of blobs: a folder of files that are named after the SHA-256 of their content.
#[derive(Debug, Clone)]
pub struct BlobCache {
    folder: Utf8PathBuf,
}

impl BlobCache {
    /// Returns the cache in `folder`, which is created when the first blob is added.
    pub fn at(folder: &Utf8Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Returns the blob with a digest such as `sha256:…`; `None` when it is not in the cache, or its bytes, which are
    /// hashed each time, have another digest.
    pub fn get(&self, digest: &str) -> Option<Blob> {
        let sha256 = Sha256::from_digest(digest)?;
        let blob = Blob::of_file(&self.path(sha256)).ok()?;
        (blob.sha256().ok()? == sha256).then_some(blob)
    }

    /// Adds what `reader` gives, and checks that it has the digest `digest`. Returns the blob in the cache.
    ///
    /// # Errors
    /// When the bytes have another digest, `reader` fails, or the folder cannot be written. Nothing is added then.
    pub fn put(&self, digest: &str, mut reader: impl Read) -> anyhow::Result<Blob> {
        let sha256 = Sha256::from_digest(digest);
        let sha256 = sha256.with_context(|| format!("`{digest}` is not a sha256 digest"))?;
        let path = self.path(sha256);
        let mut file = TemporaryFile::beside(&path)?;
        let mut hashing = Hashing::new(file.file());
        files::copy(&mut reader, &mut hashing)?;
        let found = hashing.finish().0.digest();
        ensure!(
            found == digest,
            "the bytes received for {digest} have the digest {found}"
        );
        file.rename(&path)?;
        Blob::of_file(&path)
    }

    fn path(&self, sha256: Sha256) -> Utf8PathBuf {
        self.folder.join(sha256.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blobs_with_the_right_digest_are_added_and_returned() {
        let guard = tempfile::tempdir().unwrap();
        let cache = BlobCache::at(Utf8Path::from_path(guard.path()).unwrap());
        let digest = Sha256::of(b"one").digest();
        assert_eq!(cache.get(&digest), None);
        assert!(cache.put(&digest, b"two".as_slice()).is_err());
        let left = files::list(Utf8Path::from_path(guard.path()).unwrap()).unwrap();
        assert!(left.is_empty(), "{left:?}");
        cache.put(&digest, b"one".as_slice()).unwrap();
        assert_eq!(cache.get(&digest).unwrap().read().unwrap(), b"one");
        files::write(&cache.path(Sha256::of(b"one")), b"damaged").unwrap();
        assert_eq!(cache.get(&digest), None);
        let other = "sha256:../../passwd";
        assert!(cache.get(other).is_none() && cache.put(other, b"".as_slice()).is_err());
    }
}
