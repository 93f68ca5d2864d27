//! Writes tars in the ustar format (POSIX.1-1988), which all tools can read. The bytes depend only on the entries.
//!
//! Headers are made at once; the content of each entry is read when it is needed.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};

use anyhow::{Context as _, ensure};

use crate::blob::{Blob, BlobReader};
use crate::tar::record::BLOCK;

/// A file or folder of a tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The relative path, with slashes; that of a folder ends with a slash.
    pub path: String,
    /// The permission bits.
    pub mode: u32,
    /// The numeric owner, which is also the group.
    pub owner: u32,
    /// The content; empty for folders.
    pub content: Blob,
}

impl Entry {
    /// Returns a folder that root owns; `path` needs no slash at its end.
    pub fn folder(path: &str, mode: u32) -> Self {
        Self {
            path: format!("{path}/"),
            mode,
            owner: 0,
            content: Blob::from(""),
        }
    }

    /// Returns a file that root owns.
    pub fn file(path: &str, mode: u32, content: impl Into<Blob>) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            owner: 0,
            content: content.into(),
        }
    }

    /// Sets owner and group to the number `owner`.
    #[must_use]
    pub fn owned_by(self, owner: u32) -> Self {
        Self { owner, ..self }
    }

    fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// Returns a reader of a tar with the entries in the given order. `mtime` is the time of all entries, in seconds since
/// 1970.
///
/// # Errors
/// When an entry does not fit in a ustar header, or is listed twice or before its folder. Reading fails when the
/// content of an entry cannot be read, or has become shorter.
///
/// ```
/// use std::io::Read as _;
/// use noetl_oci::tar::{self, Entry};
///
/// let entries = [Entry::folder("etc", 0o755), Entry::file("etc/name", 0o644, "value")];
/// let mut bytes = Vec::new();
/// tar::write::stream(&entries, 0)?.read_to_end(&mut bytes)?;
/// assert_eq!(bytes.len(), 5 * 512, "two headers, one block of content, two blocks of zeros");
/// # anyhow::Ok(())
/// ```
pub fn stream(entries: &[Entry], mtime: u64) -> anyhow::Result<impl Read + Send + use<>> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut parts = Vec::with_capacity(entries.len() * 3 + 1);
    for Entry { path, .. } in entries {
        let folder = path.trim_end_matches('/').rfind('/');
        let folder = folder.map(|slash| &path[..=slash]);
        ensure!(
            folder.is_none_or(|folder| seen.contains(folder)),
            "{path} comes before its folder"
        );
        ensure!(seen.insert(path), "{path} is listed twice");
    }
    for entry in entries {
        let header = header(entry, mtime)
            .with_context(|| format!("{} does not fit in a tar header", entry.path))?;
        let length = entry.content.length();
        let padding = length.next_multiple_of(BLOCK as u64) - length;
        parts.push(Blob::from(header.to_vec()));
        parts.push(entry.content.clone());
        parts.push(Blob::from(vec![0; usize::try_from(padding)?]));
    }
    parts.push(Blob::from(vec![0; 2 * BLOCK]));
    Ok(Chain {
        parts: parts.into_iter(),
        current: Box::new(Cursor::new(Vec::new())),
    })
}

/// Returns a tar in memory; see [`stream`].
///
/// # Errors
/// When [`stream`] fails, or the content of an entry cannot be read.
pub fn to_bytes(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream(entries, mtime)?
        .read_to_end(&mut bytes)
        .context("cannot read the content of the tar")?;
    Ok(bytes)
}

/// Reads blobs one after another; each is opened when the one before it has ended.
struct Chain {
    parts: std::vec::IntoIter<Blob>,
    current: BlobReader,
}

impl Read for Chain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.current.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.parts.next() {
                Some(part) => self.current = part.open().map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
    }
}

fn header(entry: &Entry, mtime: u64) -> anyhow::Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let (prefix, name) = split(&entry.path)?;
    put(&mut header, 0, 100, name.as_bytes())?;
    octal(&mut header, 100, 8, entry.mode.into())?;
    octal(&mut header, 108, 8, entry.owner.into())?;
    octal(&mut header, 116, 8, entry.owner.into())?;
    octal(&mut header, 124, 12, entry.content.length())?;
    octal(&mut header, 136, 12, mtime)?;
    // The checksum field counts as spaces.
    put(&mut header, 148, 8, b"        ")?;
    header[156] = if entry.is_folder() { b'5' } else { b'0' };
    put(&mut header, 257, 8, b"ustar\x0000")?;
    octal(&mut header, 329, 8, 0)?;
    octal(&mut header, 337, 8, 0)?;
    put(&mut header, 345, 155, prefix.as_bytes())?;
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    put(&mut header, 148, 8, format!("{sum:06o}\0 ").as_bytes())?;
    Ok(header)
}

/// Splits a path into the fields prefix and name; one of up to 100 bytes has no prefix.
fn split(path: &str) -> anyhow::Result<(&str, &str)> {
    if path.len() <= 100 {
        return Ok(("", path));
    }
    let mut slashes = path
        .trim_end_matches('/')
        .match_indices('/')
        .map(|(at, _)| at);
    let at = slashes.rfind(|at| *at <= 155 && path.len() - at - 1 <= 100);
    at.map(|at| (&path[..at], &path[at + 1..]))
        .context("its path is too long")
}

fn octal(header: &mut [u8; BLOCK], at: usize, width: usize, number: u64) -> anyhow::Result<()> {
    let digits = width - 1;
    put(header, at, width, format!("{number:0digits$o}").as_bytes())
}

fn put(header: &mut [u8; BLOCK], at: usize, width: usize, bytes: &[u8]) -> anyhow::Result<()> {
    ensure!(bytes.len() <= width, "a field is too long");
    header[at..at + bytes.len()].copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tar_crate_reads_what_was_written() {
        let long = format!("{}/{}", "d".repeat(60), "f".repeat(80));
        let entries = [
            Entry::folder("tmp", 0o1777),
            Entry::file("tmp/x", 0o644, "hello").owned_by(65532),
            Entry::folder(&"d".repeat(60), 0o755),
            Entry::file(&long, 0o755, ""),
        ];
        let archive = to_bytes(&entries, 1_700_000_000).unwrap();
        let mut read = Vec::new();
        for entry in ::tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let header = entry.header().clone();
            assert_eq!(header.mtime().unwrap(), 1_700_000_000);
            assert_eq!(header.uid().unwrap(), header.gid().unwrap());
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let owner = u32::try_from(header.uid().unwrap()).unwrap();
            read.push(Entry {
                path,
                mode: header.mode().unwrap(),
                owner,
                content: bytes.into(),
            });
        }
        assert_eq!(read, entries);
    }

    #[test]
    fn entries_that_do_not_fit_are_refused() {
        let error = |entries: &[Entry]| to_bytes(entries, 0).unwrap_err().to_string();
        let file = |path: &str| Entry::file(path, 0o644, "");
        assert_eq!(error(&[file("a/b")]), "a/b comes before its folder");
        assert_eq!(error(&[file("a"), file("a")]), "a is listed twice");
        let long = error(&[file(&"x".repeat(101))]);
        assert!(long.ends_with("does not fit in a tar header"), "{long}");
    }
}
