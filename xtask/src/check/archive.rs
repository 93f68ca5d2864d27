//! A and B: dist/ as a whole, each archive, each binary.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::archive;
use crate::binary::{self, Facts, Signature};
use crate::check::{Findings, image};
use crate::digest::{self, Sha256};
use crate::dist_manifest::{self, Archive, Artifact, Content, DistManifest, FILE_NAME, SUMS_NAME};
use crate::oci::layout::Layout;
use crate::oci::rootfs;
use crate::target::{Arch, GLIBC_FLOOR, Libc, MACOS_MINIMUM, Os, Platform, Target};

/// Files of dist/ by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Checks dist/; gives its manifest when that could be read.
pub(crate) fn check(files: &Files) -> (Findings, Option<DistManifest>) {
    let mut findings = Findings::default();
    let document = files.get(FILE_NAME).context("it is missing");
    let manifest = document.and_then(|bytes| Ok(serde_json::from_slice::<DistManifest>(bytes)?));
    let Some(manifest) = findings.require("A1", FILE_NAME, manifest) else {
        return (findings, None);
    };
    check_listing(files, &manifest, &mut findings);
    let mut linux = BTreeMap::new();
    for (artifact, bytes) in present(files, &manifest) {
        if let Content::Archive(content) = &artifact.content
            && let Some((platform, binary)) =
                check_archive(&manifest, artifact, content, bytes, &mut findings)
        {
            linux.insert(platform, binary);
        }
    }
    // The image comes last, whatever its name: it is compared with the archives.
    for (artifact, bytes) in present(files, &manifest) {
        if let Content::Image(content) = &artifact.content {
            check_image(&artifact.name, content, bytes, &linux, &mut findings);
        }
    }
    (findings, Some(manifest))
}

fn present<'a>(
    files: &'a Files,
    manifest: &'a DistManifest,
) -> impl Iterator<Item = (&'a Artifact, &'a [u8])> {
    manifest
        .artifacts
        .iter()
        .filter_map(|artifact| Some((artifact, files.get(&artifact.name)?.as_slice())))
}

fn check_listing(files: &Files, manifest: &DistManifest, findings: &mut Findings) {
    let mut expected: BTreeSet<&str> = manifest
        .artifacts
        .iter()
        .map(|artifact| artifact.name.as_str())
        .collect();
    expected.extend([FILE_NAME, SUMS_NAME]);
    for name in expected.iter().filter(|name| !files.contains_key(**name)) {
        findings.add("A1", *name, "it is missing");
    }
    for name in files
        .keys()
        .filter(|name| !expected.contains(name.as_str()))
    {
        findings.add("A1", name, format!("{FILE_NAME} does not list it"));
    }
    for artifact in &manifest.artifacts {
        if let Some(bytes) = files.get(&artifact.name)
            && (Sha256::of(bytes), bytes.len() as u64) != (artifact.sha256, artifact.size)
        {
            let (sha256, size) = (Sha256::of(bytes), bytes.len());
            findings.add(
                "A2",
                &artifact.name,
                format!("it is {size} bytes, {sha256}; {FILE_NAME} says otherwise"),
            );
        }
    }
    let sums = files.get(SUMS_NAME).map(Vec::as_slice).unwrap_or_default();
    let sums = std::str::from_utf8(sums)
        .map_err(Into::into)
        .and_then(digest::parse_sums);
    let Some(sums) = findings.require("A2", SUMS_NAME, sums) else {
        return;
    };
    for (name, bytes) in files.iter().filter(|(name, _)| *name != SUMS_NAME) {
        match sums.get(name) {
            Some(sha256) if *sha256 == Sha256::of(bytes) => {}
            Some(_) => findings.add("A2", name, format!("{SUMS_NAME} has another hash")),
            None => findings.add("A2", name, format!("{SUMS_NAME} does not list it")),
        }
    }
    for name in sums.keys().filter(|name| !files.contains_key(*name)) {
        findings.add(
            "A1",
            name,
            format!("{SUMS_NAME} lists it, and it is missing"),
        );
    }
}

