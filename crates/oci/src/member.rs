//! The records of a layer's tar, without their content.

use bytes::Bytes;

use crate::elf::Machine;
use crate::leaks::Leaks;
use crate::tar::record::Record;

/// A record of a layer's tar: its header, and what was found in its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path in its own header; paths of folders end with a slash.
    pub header_path: String,
    /// The path in the extension record before it, if there is one and it differs; then a runtime uses this path.
    pub long_path: Option<String>,
    /// The type flag of the header: `0` for a file, `5` a folder, `2` a symbolic link, `1` a hard link; `x`, `g`, `L`
    /// and `K` for extension records.
    pub kind: char,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owners: [u64; 2],
    /// The name of its owner, or of its group when there is no name of the owner.
    pub owner_name: Option<String>,
    /// The time of modification in seconds since 1970.
    pub mtime: u64,
    /// The length of its content in bytes.
    pub size: u64,
    /// The target of a symbolic or hard link.
    pub link: Option<String>,
    /// Whether magic and version in the header are those of POSIX ustar.
    pub is_ustar: bool,
    /// Whether it is an extension record that contains extended attributes.
    pub has_xattrs: bool,
    /// The processor architecture, when its content is ELF.
    pub machine: Option<Machine>,
    /// Credentials and marks that were found in its content.
    pub leaks: Option<Box<Leaks>>,
    /// Its content; only of small files below `/etc`, and of the program of an image in a small layer.
    pub kept: Option<Bytes>,
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

    /// Returns whether it is an extension record, which describes other records.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind, 'x' | 'g' | 'L' | 'K')
    }
}
