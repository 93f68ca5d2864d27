//! The files of an RPM package: cpio in the format `newc`, as cpio(5) describes it.

use anyhow::{Context as _, ensure};
use noetl_oci::tar::Entry;

const MAGIC: &str = "070701";
const HEADER: usize = 110;
const LAST: &str = "TRAILER!!!";

/// Returns mode and type of an entry, as stat(2) has them.
pub(super) fn mode(entry: &Entry) -> u16 {
    let kind = match entry.path.ends_with('/') {
        true => 0o040_000,
        false => 0o100_000,
    };
    kind | u16::try_from(entry.mode & 0o7777).unwrap_or(0)
}

/// Packs entries.
///
/// # Errors
/// When content cannot be read, or does not fit the format.
pub(super) fn write(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (inode, entry) in (1..).zip(entries) {
        let links = if entry.path.ends_with('/') { 2 } else { 1 };
        let content = entry.content.read()?;
        let numbers = [
            inode,
            mode(entry).into(),
            0,
            0,
            links,
            u32::try_from(mtime)?,
        ];
        add(
            &mut bytes,
            numbers,
            entry.path.trim_end_matches('/'),
            &content,
        )?;
    }
    add(&mut bytes, [0, 0, 0, 0, 1, 0], LAST, &[])?;
    Ok(bytes)
}

/// Adds a file with its inode, mode, user, group, links and time.
fn add(bytes: &mut Vec<u8>, numbers: [u32; 6], name: &str, content: &[u8]) -> anyhow::Result<()> {
    bytes.extend(MAGIC.bytes());
    let size = u32::try_from(content.len())?;
    let name_size = u32::try_from(name.len() + 1)?;
    let devices_and_name = [0, 0, 0, 0, name_size, 0];
    for number in numbers.into_iter().chain([size]).chain(devices_and_name) {
        bytes.extend(format!("{number:08x}").bytes());
    }
    bytes.extend(name.bytes().chain([0]));
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(())
}

/// Unpacks what [`write()`] packed, without times.
///
/// # Errors
/// When it is damaged.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        let header = bytes
            .get(at..at + HEADER)
            .context("the files are cut short")?;
        let header = std::str::from_utf8(header).context("a header of a file is damaged")?;
        ensure!(header.starts_with(MAGIC), "a header of a file is damaged");
        let number = |field: usize| {
            let start = MAGIC.len() + field * 8;
            let number = header
                .get(start..start + 8)
                .and_then(|it| u32::from_str_radix(it, 16).ok());
            number.context("a header of a file is damaged")
        };
        let (mode, size, name_size) = (number(1)?, number(6)? as usize, number(11)? as usize);
        let name = bytes.get(at + HEADER..at + HEADER + name_size);
        let name = name
            .and_then(|name| name.strip_suffix(&[0]))
            .context("a name is damaged")?;
        let name = std::str::from_utf8(name).context("a name is not text")?;
        if name == LAST {
            return Ok(entries);
        }
        let start = (at + HEADER + name_size).next_multiple_of(4);
        let content = bytes
            .get(start..start + size)
            .with_context(|| format!("{name} is cut short"))?;
        entries.push(match mode & 0o170_000 {
            0o040_000 => Entry::folder(name, mode & 0o7777),
            _ => Entry::file(name, mode & 0o7777, content.to_vec()),
        });
        at = (start + size).next_multiple_of(4);
    }
}
