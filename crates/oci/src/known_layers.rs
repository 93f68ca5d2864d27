//! Layers that were read before, so that each is unpacked once however many images have it.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use crate::contents::LayerContents;
use crate::digest::Sha256;
use crate::media_type::Compression;

/// The contents of layers by digest, so that each layer is unpacked once however many images have it.
///
/// A blob is taken for a layer that is known only after its own bytes have been hashed.
#[derive(Debug, Default)]
pub struct KnownLayers {
    known: Mutex<HashMap<Sha256, Known>>,
}

/// One layer, read under each compression that its media type claimed.
type Known = Vec<(Compression, Arc<LayerContents>)>;

impl KnownLayers {
    /// Reads a layer that is said to have the digest `expected`. Bytes with a digest that is known are hashed
    /// and not unpacked again; other bytes are unpacked and remembered under their own digest.
    ///
    /// # Errors
    /// When the blob cannot be read.
    pub fn read(
        &self,
        expected: &str,
        compression: Compression,
        open: impl Fn() -> anyhow::Result<Box<dyn Read + Send>>,
    ) -> anyhow::Result<Arc<LayerContents>> {
        if let Some(known) = Sha256::from_digest(expected).and_then(|it| self.get(it, compression))
        {
            let (sha256, _) = Sha256::of_reader(open()?).context("cannot read the layer")?;
            if sha256 == known.sha256 {
                return Ok(known);
            }
        }
        let contents = Arc::new(LayerContents::read(open()?, compression)?);
        self.add(compression, &contents);
        Ok(contents)
    }

    /// Remembers a layer that was read elsewhere.
    pub fn add(&self, compression: Compression, contents: &Arc<LayerContents>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = known.entry(contents.sha256).or_default();
        if entries.iter().all(|(known, _)| *known != compression) {
            entries.push((compression, Arc::clone(contents)));
        }
    }

    fn get(&self, sha256: Sha256, compression: Compression) -> Option<Arc<LayerContents>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = known.get(&sha256)?.iter();
        let mut found = entries.filter(|(known, _)| *known == compression);
        found.next().map(|(_, contents)| Arc::clone(contents))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gzip::gzip;

    #[test]
    fn a_known_layer_is_hashed_and_not_unpacked_again() {
        let packed = gzip(b"a layer").unwrap();
        let (known, digest) = (KnownLayers::default(), Sha256::of(&packed).digest());
        let open = |bytes: Vec<u8>| {
            move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read + Send>)
        };
        let first = known.read(&digest, Compression::Gzip, open(packed.clone()));
        let again = known.read(&digest, Compression::Gzip, open(packed));
        assert!(Arc::ptr_eq(&first.unwrap(), &again.unwrap()));
        let other = gzip(b"other").unwrap();
        let found = known.read(&digest, Compression::Gzip, open(other.clone()));
        assert_eq!(found.unwrap().sha256, Sha256::of(&other));
    }
}
