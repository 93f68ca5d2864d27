//! The entries of a tar with their headers, to be changed and written again.
//!
//! [`noetl_oci::tar::write`] writes nothing that a rule forbids; here the fields of headers can be set.

use anyhow::Context as _;
use noetl_oci::tar::record::{self, BLOCK};

/// An entry of a tar: its header and content.
#[derive(Debug, Clone)]
pub struct RawEntry {
    header: [u8; BLOCK],
    /// Its content, without padding.
    pub content: Vec<u8>,
}

/// Returns the entries of a tar.
///
/// # Errors
/// When the tar is damaged.
pub fn read(tar: &[u8]) -> anyhow::Result<Vec<RawEntry>> {
    let mut entries = Vec::new();
    record::for_each(tar, |record, reader| {
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        entries.push(RawEntry {
            header: *record.header(),
            content,
        });
        Ok(())
    })?;
    Ok(entries)
}

/// Returns a tar of the entries, with sizes and checksums computed again.
pub fn write(entries: &[RawEntry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let mut entry = entry.clone();
        entry.put(124, format!("{:011o}\0", entry.content.len()).as_bytes());
        // The checksum field counts as spaces.
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

/// Returns the entry with a path.
///
/// # Errors
/// When there is none.
pub fn find<'a>(entries: &'a mut [RawEntry], path: &str) -> anyhow::Result<&'a mut RawEntry> {
    let found = entries.iter_mut().find(|entry| entry.path() == path);
    found.with_context(|| format!("the layer has no {path}"))
}

/// Adds an entry before the first entry with a greater path.
pub fn insert(entries: &mut Vec<RawEntry>, entry: RawEntry) {
    let at = entries.iter().position(|other| other.path() > entry.path());
    entries.insert(at.unwrap_or(entries.len()), entry);
}

impl RawEntry {
    /// Returns a file with owner and time of this entry.
    pub fn beside(&self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        let mut entry = self.clone();
        entry.content = content.into();
        entry.put(0, &[0; 100]);
        entry.put(0, path.as_bytes());
        entry.set_mode(mode);
        entry.set_kind(b'0');
        entry
    }

    /// Returns its path.
    pub fn path(&self) -> String {
        let name = &self.header[..100];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(100);
        String::from_utf8_lossy(&name[..end]).into_owned()
    }

    /// Sets the permission bits.
    pub fn set_mode(&mut self, mode: u32) {
        self.put(100, format!("{mode:07o}\0").as_bytes());
    }

    /// Sets the time in seconds since 1970.
    pub fn set_time(&mut self, seconds: u64) {
        self.put(136, format!("{seconds:011o}\0").as_bytes());
    }

    /// Sets the type flag, such as `b'5'` for a folder.
    pub fn set_kind(&mut self, kind: u8) {
        self.put(156, &[kind]);
    }

    /// Sets the target of a symbolic link, of at most 100 bytes.
    pub fn set_link(&mut self, target: &str) {
        self.put(157, &[0; 100]);
        self.put(157, target.as_bytes());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
