//! Hashes of files and folders, as `sha256sum` writes them.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use camino::Utf8Path;
use noetl_oci::Sha256;

use crate::host::files;

/// Writes `SHA256SUMS`: hash, two spaces, file name, in name order, as `sha256sum -c` reads it.
pub(crate) fn write(sums: &BTreeMap<String, Sha256>) -> String {
    sums.iter()
        .map(|(name, sha256)| format!("{sha256}  {name}\n"))
        .collect()
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// At the first line of another form, or a name that is listed twice.
pub(crate) fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Sha256>> {
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

/// Returns the hash of a folder: of the sums of all files in it. The build script of `noetl-server` computes the same of
/// the web page, so that the two can be compared.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn of_folder(folder: &Utf8Path) -> anyhow::Result<Sha256> {
    let mut sums = BTreeMap::new();
    for path in files::list(folder)? {
        let sha256 = Sha256::of(&files::read(&folder.join(&path))?);
        sums.insert(path, sha256);
    }
    Ok(Sha256::of(write(&sums).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_read_back_as_they_were_written() {
        let sums = BTreeMap::from([
            ("a.zip".to_owned(), Sha256::of(b"a")),
            ("b".to_owned(), Sha256::of(b"b")),
        ]);
        assert_eq!(parse(&write(&sums)).unwrap(), sums);
        let hash = Sha256::of(b"a");
        for broken in [
            "zz  a\n".to_owned(),
            format!("{hash} a\n"),
            format!("{hash}  a\n{hash}  a\n"),
            "\n".to_owned(),
        ] {
            assert!(parse(&broken).is_err(), "{broken:?}");
        }
    }
}
