//! RPM packages in format 4, as rpm's `docs/manual/format_v4.md` describes them: a lead, a header with the digest of the
//! other header, the header with the metadata, and the files as cpio in gzip.

mod cpio;
mod header;

use anyhow::{Context as _, ensure};
use noetl_oci::gzip::{gunzip, gzip};
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use self::header::{Header, Value};
use crate::release::packages::archives;
use crate::release::packages::companions::Companion;
use crate::release::packages::system::{self, Family, NAME};
use crate::release::target::{Arch, Target};
use crate::release::version::Release;
use crate::release::workspace::{LICENSE, REPOSITORY};

/// The revision of the package, which is always the first one of a version.
pub(crate) const REVISION: &str = "1";
/// The length of the lead, of which rpm reads the magic number alone.
const LEAD: usize = 96;
const BIN_SH: &str = "/bin/sh";
/// The package with `useradd`: of Fedora and Red Hat, and of SUSE.
const USERS: &str = "(shadow-utils or shadow)";
/// The settings of this version of the package.
const CONFIG_NAME: &str = "config(noetl)";

/// The flags of dependencies (`RPMSENSE_*`).
const EQUAL: u32 = 8;
const AT_MOST: u32 = EQUAL | 2;
const OF_RPMLIB: u32 = 1 << 24;
const AFTER_INSTALL: u32 = 1 << 10;
const BEFORE_REMOVAL: u32 = 1 << 11;
const AFTER_REMOVAL: u32 = 1 << 12;
const OF_CONFIG: u32 = 1 << 28;

/// The flags of files (`RPMFILE_*`).
const CONFIG: u32 = 1;
const DOCUMENT: u32 = 1 << 1;
/// An upgrade leaves a changed file, and writes the new one beside it.
const NO_REPLACE: u32 = 1 << 4;
const LICENSE_FILE: u32 = 1 << 7;

/// Returns rpm's name of an instruction set.
pub(crate) fn architecture(target: &Target) -> &'static str {
    match target.arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    }
}

/// Returns the file name.
pub(crate) fn file_name(release: &Release, target: &Target) -> String {
    let version = system::version(release);
    format!("{NAME}-{version}-{REVISION}.{}.rpm", architecture(target))
}

/// Returns what the package of a binary installs, with paths that begin with `./`; of the companions, those that Fedora
/// has a place for.
///
/// # Errors
/// When a companion cannot be compressed.
pub(crate) fn entries(binary: Blob, companions: &[Companion]) -> anyhow::Result<Vec<Entry>> {
    let files = system::files(Family::Fedora, binary, companions)?;
    let all = archives::in_folder(".", files);
    // Folders of the system belong to other packages.
    let own = |entry: &Entry| !entry.path.ends_with('/') || entry.path.ends_with("/noetl/");
    Ok(all.into_iter().filter(own).collect())
}

/// Writes a package of these entries.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn write(
    release: &Release,
    target: &Target,
    entries: &[Entry],
) -> anyhow::Result<Vec<u8>> {
    let payload = gzip(&cpio::write(entries, release.commit_time)?)?;
    assemble(release, target, entries, &payload)
}

/// Reads the entries of a package.
///
/// # Errors
/// When it is damaged.
pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Vec<Entry>> {
    cpio::read(&gunzip(parts(bytes)?.payload)?)
}

/// Whether [`write()`] makes these bytes of these entries.
///
/// # Errors
/// When they are damaged.
pub(crate) fn is_written_from(
    release: &Release,
    target: &Target,
    entries: &[Entry],
    bytes: &[u8],
) -> anyhow::Result<bool> {
    let payload = parts(bytes)?.payload;
    Ok(archives::is_plain(payload)?
        && gunzip(payload)? == cpio::write(entries, release.commit_time)?
        && assemble(release, target, entries, payload)? == bytes)
}

/// The parts of a package that the index of a repository describes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// Where the main header begins and ends.
    pub header: (usize, usize),
    /// The compressed files.
    pub payload: &'a [u8],
}

/// Finds the parts of a package.
///
/// # Errors
/// When it is damaged.
pub(crate) fn parts(bytes: &[u8]) -> anyhow::Result<Parts<'_>> {
    let is_rpm = bytes.starts_with(&[0xed, 0xab, 0xee, 0xdb]);
    ensure!(is_rpm, "not an RPM package");
    let signature = header::length(bytes, LEAD)?;
    let start = (LEAD + signature).next_multiple_of(8);
    let end = start + header::length(bytes, start)?;
    let payload = bytes.get(end..).context("the files are missing")?;
    Ok(Parts {
        header: (start, end),
        payload,
    })
}

/// Something that a package provides or needs.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The name of a package, a file or a feature of rpm.
    pub name: String,
    /// How the version compares (`RPMSENSE_*`), and what needs it.
    pub flags: u32,
    /// The version with the revision; empty for any.
    pub version: String,
}

