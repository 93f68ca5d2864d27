//! SHA-256 of bytes, files and trees, and the `SHA256SUMS` format.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use camino::Utf8Path;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::files;

/// A SHA-256, shown as lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sha256([u8; 32]);

impl Sha256 {
    /// Hashes bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(bytes);
        Self(
            context
                .finish()
                .as_ref()
                .try_into()
                .expect("SHA-256 has 32 bytes"),
        )
    }

    /// Hashes a folder: the hash of its `sha256sum` listing in path order.
    ///
    /// `noetl-server`'s build script computes the same over the web page, so that the two can be compared.
    pub(crate) fn of_tree(root: &Utf8Path) -> anyhow::Result<Self> {
        let mut listing = String::new();
        for path in files::below(root)? {
            listing.push_str(&format!(
                "{}  {path}\n",
                Self::of(&files::read(&root.join(&path))?)
            ));
        }
        Ok(Self::of(listing.as_bytes()))
    }

    /// The 32 bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The form OCI uses, `sha256:…`.
    pub(crate) fn oci(&self) -> String {
        format!("sha256:{self}")
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

/// Writes `SHA256SUMS`: hash, two spaces, file name, in name order, as `sha256sum -c` reads it.
pub(crate) fn write_sums(sums: &BTreeMap<String, Sha256>) -> String {
    sums.iter()
        .map(|(name, sha256)| format!("{sha256}  {name}\n"))
        .collect()
}

/// Reads what [`write_sums`] wrote, and nothing looser.
pub(crate) fn parse_sums(text: &str) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let mut sums = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let Some((sha256, name)) = line.split_once("  ") else {
            bail!("line {}: expected `<sha256>  <file name>`", number + 1);
        };
        let sha256 = sha256
            .parse()
            .with_context(|| format!("line {}", number + 1))?;
        ensure!(
            sums.insert(name.to_owned(), sha256).is_none(),
            "line {}: `{name}` is listed twice",
            number + 1
        );
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_fips_180_4() {
        insta::assert_snapshot!(Sha256::of(b"abc"), @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn sums_read_back_what_they_wrote_and_nothing_looser() {
        let sums = BTreeMap::from([
            ("a.zip".to_owned(), Sha256::of(b"a")),
            ("b".to_owned(), Sha256::of(b"b")),
        ]);
        assert_eq!(parse_sums(&write_sums(&sums)).unwrap(), sums);
        let hash = Sha256::of(b"a");
        for broken in [
            "zz  a\n".to_owned(),
            format!("{hash} a\n"),
            format!("{hash}  a\n{hash}  a\n"),
            "\n".to_owned(),
        ] {
            assert!(parse_sums(&broken).is_err(), "{broken:?}");
        }
    }
}
