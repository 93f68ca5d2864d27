//! File operations whose errors contain the path. Files are written under a temporary name and then renamed.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

/// Reads a whole file.
#[cfg(any(test, feature = "registry"))]
#[expect(clippy::disallowed_methods, reason = "this wrapper names the path")]
pub(crate) fn read(path: &Utf8Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

/// Writes a file completely or not at all; creates its folder.
#[cfg(test)]
pub(crate) fn write(path: &Utf8Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_from(path, bytes).map(drop)
}

/// Copies a reader into a file, completely or not at all; returns the length in bytes.
pub(crate) fn write_from(path: &Utf8Path, mut reader: impl Read) -> anyhow::Result<u64> {
    let mut file = TemporaryFile::beside(path)?;
    let length = copy(&mut reader, file.file()).with_context(|| format!("cannot write {path}"))?;
    file.rename(path)?;
    Ok(length)
}

/// Copies a reader to its end in pieces of 256 KiB; returns the length in bytes.
pub(crate) fn copy(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(length) => {
                writer.write_all(&buffer[..length])?;
                total += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file with a temporary name in the folder of its final path. It is removed when it is dropped without a rename.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    path: Utf8PathBuf,
    file: File,
    renamed: bool,
}

impl TemporaryFile {
    /// Creates the file in the folder of `path`, and the folder if it does not exist.
    pub(crate) fn beside(path: &Utf8Path) -> anyhow::Result<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {folder}"))?;
        let name = path.file_name().unwrap_or("file");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}.{}-{number}.part", std::process::id()));
        let file = File::create(&path).with_context(|| format!("cannot write {path}"))?;
        Ok(Self {
            path,
            file,
            renamed: false,
        })
    }

    /// Returns the file for writing.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Renames it to its final path, and replaces the file there.
    #[expect(clippy::disallowed_methods, reason = "this wrapper names the paths")]
    pub(crate) fn rename(mut self, to: &Utf8Path) -> anyhow::Result<()> {
        fs::rename(&self.path, to)
            .with_context(|| format!("cannot rename {} to {to}", self.path))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            // If this fails, the file stays until the folder is removed.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Lists the files below a folder as slash-separated paths relative to it, in byte order.
pub(crate) fn list(root: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let cannot = || format!("cannot list {folder}");
        for entry in folder.read_dir_utf8().with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = format!("{prefix}{}", entry.file_name());
            if entry.file_type().with_context(cannot)?.is_dir() {
                folders.push((format!("{name}/"), entry.path().to_owned()));
            } else {
                files.push(name);
            }
        }
    }
    files.sort();
    Ok(files)
}