impl Dependency {
    fn new(name: impl Into<String>, flags: u32, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            flags,
            version: version.into(),
        }
    }

    /// Whether it is a feature of rpm itself, or the package's own settings: repositories do not list these.
    pub(crate) fn is_internal(&self) -> bool {
        self.flags & OF_RPMLIB != 0 || self.name == CONFIG_NAME
    }

    /// Whether a script needs it that runs during the installation.
    pub(crate) fn is_of_installation(&self) -> bool {
        self.flags & AFTER_INSTALL != 0
    }
}

/// Returns what a package provides.
pub(crate) fn provided(release: &Release, target: &Target) -> Vec<Dependency> {
    let bits = match target.arch {
        Arch::X86_64 => "x86-64",
        Arch::Aarch64 => "aarch-64",
    };
    let own = revised(release);
    vec![
        Dependency::new(CONFIG_NAME, OF_CONFIG | EQUAL, &own),
        Dependency::new(NAME, EQUAL, &own),
        Dependency::new(format!("{NAME}({bits})"), EQUAL, &own),
    ]
}

/// Returns what a package needs.
pub(crate) fn required(release: &Release) -> Vec<Dependency> {
    let own = revised(release);
    let rpmlib = |feature: &str, since: &str| {
        Dependency::new(format!("rpmlib({feature})"), OF_RPMLIB | AT_MOST, since)
    };
    let mut required = vec![
        Dependency::new(BIN_SH, AFTER_INSTALL, ""),
        Dependency::new(BIN_SH, BEFORE_REMOVAL, ""),
        Dependency::new(BIN_SH, AFTER_REMOVAL, ""),
        // Whatever makes the user of the service.
        Dependency::new(USERS, AFTER_INSTALL, ""),
        Dependency::new(CONFIG_NAME, OF_CONFIG | EQUAL, &own),
        rpmlib("CompressedFileNames", "3.0.4-1"),
        rpmlib("FileDigests", "4.6.0-1"),
        rpmlib("PayloadFilesHavePrefix", "4.0-1"),
        rpmlib("RichDependencies", "4.12.0-1"),
    ];
    if own.contains('~') {
        required.push(rpmlib("TildeInVersions", "4.10.0-1"));
    }
    required
}

/// Returns the name of the source package, which rpm expects in every package; there is no such file.
pub(crate) fn source(release: &Release) -> String {
    format!("{NAME}-{}.src.rpm", revised(release))
}

/// Returns the version with the revision of the package.
fn revised(release: &Release) -> String {
    format!("{}-{REVISION}", system::version(release))
}

fn assemble(
    release: &Release,
    target: &Target,
    entries: &[Entry],
    payload: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let header = main_header(release, target, entries, payload)?.bytes(header::IMMUTABLE)?;
    let mut signature = Header::default();
    signature.add(273, Value::Text(Sha256::of(&header).to_string()));
    signature.add(
        1000,
        Value::U32(vec![u32::try_from(header.len() + payload.len())?]),
    );
    let unpacked: u64 = gunzip(payload)?.len() as u64;
    signature.add(1007, Value::U32(vec![u32::try_from(unpacked)?]));
    let mut bytes = lead(release, target);
    bytes.extend(signature.bytes(header::SIGNATURES)?);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(header);
    bytes.extend(payload);
    Ok(bytes)
}

/// Returns the lead, which programs such as `file` read.
fn lead(release: &Release, target: &Target) -> Vec<u8> {
    let mut lead = vec![0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0];
    lead.push(match target.arch {
        Arch::X86_64 => 1,
        Arch::Aarch64 => 19,
    });
    let name = file_name(release, target);
    lead.extend(name.trim_end_matches(".rpm").bytes().take(65));
    lead.resize(10 + 66, 0);
    // Linux, with headers as signatures.
    lead.extend([0, 1, 0, 5]);
    lead.resize(LEAD, 0);
    lead
}

fn main_header(
    release: &Release,
    target: &Target,
    entries: &[Entry],
    payload: &[u8],
) -> anyhow::Result<Header> {
    let text = |text: &str| Value::Text(text.to_owned());
    let time = u32::try_from(release.commit_time)?;
    let version = system::version(release);
    let size: u64 = entries.iter().map(|entry| entry.content.length()).sum();
    let mut header = Header::default();
    for (tag, value) in [
        (100, Value::Texts(vec!["C".to_owned()])),
        (1000, text(NAME)),
        (1001, text(&version)),
        (1002, text(REVISION)),
        (1004, Value::Translated(system::SUMMARY.to_owned())),
        (1005, Value::Translated(system::DESCRIPTION.join("\n"))),
        (1006, Value::U32(vec![time])),
        (1007, text("localhost")),
        (1009, Value::U32(vec![u32::try_from(size)?])),
        (1011, text("NoETL")),
        (1014, text(LICENSE)),
        (1015, text(system::MAINTAINER)),
        (1016, Value::Translated("Applications/System".to_owned())),
        (1020, text(REPOSITORY)),
        (1021, text("linux")),
        (1022, text(architecture(target))),
        (1044, text(&source(release))),
        (1064, text("4.18.0")),
        (1124, text("cpio")),
        (1125, text("gzip")),
        (1126, text("9")),
        (1132, text(&format!("{}-linux", architecture(target)))),
        (5062, text("utf-8")),
        (5092, Value::Texts(vec![Sha256::of(payload).to_string()])),
        (5093, Value::U32(vec![8])),
    ] {
        header.add(tag, value);
    }
    scripts(&mut header);
    dependencies(&mut header, release, target);
    files(&mut header, entries, time)?;
    Ok(header)
}

