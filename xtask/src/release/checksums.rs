//! Hashes of files and folders in the format of `sha256sum`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use camino::Utf8Path;
use noetl_oci::{Blob, Sha256, parallel};

use crate::host::files;

/// Returns the content of `SHA256SUMS`, which `sha256sum -c` reads: hash, two spaces and file name, in name order.
pub(crate) fn write(sums: &BTreeMap<String, Sha256>) -> String {
    let line = |(name, sha256): (&String, &Sha256)| format!("{sha256}  {name}\n");
    sums.iter().map(line).collect()
}

/// Parses the output of [`write()`].
///
/// # Errors
/// When a line has another format, or a name is listed twice.
pub(crate) fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let mut sums = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((sha256, name)) = line.split_once("  ") else {
            bail!("line {number}: expected `<sha256>  <file name>`");
        };
        let sha256 = sha256.parse();
        let sha256 = sha256.with_context(|| format!("line {number}"))?;
        let is_new = sums.insert(name.to_owned(), sha256).is_none();
        ensure!(is_new, "line {number}: `{name}` is listed twice");
    }
    Ok(sums)
}

/// Returns the hash of a folder: the hash of the `SHA256SUMS` of its files. The build script of `noetl-server` computes the
/// same hash of the web page.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn of_folder(folder: &Utf8Path) -> anyhow::Result<Sha256> {
    let sums = Mutex::new(BTreeMap::new());
    parallel::each(&files::list(folder)?, |path| {
        let sha256 = Blob::of_file(&folder.join(path))?.sha256()?;
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.insert(path.clone(), sha256);
        Ok(())
    })?;
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Sha256::of(write(&sums).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_sums_are_those_that_were_written() {
        let sums = BTreeMap::from([
            ("a.zip".to_owned(), Sha256::of(b"a")),
            ("b".to_owned(), Sha256::of(b"b")),
        ]);
        assert_eq!(parse(&write(&sums)).unwrap(), sums);
        let hash = Sha256::of(b"a");
        for broken in ["zz  a", "HASH a", "HASH  a\nHASH  a", ""] {
            let text = format!("{broken}\n").replace("HASH", &hash.to_string());
            assert!(parse(&text).is_err(), "{text:?}");
        }
    }
}
