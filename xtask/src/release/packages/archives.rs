//! The archives that users download, as tar.gz or zip: one folder with the binary and its companions. Content and commit
//! time decide every byte.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use noetl_oci::Blob;
use noetl_oci::gzip::{GzipReader, gunzip, gzip};
use noetl_oci::tar::{self, Entry};

use crate::release::packages::companions::Companion;
use crate::release::packages::zip;
use crate::release::target::Target;
use crate::release::version::Release;

/// What is said of a package in which a mode, an owner, a time or a header differs.
pub(crate) const REPACKED: &str = "the same content packed again gives other bytes";

/// Returns the archive's name without extension, which is also the name of the folder in it.
pub(crate) fn stem(release: &Release, target: &Target) -> String {
    format!("noetl-{}-{}", release.tag, target.triple)
}

/// Returns the name of a second copy, which installers and links to the latest release know: it names no version.
pub(crate) fn alias(target: &Target) -> String {
    format!("noetl-{}.{}", target.triple, target.archive_extension())
}

/// Returns the archive's file name.
pub(crate) fn file_name(release: &Release, target: &Target) -> String {
    format!("{}.{}", stem(release, target), target.archive_extension())
}

/// Returns the entries of the archive of `target`: its folder, and below it the folders, the companions and the binary in
/// the order of their paths.
pub(crate) fn entries(
    release: &Release,
    target: &Target,
    binary: impl Into<Blob>,
    companions: &[Companion],
) -> Vec<Entry> {
    let files = companions
        .iter()
        .map(|it| Entry::file(&it.path, 0o644, it.bytes.clone()));
    let binary = Entry::file(target.binary_name(), 0o755, binary);
    in_folder(&stem(release, target), files.chain([binary]))
}

/// Returns a folder with files whose paths are below it, and the folders between, in the order of their paths.
pub(crate) fn in_folder(stem: &str, files: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut below = BTreeMap::new();
    for file in files {
        for (slash, _) in file.path.match_indices('/') {
            let folder = format!("{stem}/{}", &file.path[..slash]);
            below.insert(folder.clone(), Entry::folder(&folder, 0o755));
        }
        let path = format!("{stem}/{}", file.path);
        below.insert(path.clone(), Entry { path, ..file });
    }
    let folder = [Entry::folder(stem, 0o755)].into_iter();
    folder.chain(below.into_values()).collect()
}

/// Returns the path of a file or folder that one of these lists lacks, or whose content differs.
pub(crate) fn differing(expected: &[Entry], found: &[Entry]) -> Option<String> {
    let contents = |all: &[Entry]| -> BTreeSet<_> {
        let content = |entry: &Entry| (entry.path.clone(), entry.content.sha256().ok());
        all.iter().map(content).collect()
    };
    let (expected, found) = (contents(expected), contents(found));
    let mut differences = expected.symmetric_difference(&found);
    differences.next().map(|(path, _)| path.clone())
}

/// Returns the binary of an archive, and its companions as [`entries`] was given them.
///
/// # Errors
/// When there is no binary, or a file is not below the archive's folder.
pub(crate) fn parts(
    release: &Release,
    target: &Target,
    entries: Vec<Entry>,
) -> anyhow::Result<(Blob, Vec<Companion>)> {
    let folder = format!("{}/", stem(release, target));
    let mut binary = None;
    let mut companions = Vec::new();
    for entry in entries
        .into_iter()
        .filter(|entry| !entry.path.ends_with('/'))
    {
        let path = entry.path.strip_prefix(&folder);
        let path = path.with_context(|| format!("{} is not in {folder}", entry.path))?;
        if path == target.binary_name() {
            binary = Some(entry.content);
        } else {
            companions.push(Companion::new(path, entry.content.read()?));
        }
    }
    let binary = binary.with_context(|| format!("{} is missing", target.binary_name()))?;
    Ok((binary, companions))
}

/// Packs entries in the archive format of `target`.
pub(crate) fn pack(target: &Target, entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    match target.archive_extension() {
        "zip" => zip::pack(entries, mtime),
        _ => tar_gz(entries, mtime),
    }
}

/// Unpacks an archive that [`pack`] wrote, without the times of its entries; [`is_packed_from`] compares those.
///
/// # Errors
/// When the archive is damaged, or an entry is neither a file nor a folder.
pub(crate) fn unpack(target: &Target, bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    match target.archive_extension() {
        "zip" => zip::unpack(bytes),
        _ => untar_gz(bytes),
    }
}

