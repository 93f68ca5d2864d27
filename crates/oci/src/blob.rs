//! Content in memory or in a part of a file.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use crate::digest::Sha256;

/// Content of known length, in memory or in a part of a file. Cloning it copies no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// Bytes in memory.
    Memory(Arc<[u8]>),
    /// A part of a file.
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Where the part begins, in bytes from the beginning of the file.
        offset: u64,
        /// The length of the part in bytes.
        length: u64,
    },
}

/// A reader of a blob's content, from its beginning.
pub type BlobReader = Box<dyn Read + Send>;

impl Blob {
    /// Returns a blob of a whole file with its present length.
    ///
    /// # Errors
    /// When it does not exist or is not a regular file.
    pub fn of_file(path: &Utf8Path) -> anyhow::Result<Self> {
        let metadata = path
            .metadata()
            .with_context(|| format!("cannot read {path}"))?;
        ensure!(metadata.is_file(), "{path} is not a file");
        Ok(Self::File {
            path: path.to_owned(),
            offset: 0,
            length: metadata.len(),
        })
    }

    /// Returns the length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Opens it for reading from its beginning. When the file has become shorter, reading fails at its end.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(&self) -> anyhow::Result<BlobReader> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(io::Cursor::new(Arc::clone(bytes)))),
            Self::File {
                path,
                offset,
                length,
            } => {
                let opened = File::open(path).and_then(|mut file| {
                    file.seek(SeekFrom::Start(*offset))?;
                    Ok(file)
                });
                let file = opened.with_context(|| format!("cannot read {path}"))?;
                Ok(Box::new(Part {
                    file,
                    left: *length,
                }))
            }
        }
    }

    /// Reads the whole content into memory. This is for documents and programs; layers may be large.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        if let Self::Memory(bytes) = self {
            return Ok(bytes.to_vec());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.length())?);
        self.open()?
            .read_to_end(&mut bytes)
            .with_context(|| self.name())?;
        Ok(bytes)
    }

    /// Returns the SHA-256 of its content.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub fn sha256(&self) -> anyhow::Result<Sha256> {
        if let Self::Memory(bytes) = self {
            return Ok(Sha256::of(bytes));
        }
        let (sha256, _) = Sha256::of_reader(self.open()?).with_context(|| self.name())?;
        Ok(sha256)
    }

    fn name(&self) -> String {
        match self {
            Self::Memory(bytes) => format!("cannot read {} bytes in memory", bytes.len()),
            Self::File { path, .. } => format!("cannot read {path}"),
        }
    }
}

impl<T: Into<Vec<u8>>> From<T> for Blob {
    fn from(bytes: T) -> Self {
        Self::Memory(bytes.into().into())
    }
}

/// Reads a part of a file, and fails when the file ends before the part does.
struct Part {
    file: File,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let length = self.file.read(&mut buffer[..most])?;
        if length == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file is {} bytes shorter than it was", self.left),
            ));
        }
        self.left -= length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("file")).unwrap();
        crate::files::write(&path, b"0123456789").unwrap();
        let part = Blob::File {
            path: path.clone(),
            offset: 3,
            length: 4,
        };
        assert_eq!(part.read().unwrap(), b"3456");
        assert_eq!(part.sha256().unwrap(), Sha256::of(b"3456"));
        crate::files::write(&path, b"01234").unwrap();
        let error = part.read().unwrap_err();
        assert!(
            format!("{error:#}").contains("2 bytes shorter"),
            "{error:#}"
        );
        assert!(Blob::of_file(Utf8Path::new("/nowhere")).is_err());
    }
}
