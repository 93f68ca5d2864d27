//! The entries of a layer, header and content, to be changed and written back.
//!
//! `ustar.rs` writes nothing that a rule forbids; here every field of a header can be set.

use anyhow::Context as _;

use crate::check::tarfile::{self, BLOCK};

/// One entry of a tar.
#[derive(Debug, Clone)]
pub(in crate::check) struct Entry {
    header: [u8; BLOCK],
    /// Its content, without padding.
    pub(in crate::check) content: Vec<u8>,
}

/// Takes a tar apart.
pub(super) fn read(tar: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let entry = |record: tarfile::Record<'_>| Entry {
        header: record.header(),
        content: record.content.to_vec(),
    };
    Ok(tarfile::records(tar)?.into_iter().map(entry).collect())
}

/// Writes a tar with sizes and checksums that fit.
pub(super) fn write(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let mut entry = entry.clone();
        entry.put(124, format!("{:011o}\0", entry.content.len()).as_bytes());
        // The checksum counts its own field as spaces.
        entry.put(148, b"        ");
        let sum: u64 = entry.header.iter().map(|byte| u64::from(*byte)).sum();
        entry.put(148, format!("{sum:06o}\0 ").as_bytes());
        tar.extend(entry.header);
        tar.extend(&entry.content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// The entry of a path.
pub(super) fn find<'a>(entries: &'a mut [Entry], path: &str) -> anyhow::Result<&'a mut Entry> {
    let found = entries.iter_mut().find(|entry| entry.path() == path);
    found.with_context(|| format!("the layer has no {path}"))
}

/// Puts a new file where it belongs: behind everything that sorts before it.
pub(super) fn insert(entries: &mut Vec<Entry>, entry: Entry) {
    let at = entries.iter().position(|other| other.path() > entry.path());
    entries.insert(at.unwrap_or(entries.len()), entry);
}

impl Entry {
    /// A file with the owner and time of this entry.
    pub(super) fn beside(&self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        let mut entry = self.clone();
        entry.content = content.into();
        entry.put(0, &[0; 100]);
        entry.put(0, path.as_bytes());
        entry.set_mode(mode);
        entry.set_kind(b'0');
        entry
    }

    pub(super) fn path(&self) -> String {
        let name = &self.header[..100];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(100);
        String::from_utf8_lossy(&name[..end]).into_owned()
    }

    pub(super) fn set_mode(&mut self, mode: u32) {
        self.put(100, format!("{mode:07o}\0").as_bytes());
    }

    pub(super) fn set_time(&mut self, seconds: u64) {
        self.put(136, format!("{seconds:011o}\0").as_bytes());
    }

    pub(super) fn set_kind(&mut self, kind: u8) {
        self.put(156, &[kind]);
    }

    /// Where a symbolic link points.
    pub(super) fn set_link(&mut self, target: &str) {
        self.put(157, &[0; 100]);
        self.put(157, target.as_bytes());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
