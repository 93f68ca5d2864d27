//! The archives that people download: one folder with the binary, LICENSE and README, the same in tar.gz and zip, with
//! every byte decided by content and commit time.

use std::io::{Cursor, Read as _, Write as _};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use zip::write::SimpleFileOptions;

use noetl_oci::Blob;
use noetl_oci::gzip::{GzipReader, gunzip, gzip};
use noetl_oci::tar::{self, Entry};

use crate::release::target::Target;
use crate::release::version::Release;

/// Returns the archive's name without extension, which is also the one folder inside.
pub(crate) fn stem(release: &Release, target: &Target) -> String {
    format!("noetl-{}-{}", release.tag, target.triple)
}

/// Returns the archive's file name.
pub(crate) fn file_name(release: &Release, target: &Target) -> String {
    format!("{}.{}", stem(release, target), target.archive_extension())
}

/// Returns what goes into the archive of `target`.
pub(crate) fn entries(
    release: &Release,
    target: &Target,
    binary: impl Into<Blob>,
    license: &[u8],
    readme: &[u8],
) -> Vec<Entry> {
    let stem = stem(release, target);
    vec![
        Entry::folder(&stem, 0o755),
        Entry::file(&format!("{stem}/LICENSE"), 0o644, license),
        Entry::file(&format!("{stem}/README.md"), 0o644, readme),
        Entry::file(&format!("{stem}/{}", target.binary_name()), 0o755, binary),
    ]
}

/// Packs entries in the format that is usual on `target`.
pub(crate) fn pack(target: &Target, entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    match target.archive_extension() {
        "zip" => zip(entries, mtime),
        _ => gzip(&tar::write::to_bytes(entries, mtime)?),
    }
}

/// Unpacks what [`pack`] wrote; times and whatever else a header says are left to comparing bytes.
///
/// # Errors
/// When the archive is damaged or holds anything but files and folders.
pub(crate) fn unpack(target: &Target, bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    match target.archive_extension() {
        "zip" => unzip(bytes),
        _ => untar(&gunzip(bytes)?),
    }
}

/// Returns whether an archive is what [`pack`] makes of these entries: a mode, an owner, a time or a header may differ.
///
/// A tar.gz is compared before compression, since compressing it again would take as long as making it.
pub(crate) fn is_packed_from(
    target: &Target,
    entries: &[Entry],
    mtime: u64,
    bytes: &[u8],
) -> anyhow::Result<bool> {
    match target.archive_extension() {
        "zip" => Ok(zip(entries, mtime)? == bytes),
        _ => Ok(is_plain(bytes)? && gunzip(bytes)? == tar::write::to_bytes(entries, mtime)?),
    }
}

/// Returns whether a gzip file is one member whose header says nothing of a machine.
fn is_plain(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut reader = GzipReader::new(bytes);
    std::io::copy(&mut reader, &mut std::io::sink()).context("not a whole gzip file")?;
    Ok(reader.finish().is_plain())
}

fn untar(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in ::tar::Archive::new(bytes).entries().context("not a tar")? {
        let mut entry = entry.context("the tar is damaged")?;
        let header = entry.header().clone();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = header.entry_type();
        ensure!(
            kind.is_file() || kind.is_dir(),
            "{path} is neither a file nor a folder"
        );
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .with_context(|| format!("{path} is cut short"))?;
        let owner = u32::try_from(header.uid()?).context("an owner out of range")?;
        entries.push(Entry {
            path,
            mode: header.mode()?,
            owner,
            content: content.into(),
        });
    }
    Ok(entries)
}

fn zip(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    let time = dos_time(mtime)
        .context("a zip cannot hold a time before 1980 or after 2107; set SOURCE_DATE_EPOCH")?;
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(time)
            .unix_permissions(entry.mode);
        if entry.path.ends_with('/') {
            archive
                .add_directory(&entry.path, options)
                .context("cannot write a folder")?;
        } else {
            archive
                .start_file(&entry.path, options)
                .context("cannot write a file")?;
            let content = entry.content.read()?;
            archive.write_all(&content).context("cannot compress")?;
        }
    }
    Ok(archive
        .finish()
        .context("cannot finish the zip")?
        .into_inner())
}

/// Returns a time in UTC as a zip holds it.
fn dos_time(unix: u64) -> Option<zip::DateTime> {
    let time = Timestamp::from_second(i64::try_from(unix).ok()?).ok()?;
    let time = time.to_zoned_datetime(TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).ok();
    zip::DateTime::from_date_and_time(
        u16::try_from(time.year()).ok()?,
        small(time.month())?,
        small(time.day())?,
        small(time.hour())?,
        small(time.minute())?,
        small(time.second())?,
    )
    .ok()
}

fn unzip(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).context("not a zip")?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).context("the zip is damaged")?;
        let path = file.name().context("a name is not UTF-8")?.into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .with_context(|| format!("{path} is damaged"))?;
        let mode = file.unix_mode().unwrap_or_default() & 0o7777;
        entries.push(Entry {
            path,
            mode,
            owner: 0,
            content: content.into(),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::target::TARGETS;

    fn release() -> Release {
        Release {
            version: "1.2.3".into(),
            tag: "v1.2.3".into(),
            commit: "c".into(),
            commit_time: 1_709_251_198,
        }
    }

    #[test]
    fn archives_are_named_as_cargo_binstall_looks_for_them() {
        let names: Vec<_> = TARGETS
            .iter()
            .map(|target| file_name(&release(), target))
            .collect();
        assert_eq!(names[0], "noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz");
        assert_eq!(names[4], "noetl-v1.2.3-x86_64-pc-windows-gnu.zip");
    }

    #[test]
    fn both_formats_give_back_what_went_in() {
        for target in TARGETS {
            let entries = entries(&release(), target, vec![7; 100_000], b"license", b"readme");
            let packed = pack(target, &entries, release().commit_time).unwrap();
            assert_eq!(
                unpack(target, &packed).unwrap(),
                entries,
                "{}",
                target.triple
            );
        }
    }

    #[test]
    fn damage_is_noticed() {
        let target = &TARGETS[0];
        let entries = entries(&release(), target, vec![7; 100_000], b"license", b"readme");
        let mut packed = pack(target, &entries, 0).unwrap();
        let middle = packed.len() / 2;
        packed[middle] ^= 1;
        assert!(unpack(target, &packed).is_err());
    }
}