/// Adds the scripts. rpm calls those at a removal with 0, and at an upgrade with 1.
fn scripts(header: &mut Header) {
    let at_removal = |script: &str| {
        let lines = script.lines().map(|line| format!("    {line}\n"));
        format!("if [ \"$1\" = 0 ]; then\n{}fi\n", lines.collect::<String>())
    };
    for (script, program, body) in [
        (1024, 1086, format!("set -e\n{}", system::CONFIGURE)),
        (1025, 1087, at_removal(system::STOP)),
        (1026, 1088, at_removal(system::REMOVED)),
    ] {
        header.add(script, Value::Text(body));
        header.add(program, Value::Text(BIN_SH.to_owned()));
    }
}

fn dependencies(header: &mut Header, release: &Release, target: &Target) {
    for (names, flags, versions, all) in [
        (1047, 1112, 1113, provided(release, target)),
        (1049, 1048, 1050, required(release)),
    ] {
        let texts =
            |of: fn(&Dependency) -> &String| Value::Texts(all.iter().map(of).cloned().collect());
        header.add(names, texts(|it| &it.name));
        header.add(flags, Value::U32(all.iter().map(|it| it.flags).collect()));
        header.add(versions, texts(|it| &it.version));
    }
}

fn files(header: &mut Header, entries: &[Entry], time: u32) -> anyhow::Result<()> {
    let mut folders: Vec<String> = Vec::new();
    let (mut names, mut folder_numbers) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.path.trim_start_matches('.').trim_end_matches('/');
        let (folder, name) = path.rsplit_once('/').context("a path without a folder")?;
        let folder = format!("{folder}/");
        let number = folders.iter().position(|known| *known == folder);
        folder_numbers.push(u32::try_from(number.unwrap_or(folders.len()))?);
        if number.is_none() {
            folders.push(folder);
        }
        names.push(name.to_owned());
    }
    let is_folder = |entry: &Entry| entry.path.ends_with('/');
    let numbers = |of: &dyn Fn(&Entry) -> u32| Value::U32(entries.iter().map(of).collect());
    let texts = |of: &dyn Fn(&Entry) -> String| Value::Texts(entries.iter().map(of).collect());
    let sizes: Result<Vec<_>, _> = entries
        .iter()
        .map(|it| u32::try_from(it.content.length()))
        .collect();
    let digests = entries.iter().map(|entry| match is_folder(entry) {
        true => Ok(String::new()),
        false => Ok(entry.content.sha256()?.to_string()),
    });
    let digests = digests.collect::<anyhow::Result<_>>()?;
    let inodes = (1..).take(entries.len()).collect();
    for (tag, value) in [
        (1028, Value::U32(sizes?)),
        (1030, Value::U16(entries.iter().map(cpio::mode).collect())),
        (1033, Value::U16(vec![0; entries.len()])),
        (1034, numbers(&|_| time)),
        (1035, Value::Texts(digests)),
        (1036, texts(&|_| String::new())),
        (1037, numbers(&|entry| flags(&entry.path))),
        (1039, texts(&|_| "root".to_owned())),
        (1040, texts(&|_| "root".to_owned())),
        (1045, numbers(&|_| u32::MAX)),
        (1095, numbers(&|_| 1)),
        (1096, Value::U32(inodes)),
        (1097, texts(&|_| String::new())),
        (1116, Value::U32(folder_numbers)),
        (1117, Value::Texts(names)),
        (1118, Value::Texts(folders)),
        (5011, Value::U32(vec![8])),
    ] {
        header.add(tag, value);
    }
    Ok(())
}

fn flags(path: &str) -> u32 {
    let path = path.trim_start_matches("./");
    match path {
        system::SETTINGS => CONFIG | NO_REPLACE,
        _ if path.ends_with('/') => 0,
        _ if path.starts_with("usr/share/licenses/") => LICENSE_FILE,
        _ if path.starts_with("usr/share/doc/") || path.starts_with("usr/share/man/") => DOCUMENT,
        _ => 0,
    }
}

/// Returns the length of the files of a package as cpio, before they are compressed.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn archive_size(entries: &[Entry], release: &Release) -> anyhow::Result<usize> {
    Ok(cpio::write(entries, release.commit_time)?.len())
}
