//! The records of a tar as they stand, header by header, with nothing interpreted: what the rules on
//! how a layer is written look at, and what a mutant changes.
//!
//! The `tar` crate hides what these rules are about: extension records, magic, names of owners.

use std::borrow::Cow;

use anyhow::{Context as _, ensure};

/// The unit of a tar.
pub(super) const BLOCK: usize = 512;

/// One header and what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    header: &'a [u8],
    /// The content, without padding.
    pub(super) content: &'a [u8],
}

/// Splits a tar into its records.
///
/// # Errors
/// When it is cut short or a number cannot be read.
pub(super) fn records(tar: &[u8]) -> anyhow::Result<Vec<Record<'_>>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(header) = tar.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let size = number(&header[124..136]).context("a size in a header is no number")?;
        let size = usize::try_from(size).context("a size in a header is out of range")?;
        let end = (at + BLOCK).checked_add(size);
        let content = end.and_then(|end| tar.get(at + BLOCK..end));
        let content = content.context("the tar is cut short")?;
        found.push(Record { header, content });
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    ensure!(at <= tar.len(), "the tar is cut short");
    Ok(found)
}

impl<'a> Record<'a> {
    /// The path in this very header; folders end in a slash.
    pub(super) fn path(&self) -> Cow<'a, str> {
        let (name, prefix) = (text(&self.header[..100]), text(&self.header[345..500]));
        if prefix.is_empty() || !self.is_ustar() {
            return name;
        }
        Cow::Owned(format!("{prefix}/{name}"))
    }

    /// What kind of record it is: `0` a file, `5` a folder, `2` a symbolic link, …
    pub(super) fn kind(&self) -> char {
        match self.header[156] {
            0 => '0',
            byte => char::from(byte),
        }
    }

    /// Whether it describes other records instead of a file: PAX and GNU extensions.
    pub(super) fn is_extension(&self) -> bool {
        matches!(self.kind(), 'x' | 'g' | 'L' | 'K')
    }

    /// Whether magic and version are POSIX's; GNU's differ.
    pub(super) fn is_ustar(&self) -> bool {
        &self.header[257..265] == b"ustar\x0000"
    }

    /// Permission bits.
    pub(super) fn mode(&self) -> u64 {
        number(&self.header[100..108]).unwrap_or_default()
    }

    /// Numeric owner and group.
    pub(super) fn owners(&self) -> [u64; 2] {
        [&self.header[108..116], &self.header[116..124]]
            .map(|field| number(field).unwrap_or_default())
    }

    /// Seconds since 1970.
    pub(super) fn mtime(&self) -> u64 {
        number(&self.header[136..148]).unwrap_or_default()
    }

    /// Names of owner and group.
    pub(super) fn owner_names(&self) -> [Cow<'a, str>; 2] {
        [text(&self.header[265..297]), text(&self.header[297..329])]
    }

    /// The header as it stands.
    pub(super) fn header(&self) -> [u8; BLOCK] {
        self.header.try_into().expect("records have whole headers")
    }
}

/// Octal digits, or GNU's binary form for what does not fit them.
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

fn text(field: &[u8]) -> Cow<'_, str> {
    let end = field.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ustar::{self, Entry};

    #[test]
    fn records_are_what_was_written() {
        let long = format!("{}/{}", "d".repeat(60), "f".repeat(80));
        let entries = [
            Entry::folder("tmp", 0o1777),
            Entry::folder(&"d".repeat(60), 0o755),
            Entry::file(&long, 0o640, "hello").owned_by(65532),
        ];
        let tar = ustar::write(&entries, 1_767_225_600).unwrap();
        let read = records(&tar).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(
            (read[0].path(), read[0].kind(), read[0].mode()),
            ("tmp/".into(), '5', 0o1777)
        );
        let file = read[2];
        assert_eq!(
            (file.path().as_ref(), file.content),
            (long.as_str(), &b"hello"[..])
        );
        assert_eq!((file.owners(), file.mtime()), ([65532; 2], 1_767_225_600));
        assert!(file.is_ustar() && file.owner_names() == ["", ""]);
        assert!(records(&tar[..tar.len() - 3 * BLOCK]).is_err(), "cut short");
    }

    #[test]
    fn large_numbers_are_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 1, 0, 2]), Some(65538));
        assert_eq!(number(b"not oct\0"), None);
    }
}
