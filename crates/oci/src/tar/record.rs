//! Reads the records of a tar, header by header, with the names in extension records (POSIX ustar and pax, and GNU).
//!
//! The `tar` crate splits the stream. Magic, extension records and names of owners, which rules check, are read here
//! from the header.

use std::borrow::Cow;
use std::io::Read;

use anyhow::{Context as _, ensure};

/// The size of a block of a tar in bytes.
pub const BLOCK: usize = 512;

/// The longest extension record that is read, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// The header of a record, and the names in the extension records before it.
#[derive(Debug, Clone)]
pub struct Record {
    header: [u8; BLOCK],
    long_path: Option<String>,
    long_link: Option<String>,
    content_at: u64,
}

/// Calls `visit` with each record of a tar, including extension records, and a reader of its content.
///
/// # Errors
/// When the tar is damaged or truncated, or `visit` fails.
pub fn for_each(
    tar: impl Read,
    mut visit: impl FnMut(&Record, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut archive = ::tar::Archive::new(tar);
    let mut names = Names::default();
    for entry in archive.entries().context("not a tar")?.raw(true) {
        let mut entry = entry.context("the tar is damaged")?;
        let mut record = Record {
            header: *entry.header().as_bytes(),
            long_path: None,
            long_link: None,
            content_at: entry.raw_file_position(),
        };
        if record.is_extension() {
            let mut content = Vec::new();
            (&mut entry)
                .take(LONGEST_EXTENSION)
                .read_to_end(&mut content)
                .context("the tar is truncated")?;
            ensure!(
                content.len() as u64 == record.size(),
                "an extension record is truncated, or longer than {LONGEST_EXTENSION} bytes"
            );
            names.take(record.kind(), &content)?;
            visit(&record, &mut content.as_slice())?;
        } else {
            let names = std::mem::take(&mut names);
            (record.long_path, record.long_link) = (names.path, names.link);
            visit(&record, &mut entry)?;
        }
    }
    Ok(())
}

/// The names in extension records for the record after them.
#[derive(Debug, Default)]
struct Names {
    path: Option<String>,
    link: Option<String>,
}

impl Names {
    fn take(&mut self, kind: char, content: &[u8]) -> anyhow::Result<()> {
        match kind {
            'L' => self.path = Some(text(content).into_owned()),
            'K' => self.link = Some(text(content).into_owned()),
            'x' => {
                for pair in ::tar::PaxExtensions::new(content) {
                    let pair = pair.context("a PAX record is damaged")?;
                    let value = || String::from_utf8_lossy(pair.value_bytes()).into_owned();
                    match pair.key_bytes() {
                        b"path" => self.path = Some(value()),
                        b"linkpath" => self.link = Some(value()),
                        key => ensure!(
                            key != b"size",
                            "a PAX record contains a size, as for files above 8 GiB, which are not supported"
                        ),
                    }
                }
            }
            // A global PAX record contains no name of a file.
            _ => {}
        }
        Ok(())
    }
}

impl Record {
    /// Returns the path in this header; paths of folders end with a slash.
    pub fn header_path(&self) -> Cow<'_, str> {
        let (name, prefix) = (text(&self.header[..100]), text(&self.header[345..500]));
        if prefix.is_empty() || !self.is_ustar() {
            return name;
        }
        Cow::Owned(format!("{prefix}/{name}"))
    }

    /// Returns the path that a runtime unpacks it to: that of an extension record, or else that of the header.
    pub fn path(&self) -> Cow<'_, str> {
        match &self.long_path {
            Some(path) => Cow::Borrowed(path),
            None => self.header_path(),
        }
    }

    /// Returns the target of a symbolic or hard link; `None` for other records.
    pub fn link(&self) -> Option<Cow<'_, str>> {
        if !matches!(self.kind(), '1' | '2') {
            return None;
        }
        Some(match &self.long_link {
            Some(link) => Cow::Borrowed(link),
            None => text(&self.header[157..257]),
        })
    }

    /// Returns the type flag: `0` for a file, `5` a folder, `2` a symbolic link, `1` a hard link; `x`, `g`, `L` and `K`
    /// for extension records.
    pub fn kind(&self) -> char {
        match self.header[156] {
            0 => '0',
            byte => char::from(byte),
        }
    }

    /// Returns whether it is an extension record of PAX or GNU, which describes other records.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind(), 'x' | 'g' | 'L' | 'K')
    }

    /// Returns whether magic and version are those of POSIX ustar; those of GNU differ.
    pub fn is_ustar(&self) -> bool {
        &self.header[257..265] == b"ustar\x0000"
    }

    /// Returns the permission bits.
    pub fn mode(&self) -> u32 {
        let mode = number(&self.header[100..108]).unwrap_or_default();
        u32::try_from(mode).unwrap_or(u32::MAX)
    }

    /// Returns the numeric owner and group.
    pub fn owners(&self) -> [u64; 2] {
        [&self.header[108..116], &self.header[116..124]]
            .map(|field| number(field).unwrap_or_default())
    }

    /// Returns the length of its content in bytes.
    pub fn size(&self) -> u64 {
        number(&self.header[124..136]).unwrap_or_default()
    }

    /// Returns the time of modification in seconds since 1970.
    pub fn mtime(&self) -> u64 {
        number(&self.header[136..148]).unwrap_or_default()
    }

    /// Returns the name of its owner, or of its group when there is no name of the owner.
    pub fn owner_name(&self) -> Option<Cow<'_, str>> {
        let names = [text(&self.header[265..297]), text(&self.header[297..329])];
        names.into_iter().find(|name| !name.is_empty())
    }

    /// Returns where its content begins, in bytes from the beginning of the tar.
    pub fn content_at(&self) -> u64 {
        self.content_at
    }

    /// Returns the bytes of the header.
    pub fn header(&self) -> &[u8; BLOCK] {
        &self.header
    }
}

