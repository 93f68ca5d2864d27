//! Blobs of other people's images, kept by digest, so that a base is fetched once.

use camino::{Utf8Path, Utf8PathBuf};

use crate::digest::Sha256;
use crate::files;

/// A folder of blobs named after their SHA-256.
#[derive(Debug, Clone)]
pub(crate) struct BlobCache {
    folder: Utf8PathBuf,
}

impl BlobCache {
    /// Keeps blobs below xtask's state folder.
    pub(crate) fn below(state: &Utf8Path) -> Self {
        Self {
            folder: state.join("blobs"),
        }
    }

    /// The blob with a digest such as `sha256:…`, when it is there and undamaged.
    pub(crate) fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let bytes = files::read(&self.path(digest)?).ok()?;
        (Sha256::of(&bytes).oci() == digest).then_some(bytes)
    }

    /// Keeps a blob.
    ///
    /// # Errors
    /// When its digest is another one, or the folder cannot be written.
    pub(crate) fn put(&self, digest: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let found = Sha256::of(bytes).oci();
        anyhow::ensure!(
            found == digest,
            "what came for {digest} has the digest {found}"
        );
        match self.path(digest) {
            Some(path) => files::write(&path, bytes),
            None => Ok(()),
        }
    }

    fn path(&self, digest: &str) -> Option<Utf8PathBuf> {
        let hex: Sha256 = digest.strip_prefix("sha256:")?.parse().ok()?;
        Some(self.folder.join(hex.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_back_but_what_its_digest_says() {
        let guard = tempfile::tempdir().unwrap();
        let cache = BlobCache::below(Utf8Path::from_path(guard.path()).unwrap());
        let digest = Sha256::of(b"one").oci();
        assert_eq!(cache.get(&digest), None);
        assert!(cache.put(&digest, b"two").is_err());
        cache.put(&digest, b"one").unwrap();
        assert_eq!(cache.get(&digest).unwrap(), b"one");
        files::write(&cache.path(&digest).unwrap(), "damaged").unwrap();
        assert_eq!(cache.get(&digest), None);
        assert_eq!(cache.get("sha256:../../passwd"), None);
    }
}
