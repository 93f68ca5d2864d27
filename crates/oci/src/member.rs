//! A record of a layer's tar, and what was found in its content.

use std::sync::Arc;

use crate::elf::Machine;
use crate::leaks::Leaks;
use crate::tar::record::Record;

/// A record of a layer's tar without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path in its own header; folders end in a slash.
    pub header_path: String,
    /// The path that a runtime unpacks it to, where an extension record says another one.
    pub long_path: Option<String>,
    /// `0` a file, `5` a folder, `2` a symbolic link, `1` a hard link, `x` and the like extensions, …
    pub kind: char,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owners: [u64; 2],
    /// The name of its owner or group, where there is one.
    pub owner_name: Option<String>,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Length of its content in bytes.
    pub size: u64,
    /// Where a link points.
    pub link: Option<String>,
    /// Whether magic and version are POSIX's.
    pub is_ustar: bool,
    /// Whether it is an extension record with extended attributes.
    pub has_xattrs: bool,
    /// The processor of an ELF file.
    pub machine: Option<Machine>,
    /// Credentials in its content.
    pub leaks: Option<Box<Leaks>>,
    /// Its content, of small files below `/etc`.
    pub kept: Option<Arc<[u8]>>,
}

impl Member {
    pub(crate) fn of(record: &Record) -> Self {
        let header_path = record.header_path().into_owned();
        let path = record.path();
        Self {
            long_path: (path != header_path).then(|| path.into_owned()),
            header_path,
            kind: record.kind(),
            mode: record.mode(),
            owners: record.owners(),
            owner_name: record.owner_name().map(|name| name.into_owned()),
            mtime: record.mtime(),
            size: record.size(),
            link: record.link().map(|link| link.into_owned()),
            is_ustar: record.is_ustar(),
            has_xattrs: false,
            machine: None,
            leaks: None,
            kept: None,
        }
    }

    /// Returns the path that a runtime unpacks it to.
    pub fn path(&self) -> &str {
        self.long_path.as_deref().unwrap_or(&self.header_path)
    }

    /// Returns whether it describes other records instead of a file.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind, 'x' | 'g' | 'L' | 'K')
    }
}