/// Checks one archive; for one whose binary is in the image too, gives platform and hash of that binary.
fn check_archive(
    manifest: &DistManifest,
    artifact: &Artifact,
    content: &Archive,
    bytes: &[u8],
    findings: &mut Findings,
) -> Option<(Platform, Sha256)> {
    let (release, name) = (&manifest.release, artifact.name.as_str());
    let target =
        Target::find(&content.target).with_context(|| format!("unknown target {}", content.target));
    let target = findings.require("A3", name, target)?;
    let expected = archive::file_name(release, target);
    if name != expected {
        findings.add("A3", name, format!("it should be called {expected}"));
    }
    let entries = findings.require("A4", name, archive::unpack(target, bytes))?;
    let stem = archive::stem(release, target);
    let wanted = [
        (format!("{stem}/"), 0o755),
        (format!("{stem}/LICENSE"), 0o644),
        (format!("{stem}/README.md"), 0o644),
        (format!("{stem}/{}", target.binary_name()), 0o755),
    ];
    let found: Vec<_> = entries
        .iter()
        .map(|(entry, _)| entry.path.clone())
        .collect();
    if found != wanted.each_ref().map(|(path, _)| path.clone()) {
        findings.add("A4", name, format!("it holds {}", found.join(", ")));
    }
    // A zip counts seconds in steps of two.
    let mtime = if target.archive_extension() == "zip" {
        release.commit_time & !1
    } else {
        release.commit_time
    };
    for (entry, time) in &entries {
        let mode = wanted
            .iter()
            .find(|(path, _)| *path == entry.path)
            .map_or(entry.mode, |(_, mode)| *mode);
        if (entry.mode, entry.owner, *time) != (mode, 0, mtime) {
            let Some(path) = entry.path.strip_prefix(&stem) else {
                continue;
            };
            findings.add(
                "A5",
                name,
                format!(
                    "{path}: mode {:o}, owner {}, time {time}",
                    entry.mode, entry.owner
                ),
            );
        }
    }
    let (entry, _) = entries
        .into_iter()
        .find(|(entry, _)| entry.path == wanted[3].0)?;
    if (Sha256::of(&entry.bytes), entry.bytes.len() as u64)
        != (content.binary_sha256, content.binary_size)
    {
        findings.add(
            "A2",
            name,
            format!("the binary inside is not the one that {FILE_NAME} describes"),
        );
    }
    check_binary(manifest, target, name, &entry.bytes, findings);
    Some((target.platform()?, Sha256::of(&entry.bytes)))
}

fn check_binary(
    manifest: &DistManifest,
    target: &Target,
    name: &str,
    bytes: &[u8],
    findings: &mut Findings,
) {
    if let Some(facts) = findings.require("B1", name, binary::facts(bytes)) {
        check_facts(target, name, &facts, findings);
    }
    if let Some((offset, path)) = binary::machine_path(bytes) {
        findings.add("B5", name, format!("at byte {offset}: {path}"));
    }
    let Some(stamp) = findings.require("B6", name, binary::read_stamp(bytes)) else {
        return;
    };
    let release = &manifest.release;
    for (field, found, expected) in [
        ("version", &stamp.version, release.version.as_str()),
        ("commit", &stamp.commit, &release.commit),
        ("target", &stamp.target, target.triple),
    ] {
        if found != expected {
            findings.add(
                "B6",
                name,
                format!("the stamp's {field} is {found}, not {expected}"),
            );
        }
    }
    if stamp.ui_sha256 != manifest.ui_sha256.to_string() {
        findings.add(
            "B7",
            name,
            format!(
                "it embeds the page {:?}, not {}",
                stamp.ui_sha256, manifest.ui_sha256
            ),
        );
    }
}

