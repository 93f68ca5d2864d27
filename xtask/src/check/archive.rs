//! A1 to A5, B7 and B8: dist/ as a whole and each archive in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::archive;
use crate::check::expect::Expectations;
use crate::check::{Findings, image, program};
use crate::digest::{self, Sha256};
use crate::dist_manifest::{
    self, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SUMS_NAME,
};
use crate::oci::image::RELEASE_PLATFORM;
use crate::oci::layout::Layout;
use crate::target::{Platform, Target};
use crate::ustar::Entry;

/// Files of dist/ by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Checks dist/; gives its manifest when that could be read.
///
/// `own_folders` are paths of this machine that must not stand in a binary.
pub(crate) fn check(files: &Files, own_folders: &[String]) -> (Findings, Option<DistManifest>) {
    let mut findings = Findings::default();
    let document = files.get(FILE_NAME).context("it is missing");
    let parsed = document.and_then(|bytes| Ok(serde_json::from_slice::<DistManifest>(bytes)?));
    let Some(dist_manifest) = findings.require("A1", FILE_NAME, parsed) else {
        return (findings, None);
    };
    if dist_manifest.schema != 1 {
        findings.add(
            "A2",
            FILE_NAME,
            format!("schema {} is not one we write", dist_manifest.schema),
        );
    }
    check_listing(files, &dist_manifest, &mut findings);
    check_sums(files, &mut findings);
    let mut linux = BTreeMap::new();
    let mut documents = BTreeMap::new();
    for (artifact, bytes) in present(files, &dist_manifest) {
        if let Content::Archive(content) = &artifact.content
            && let Some(unpacked) =
                check_archive(&dist_manifest, artifact, content, bytes, &mut findings)
        {
            program::check(
                &dist_manifest,
                unpacked.target,
                &artifact.name,
                &unpacked.binary,
                own_folders,
                &mut findings,
            );
            linux.extend(
                unpacked
                    .target
                    .platform()
                    .map(|platform| (platform, Sha256::of(&unpacked.binary))),
            );
            documents.insert(artifact.name.clone(), unpacked.documents);
        }
    }
    for (name, texts) in &documents {
        if Some(texts) != documents.values().next() || texts.iter().any(Vec::is_empty) {
            findings.add(
                "A4",
                name,
                "its LICENSE or README is empty, or not that of the other archives",
            );
        }
    }
    // The image comes last, whatever its name: it is compared with the archives.
    for (artifact, bytes) in present(files, &dist_manifest) {
        if let Content::Image(content) = &artifact.content {
            check_image(
                &dist_manifest,
                &artifact.name,
                content,
                bytes,
                &linux,
                &mut findings,
            );
        }
    }
    (findings, Some(dist_manifest))
}

fn present<'a>(
    files: &'a Files,
    dist_manifest: &'a DistManifest,
) -> impl Iterator<Item = (&'a Artifact, &'a [u8])> {
    let artifacts = dist_manifest.artifacts.iter();
    artifacts.filter_map(|artifact| Some((artifact, files.get(&artifact.name)?.as_slice())))
}

fn check_listing(files: &Files, dist_manifest: &DistManifest, findings: &mut Findings) {
    let artifacts = &dist_manifest.artifacts;
    let mut expected: BTreeSet<&str> = artifacts
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
    let mut archived: Vec<_> = artifacts
        .iter()
        .filter_map(|artifact| artifact.content.target())
        .collect();
    archived.sort_unstable();
    let mut targets: Vec<_> = dist_manifest.targets.iter().map(String::as_str).collect();
    targets.sort_unstable();
    if archived != targets || targets.is_empty() {
        let (archived, targets) = (archived.join(", "), targets.join(", "));
        findings.add(
            "A1",
            FILE_NAME,
            format!("archives for [{archived}], targets [{targets}]"),
        );
    }
    for (artifact, bytes) in present(files, dist_manifest) {
        let (sha256, size) = (Sha256::of(bytes), bytes.len() as u64);
        if (sha256, size) != (artifact.sha256, artifact.size) {
            findings.add(
                "A2",
                &artifact.name,
                format!("it is {size} bytes, {sha256}; {FILE_NAME} says otherwise"),
            );
        }
    }
}