/// Parses a number in octal digits, or in GNU's binary form for larger numbers.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        return rest.iter().try_fold(0_u64, |number, byte| {
            Some(number.checked_mul(256)? + u64::from(*byte))
        });
    }
    let digits = text(field);
    match digits.trim() {
        "" => Some(0),
        digits => u64::from_str_radix(digits, 8).ok(),
    }
}

/// Returns the text before the first zero byte.
fn text(field: &[u8]) -> Cow<'_, str> {
    let end = field.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::write::{Entry, to_bytes};

    fn records(tar: &[u8]) -> anyhow::Result<Vec<(Record, Vec<u8>)>> {
        let mut found = Vec::new();
        for_each(tar, |record, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.push((record.clone(), bytes));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let long = format!("{}/{}", "d".repeat(60), "f".repeat(80));
        let entries = [
            Entry::folder("tmp", 0o1777),
            Entry::folder(&"d".repeat(60), 0o755),
            Entry::file(&long, 0o640, "hello").owned_by(65532),
        ];
        let tar = to_bytes(&entries, 1_767_225_600).unwrap();
        let read = records(&tar).unwrap();
        assert_eq!(read.len(), 3);
        let (folder, _) = &read[0];
        assert_eq!(
            (folder.path().as_ref(), folder.kind(), folder.mode()),
            ("tmp/", '5', 0o1777)
        );
        let (file, content) = &read[2];
        assert_eq!(
            (file.path().as_ref(), &content[..]),
            (&*long, &b"hello"[..])
        );
        assert_eq!((file.owners(), file.mtime()), ([65532; 2], 1_767_225_600));
        assert!(file.is_ustar() && file.owner_name().is_none());
        let start = usize::try_from(file.content_at()).unwrap();
        assert_eq!(&tar[start..start + content.len()], content);
        assert!(records(&tar[..tar.len() - 3 * BLOCK]).is_err(), "truncated");
    }

    #[test]
    fn extension_records_name_the_record_after_them() {
        let path = "p".repeat(300);
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut header = ::tar::Header::new_gnu();
        header.set_size(2);
        builder.append_data(&mut header, &path, &b"hi"[..]).unwrap();
        let tar = builder.into_inner().unwrap();
        let read = records(&tar).unwrap();
        let kinds: Vec<_> = read.iter().map(|(record, _)| record.kind()).collect();
        assert_eq!(kinds, ['L', '0']);
        assert_eq!(read[1].0.path(), path);
        assert_ne!(read[1].0.header_path(), path);
    }

    #[test]
    fn numbers_may_be_octal_or_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 1, 0, 2]), Some(65538));
        assert_eq!(number(b"not oct\0"), None);
    }
}