fn check_facts(target: &Target, name: &str, facts: &Facts, findings: &mut Findings) {
    if (facts.os, facts.arch) != (target.os, Some(target.arch)) {
        findings.add(
            "B1",
            name,
            format!("it is for {:?} on {:?}", facts.os, facts.arch),
        );
        return;
    }
    let strange: Vec<_> = facts
        .libraries
        .iter()
        .filter(|library| !is_everywhere(target, library))
        .cloned()
        .collect();
    if !strange.is_empty() {
        findings.add("B2", name, format!("it loads {}", strange.join(", ")));
    }
    if let (Libc::Static, Some(interpreter)) = (target.libc, &facts.interpreter) {
        findings.add("B2", name, format!("it needs the loader {interpreter}"));
    }
    if let Some((major, minor)) = facts.glibc.filter(|version| *version > GLIBC_FLOOR) {
        findings.add("B2", name, format!("it needs glibc {major}.{minor}"));
    }
    if target.os == Os::Mac {
        if facts.macos_minimum != Some(MACOS_MINIMUM) {
            findings.add(
                "B3",
                name,
                format!(
                    "its oldest macOS is {:?}, not {MACOS_MINIMUM:?}",
                    facts.macos_minimum
                ),
            );
        }
        let needed = target.arch == Arch::Aarch64;
        match facts.signature {
            None if needed => findings.add("B4", name, "it is not signed"),
            Some(Signature::Broken) => {
                findings.add("B4", name, "its signature does not fit its content")
            }
            _ => {}
        }
    }
}

/// Whether every installation of the target's system has this library.
fn is_everywhere(target: &Target, library: &str) -> bool {
    match (target.os, target.libc) {
        // The libc crate names iconv for every Apple system, and iconv brings charset.
        (Os::Mac, _) => [
            "/usr/lib/libSystem.B.dylib",
            "/usr/lib/libcharset.1.dylib",
            "/usr/lib/libiconv.2.dylib",
        ]
        .contains(&library),
        // The Universal C Runtime and the kernel's own libraries come with Windows 10.
        (Os::Windows, _) => {
            let library = library.to_ascii_lowercase();
            let system = [
                "advapi32",
                "bcryptprimitives",
                "kernel32",
                "ntdll",
                "userenv",
                "ws2_32",
                "secur32",
                "crypt32",
            ];
            let stem = library.trim_end_matches(".dll");
            stem.starts_with("api-ms-win-") || system.contains(&stem)
        }
        (Os::Linux, Libc::Glibc) => {
            [
                "libc.so.6",
                "libm.so.6",
                "libdl.so.2",
                "libpthread.so.0",
                "librt.so.1",
                "ld-linux-x86-64.so.2",
            ]
            .contains(&library)
                || library == "ld-linux-aarch64.so.1"
        }
        (Os::Linux, _) => false,
    }
}

fn check_image(
    name: &str,
    content: &dist_manifest::Image,
    bytes: &[u8],
    linux: &BTreeMap<Platform, Sha256>,
    findings: &mut Findings,
) {
    let Some(layout) = findings.require("A4", name, Layout::from_tar(bytes)) else {
        return;
    };
    findings.0.extend(image::check(&layout, &Platform::all()).0);
    match layout.image_index() {
        Ok(index) if index.digest == content.index_digest => {}
        Ok(index) => findings.add(
            "A2",
            name,
            format!(
                "its index is {}, not {}",
                index.digest, content.index_digest
            ),
        ),
        Err(error) => findings.add("A4", name, format!("{error:#}")),
    }
    for (platform, file) in image::files(&layout, rootfs::ENTRYPOINT) {
        let archived = Platform::parse(&platform)
            .ok()
            .and_then(|platform| linux.get(&platform).copied());
        if archived.is_some_and(|archived| archived != Sha256::of(&file)) {
            findings.add(
                "B8",
                name,
                format!("the binary for {platform} is not the one in the archive"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