/// `SHA256SUMS` must be what we would write for the files that are there, byte for byte.
fn check_sums(files: &Files, findings: &mut Findings) {
    let Some(found) = files.get(SUMS_NAME) else {
        return;
    };
    let others = files.iter().filter(|(name, _)| *name != SUMS_NAME);
    let expected: BTreeMap<_, _> = others
        .map(|(name, bytes)| (name.clone(), Sha256::of(bytes)))
        .collect();
    if *found == digest::write_sums(&expected).into_bytes() {
        return;
    }
    let parsed = std::str::from_utf8(found)
        .map_err(Into::into)
        .and_then(digest::parse_sums);
    let Some(listed) = findings.require("A2", SUMS_NAME, parsed) else {
        return;
    };
    for (name, sha256) in &expected {
        match listed.get(name) {
            Some(listed) if listed == sha256 => {}
            Some(_) => findings.add("A2", name, format!("{SUMS_NAME} has another hash")),
            None => findings.add("A2", name, format!("{SUMS_NAME} does not list it")),
        }
    }
    for name in listed.keys().filter(|name| !expected.contains_key(*name)) {
        findings.add(
            "A2",
            name,
            format!("{SUMS_NAME} lists it, and it is not there to be listed"),
        );
    }
    if listed == expected {
        findings.add("A2", SUMS_NAME, "its lines are not in name order");
    }
}

/// What an archive holds.
struct Unpacked {
    target: &'static Target,
    binary: Vec<u8>,
    /// LICENSE and README.
    documents: Vec<Vec<u8>>,
}

fn check_archive(
    dist_manifest: &DistManifest,
    artifact: &Artifact,
    content: &Archive,
    bytes: &[u8],
    findings: &mut Findings,
) -> Option<Unpacked> {
    let (release, name) = (&dist_manifest.release, artifact.name.as_str());
    let target =
        Target::find(&content.target).with_context(|| format!("unknown target {}", content.target));
    let target = findings.require("A3", name, target)?;
    let expected = archive::file_name(release, target);
    if name != expected {
        findings.add("A3", name, format!("it should be called {expected}"));
    }
    let entries = findings.require("A4", name, archive::unpack(target, bytes))?;
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
    let [folder, license, readme, binary] = <[Entry; 4]>::try_from(entries)
        .map_err(|_| findings.add("A4", name, format!("it holds {}", paths.join(", "))))
        .ok()?;
    let packed = archive::entries(release, target, binary.bytes, &license.bytes, &readme.bytes);
    if paths
        != packed
            .iter()
            .map(|entry| entry.path.clone())
            .collect::<Vec<_>>()
    {
        findings.add("A4", name, format!("it holds {}", paths.join(", ")));
    } else if folder.bytes.is_empty()
        && !archive::is_packed_by_us(target, &packed, release.commit_time, bytes).ok()?
    {
        // Whatever the difference is, a mode, an owner, a time, a header: two builds would not agree.
        findings.add(
            "A5",
            name,
            "the same content packed by us gives other bytes",
        );
    }
    let binary = packed.into_iter().nth(3)?.bytes;
    let described = findings.require("B1", name, Archive::describe(release, target, &binary));
    if described.is_some_and(|described| described != *content) {
        findings.add(
            "A2",
            name,
            format!("{FILE_NAME} describes another binary than the one inside"),
        );
    }
    Some(Unpacked {
        target,
        binary,
        documents: vec![license.bytes, readme.bytes],
    })
}

fn check_image(
    dist_manifest: &DistManifest,
    name: &str,
    content: &Image,
    bytes: &[u8],
    linux: &BTreeMap<Platform, Sha256>,
    findings: &mut Findings,
) {
    let expected = dist_manifest::image_name(&dist_manifest.release);
    if name != expected {
        findings.add("A3", name, format!("it should be called {expected}"));
    }
    let Some(layout) = findings.require("A4", name, Layout::from_tar(bytes)) else {
        return;
    };
    findings
        .0
        .extend(image::check(&layout, &Expectations::of(&Platform::all())).0);
    if let Some(described) = findings.require("A4", name, Image::describe(&layout)) {
        if described != *content {
            findings.add(
                "A2",
                name,
                format!("{FILE_NAME} describes another image than the one inside"),
            );
        }
        let references = described
            .references
            .iter()
            .map(|name| name.parse())
            .collect::<anyhow::Result<Vec<_>>>();
        let packed = references.and_then(|references| {
            layout.to_tar(
                RELEASE_PLATFORM,
                &references,
                dist_manifest.release.commit_time,
            )
        });
        if packed.is_ok_and(|packed| packed != bytes) {
            findings.add(
                "A5",
                name,
                "the same content packed by us gives other bytes",
            );
        }
    }
    let programs = image::programs(&layout);
    for platform in Platform::all() {
        let started = programs
            .get(&platform.without_variant())
            .map(|program| Sha256::of(program));
        if started.is_none() || started != linux.get(&platform).copied() {
            findings.add(
                "B8",
                name,
                format!("what starts on {platform} is not the binary of an archive"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
