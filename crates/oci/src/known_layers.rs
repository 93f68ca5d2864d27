//! Remembers layers that were read, so that a layer of several images is unpacked once.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use crate::contents::LayerContents;
use crate::digest::Sha256;
use crate::media_type::Compression;
use crate::model::Descriptor;

/// The contents of layers that were read, by digest, so that a layer of several images is unpacked once.
///
/// A blob counts as a known layer only after its bytes have been hashed.
#[derive(Debug, Default)]
pub struct KnownLayers {
    known: Mutex<HashMap<Sha256, Known>>,
}

/// The contents of one layer, for each compression that a media type claimed for it.
type Known = Vec<(Compression, Arc<LayerContents>)>;

impl KnownLayers {
    /// Reads a layer; `open` opens the blob, once or twice. When the layer with the digest in the descriptor is known, the
    /// blob is only hashed. When it is not known, or the hash is another one, the blob is unpacked and remembered under
    /// the digest of its bytes. Of a small layer that is unpacked, the file at `program` is kept.
    ///
    /// # Errors
    /// When the blob cannot be opened or read.
    pub fn read(
        &self,
        layer: &Descriptor,
        compression: Compression,
        program: Option<&str>,
        open: impl Fn() -> anyhow::Result<Box<dyn Read + Send>>,
    ) -> anyhow::Result<Arc<LayerContents>> {
        let expected = Sha256::from_digest(&layer.digest);
        if let Some(known) = expected.and_then(|it| self.get(it, compression)) {
            let (sha256, _) = Sha256::of_reader(open()?).context("cannot read the layer")?;
            if sha256 == known.sha256 {
                return Ok(known);
            }
        }
        let contents = LayerContents::read_sized(open()?, compression, layer.size, program)?;
        let contents = Arc::new(contents);
        self.add(compression, &contents);
        Ok(contents)
    }

    /// Adds a layer that was read by other means.
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
    use crate::media_type::LAYER_GZIP;
    use noetl_gzip::gzip;

    #[test]
    fn a_known_layer_is_hashed_and_not_unpacked_again() {
        let packed = gzip(b"a layer").unwrap();
        let (known, layer) = (KnownLayers::default(), Descriptor::of(LAYER_GZIP, &packed));
        let open = |bytes: Vec<u8>| {
            move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read + Send>)
        };
        let first = known.read(&layer, Compression::Gzip, None, open(packed.clone()));
        let again = known.read(&layer, Compression::Gzip, None, open(packed));
        assert!(Arc::ptr_eq(&first.unwrap(), &again.unwrap()));
        let other = gzip(b"other").unwrap();
        let found = known.read(&layer, Compression::Gzip, None, open(other.clone()));
        assert_eq!(found.unwrap().sha256, Sha256::of(&other));
    }
}
