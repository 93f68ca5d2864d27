//! SHA-256 hashes of bytes and of streams, and digests as descriptors write them.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// A SHA-256 hash. It is printed and parsed as 64 lowercase hex digits, without `sha256:`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Returns the hash of `bytes`.
    ///
    /// ```
    /// let hash = noetl_oci::Sha256::of(b"abc");
    /// assert!(hash.digest().starts_with("sha256:ba7816bf8f01cfea"));
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads `reader` to its end, and returns the hash and the number of bytes.
    ///
    /// # Errors
    /// When `reader` fails.
    pub fn of_reader(reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hashing = Hashing::new(reader);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match hashing.read(&mut buffer) {
                Ok(0) => return Ok(hashing.finish()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// Returns the 32 bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the digest as descriptors write it: `sha256:` and 64 hex digits (image-spec, descriptor.md).
    pub fn digest(&self) -> String {
        format!("sha256:{self}")
    }

    /// Parses a digest such as `sha256:…`; `None` for another algorithm, or when it is not 64 lowercase hex digits.
    pub fn from_digest(digest: &str) -> Option<Self> {
        digest.strip_prefix("sha256:")?.parse().ok()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        ensure!(
            text.len() == 64 && text.bytes().all(lowercase_hex),
            "`{text}` is not a SHA-256 in lowercase hex"
        );
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).context("hex is ASCII")?;
            *byte = u8::from_str_radix(pair, 16)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Computes a SHA-256 hash of bytes that arrive in pieces.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    /// Adds `bytes` to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all bytes that were added.
    pub fn finish(self) -> Sha256 {
        let digest = self.0.finish();
        Sha256(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

/// A reader or writer that computes the SHA-256 of the bytes that pass through it.
#[derive(Debug)]
pub struct Hashing<T> {
    inner: T,
    hasher: Hasher,
    length: u64,
}

impl<T> Hashing<T> {
    /// Wraps a reader or writer.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            length: 0,
        }
    }

    /// Returns the hash of the bytes that passed through, and their number.
    pub fn finish(self) -> (Sha256, u64) {
        (self.hasher.finish(), self.length)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.passed(&buffer[..length]);
        Ok(length)
    }
}

impl<W: io::Write> io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.passed(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_abc_is_that_of_fips_180_4() {
        insta::assert_snapshot!(Sha256::of(b"abc"), @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn reading_piece_by_piece_gives_the_same_hash() {
        let bytes = vec![7; 100_000];
        let (hash, length) = Sha256::of_reader(bytes.as_slice()).unwrap();
        assert_eq!((hash, length), (Sha256::of(&bytes), 100_000));
    }

    #[test]
    fn only_lowercase_sha256_is_read() {
        let digest = Sha256::of(b"x").digest();
        assert_eq!(Sha256::from_digest(&digest), Some(Sha256::of(b"x")));
        for other in [
            digest.to_uppercase(),
            digest.replace("256", "512"),
            digest[..70].into(),
        ] {
            assert_eq!(Sha256::from_digest(&other), None, "{other}");
        }
    }
}