/// Whether [`pack`] makes this archive of these entries; otherwise a mode, an owner, a time or a header differs.
pub(crate) fn is_packed_from(
    target: &Target,
    entries: &[Entry],
    mtime: u64,
    bytes: &[u8],
) -> anyhow::Result<bool> {
    match target.archive_extension() {
        "zip" => Ok(zip::pack(entries, mtime)? == bytes),
        _ => is_tar_gz_of(entries, mtime, bytes),
    }
}

/// Packs entries as a tar.gz.
///
/// # Errors
/// When an entry cannot be written.
pub(crate) fn tar_gz(entries: &[Entry], mtime: u64) -> anyhow::Result<Vec<u8>> {
    gzip(&tar::write::to_bytes(entries, mtime)?)
}

/// Unpacks a tar.gz, without the times of its entries.
///
/// # Errors
/// When it is damaged, or an entry is neither a file nor a folder.
pub(crate) fn untar_gz(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    untar(&gunzip(bytes)?)
}

/// Whether [`tar_gz`] makes these bytes of these entries. Decompressing takes much less time than compressing.
///
/// # Errors
/// When it is damaged, or an entry cannot be written.
pub(crate) fn is_tar_gz_of(entries: &[Entry], mtime: u64, bytes: &[u8]) -> anyhow::Result<bool> {
    Ok(is_plain(bytes)? && gunzip(bytes)? == tar::write::to_bytes(entries, mtime)?)
}

/// Whether a gzip file is one member with a header that contains nothing about the machine.
pub(crate) fn is_plain(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut reader = GzipReader::new(bytes);
    std::io::copy(&mut reader, &mut std::io::sink()).context("not a whole gzip file")?;
    Ok(reader.finish().is_plain())
}

fn untar(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    tar::record::for_each(bytes, |record, content| {
        let path = record.path().into_owned();
        let is_known = matches!(record.kind(), '0' | '5');
        ensure!(is_known, "{path} is neither a file nor a folder");
        let mut bytes = Vec::new();
        let read = content.read_to_end(&mut bytes);
        read.with_context(|| format!("{path} is cut short"))?;
        entries.push(Entry {
            path,
            mode: record.mode(),
            owner: u32::try_from(record.owners()[0]).context("an owner out of range")?,
            content: bytes.into(),
        });
        Ok(())
    })?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, release};
    use crate::release::target::TARGETS;

    /// `cargo binstall` fills in what Cargo.toml says, and finds each archive and the binary in it.
    #[test]
    fn archives_have_the_names_that_cargo_binstall_expects() {
        let metadata = cargo_metadata::MetadataCommand::new()
            .no_deps()
            .exec()
            .unwrap();
        let package = metadata
            .packages
            .iter()
            .find(|it| it.name == "noetlctl")
            .unwrap();
        let binstall = &package.metadata["binstall"];
        let release = release();
        for target in TARGETS {
            let own = &binstall["overrides"][target.triple];
            let field = |name: &str| {
                let text = own.get(name).unwrap_or(&binstall[name]).as_str().unwrap();
                let text = text.replace("{ version }", &release.version);
                let text = text.replace("{ repo }", package.repository.as_deref().unwrap());
                text.replace("{ target }", target.triple)
            };
            let name = file_name(&release, target);
            assert_eq!(field("pkg-url"), release.download_url(&name));
            let format = if name.ends_with(".zip") { "zip" } else { "tgz" };
            assert_eq!(field("pkg-fmt"), format);
            let binary = field("bin-dir").replace("{ bin }{ binary-ext }", target.binary_name());
            let entries = entries(&release, target, vec![7], &[]);
            assert!(entries.iter().any(|entry| entry.path == binary), "{binary}");
        }
    }

    #[test]
    fn unpacked_entries_are_those_that_were_packed() {
        for target in TARGETS {
            let companions = fixtures::companions();
            let entries = entries(&release(), target, vec![7; 100_000], &companions);
            let packed = pack(target, &entries, release().commit_time).unwrap();
            let unpacked = unpack(target, &packed).unwrap();
            assert_eq!(unpacked, entries, "{}", target.triple);
            let (binary, found) = parts(&release(), target, unpacked).unwrap();
            assert_eq!((binary.length(), found), (100_000, companions));
        }
    }
}
