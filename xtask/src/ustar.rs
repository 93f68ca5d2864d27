//! A ustar writer in which every header byte is chosen (POSIX.1-1988, the common part of all tars).
//!
//! The `tar` crate reads them back: its own deterministic mode leaves modes and times to chance.

use anyhow::{Context as _, ensure};

/// A file or folder in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative path with slashes; folders end in one.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group, the same number.
    pub owner: u32,
    /// Content; empty for folders.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A folder owned by root.
    pub(crate) fn folder(path: &str, mode: u32) -> Self {
        Self {
            path: format!("{path}/"),
            mode,
            owner: 0,
            bytes: Vec::new(),
        }
    }

    /// A file owned by root.
    pub(crate) fn file(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            owner: 0,
            bytes: bytes.into(),
        }
    }

    /// The same with another owner and group.
    pub(crate) fn owned_by(self, owner: u32) -> Self {
        Self { owner, ..self }
    }

    fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// Writes entries in the given order with `mtime` seconds since 1970 on each.
///
/// # Errors
/// When a path does not fit ustar, repeats, or comes before the folder it is in.
pub(crate) fn write(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    let mut archive =
        Vec::with_capacity(entries.iter().map(|entry| entry.bytes.len() + 1024).sum());
    let mut seen: Vec<&str> = Vec::new();
    for entry in entries {
        let parent = entry
            .path
            .trim_end_matches('/')
            .rfind('/')
            .map(|slash| &entry.path[..=slash]);
        ensure!(
            parent.is_none_or(|parent| seen.contains(&parent)),
            "{} comes before its folder",
            entry.path
        );
        ensure!(
            !seen.contains(&entry.path.as_str()),
            "{} is there twice",
            entry.path
        );
        seen.push(&entry.path);
        archive.extend(
            header(entry, mtime)
                .with_context(|| format!("{} does not fit a tar header", entry.path))?,
        );
        archive.extend(&entry.bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
}

const BLOCK: usize = 512;

fn header(entry: &Entry, mtime: u64) -> anyhow::Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let (prefix, name) = split(&entry.path)?;
    put(&mut header, 0, 100, name.as_bytes())?;
    octal(&mut header, 100, 8, entry.mode.into())?;
    octal(&mut header, 108, 8, entry.owner.into())?;
    octal(&mut header, 116, 8, entry.owner.into())?;
    octal(&mut header, 124, 12, entry.bytes.len() as u64)?;
    octal(&mut header, 136, 12, mtime)?;
    // The checksum counts its own field as spaces.
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

/// Splits a path of more than 100 bytes at a slash into the prefix and name fields.
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
    use std::io::Read as _;

    use super::*;

    #[test]
    fn another_reader_sees_what_was_written() {
        let long = format!("{}/{}", "d".repeat(60), "f".repeat(80));
        let entries = [
            Entry::folder("tmp", 0o1777),
            Entry::file("tmp/x", 0o644, "hello").owned_by(65532),
            Entry::folder(&"d".repeat(60), 0o755),
            Entry::file(&long, 0o755, ""),
        ];
        let archive = write(&entries, 1_700_000_000).unwrap();
        let mut read = Vec::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
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
                bytes,
            });
        }
        assert_eq!(read, entries);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let orphan = write(&[Entry::file("a/b", 0o644, "")], 0).unwrap_err();
        assert_eq!(orphan.to_string(), "a/b comes before its folder");
        let twice = write(
            &[Entry::file("a", 0o644, ""), Entry::file("a", 0o644, "")],
            0,
        )
        .unwrap_err();
        assert_eq!(twice.to_string(), "a is there twice");
        let long = write(&[Entry::file(&"x".repeat(101), 0o644, "")], 0).unwrap_err();
        assert!(
            long.to_string().ends_with("does not fit a tar header"),
            "{long}"
        );
    }
}
