//! Zip files: archives for Windows are written, and those and Python wheels are read.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use noetl_oci::tar::Entry;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};

/// The seconds since 1970 that the date of a zip entry can express: 1980 to 2107.
const DATES: std::ops::Range<u64> = 315_532_800..4_354_819_200;

/// The file types of `<sys/stat.h>`, which zip has beside the permissions: pip makes only regular files executable.
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// Packs entries. Their content, their modes and `mtime`, in seconds since 1970, decide every byte.
///
/// # Errors
/// When the time does not fit a zip, or content cannot be read.
pub(crate) fn pack(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(
        DATES.contains(&mtime),
        "a zip cannot contain a time before 1980 or after 2107; set SOURCE_DATE_EPOCH"
    );
    let time = UtcDateTime::from_unix(i64::try_from(mtime)?);
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for entry in entries {
        let cannot = || format!("cannot pack {}", entry.path);
        if entry.path.ends_with('/') {
            let folder = archive.new_dir(&entry.path).last_modified(time);
            let folder = folder.unix_permissions(FOLDER | entry.mode).create();
            folder.with_context(cannot)?;
            continue;
        }
        let file = archive.new_file(&entry.path).last_modified(time);
        let file = file.unix_permissions(REGULAR | entry.mode);
        let file = file.compression_method(CompressionMethod::DEFLATE);
        let (mut packed, config) = file.start().with_context(cannot)?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut packed, Compression::best()));
        writer.write_all(&entry.content.read()?)?;
        let (encoder, descriptor) = writer.finish().with_context(cannot)?;
        encoder.finish()?;
        packed.finish(descriptor).with_context(cannot)?;
    }
    archive.finish().context("cannot finish the zip")
}

/// Unpacks a zip, without the times of its entries.
///
/// # Errors
/// When it is damaged, or an entry is compressed in another way than by deflate.
pub(crate) fn unpack(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let archive = ZipArchive::from_slice(bytes).context("not a zip")?;
    let mut unpacked = Vec::new();
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().context("the zip is damaged")? {
        let path = std::str::from_utf8(entry.file_path().as_bytes());
        let path = path.context("a name is not UTF-8")?;
        let damaged = || format!("{path} is damaged");
        let packed = archive.get_entry(entry.wayfinder()).with_context(damaged)?;
        let mut content = Vec::new();
        let read = match entry.compression_method() {
            CompressionMethod::STORE => packed
                .verifying_reader(packed.data())
                .read_to_end(&mut content),
            CompressionMethod::DEFLATE => packed
                .verifying_reader(DeflateDecoder::new(packed.data()))
                .read_to_end(&mut content),
            other => bail!("{path} is compressed by {other:?}, which is not supported"),
        };
        read.with_context(damaged)?;
        let mode = entry.mode().permissions();
        unpacked.push(Entry::file(path, mode, content));
    }
    let listed = usize::try_from(archive.entries_hint())?;
    ensure!(unpacked.len() == listed, "the zip is damaged");
    Ok(unpacked)
}
