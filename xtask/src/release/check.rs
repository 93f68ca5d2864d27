//! A1 to A5, B7 and B8: dist/ as a whole and each archive in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use noetl_oci::rules::{self, Expectations, Family, Findings};
use noetl_oci::tar::{self, Entry};
use noetl_oci::{Blob, Image as OciImage, ImageSource, KnownLayers, Layout, Sha256};

use crate::release::dist_manifest::{
    self, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SUMS_NAME,
};
use crate::release::rules::{A1, A2, A3, A4, A5, B1, B8};
use crate::release::target::{Target, platforms};
use crate::release::{archives, checksums, programs};

/// Files of dist/ by name, each read from where it lies.
pub(crate) type Files = BTreeMap<String, Blob>;

/// What an image is held to: what is expected of it, and NoETL's own rules.
#[derive(Clone, Copy)]
pub(crate) struct ImageRules<'a> {
    /// What is expected of it.
    pub expected: &'a Expectations,
    /// The rules beside those on images of any maker.
    pub own: &'a dyn Family,
}

impl ImageRules<'_> {
    /// Checks an image. `known` are layers that were read before.
    ///
    /// # Errors
    /// When the source fails.
    pub(crate) fn check(
        &self,
        source: &dyn ImageSource,
        known: &KnownLayers,
    ) -> anyhow::Result<Findings> {
        rules::check(source, self.expected, &[self.own], known)
    }
}

/// Checks dist/; returns its manifest as well when that could be read.
///
/// `own_folders` are paths of this machine that must not stand in a binary.
pub(crate) fn check(
    files: &Files,
    own_folders: &[String],
    image: ImageRules<'_>,
) -> (Findings, Option<DistManifest>) {
    let mut findings = Findings::default();
    let document = files.get(FILE_NAME).context("it is missing");
    let parsed = document.and_then(|blob| {
        let bytes = blob.read()?;
        Ok(serde_json::from_slice::<DistManifest>(&bytes)?)
    });
    let Some(dist_manifest) = findings.require(&A1, FILE_NAME, parsed) else {
        return (findings, None);
    };
    if dist_manifest.schema != 1 {
        findings.add(
            &A2,
            FILE_NAME,
            format!("schema {} is not 1", dist_manifest.schema),
        );
    }
    check_listing(files, &dist_manifest, &mut findings);
    check_sums(files, &mut findings);
    let mut linux = BTreeMap::new();
    let mut documents = BTreeMap::new();
    for (artifact, blob) in present(files, &dist_manifest) {
        let Content::Archive(content) = &artifact.content else {
            continue;
        };
        let Some(unpacked) = check_archive(&dist_manifest, artifact, content, blob, &mut findings)
        else {
            continue;
        };
        programs::check(
            &dist_manifest,
            unpacked.target,
            &artifact.name,
            &unpacked.binary,
            own_folders,
            &mut findings,
        );
        if let Some(platform) = unpacked.target.platform() {
            linux.insert(platform.to_string(), Sha256::of(&unpacked.binary));
        }
        documents.insert(artifact.name.clone(), unpacked.documents);
    }
    for (name, texts) in &documents {
        if Some(texts) != documents.values().next() || texts.iter().any(Vec::is_empty) {
            findings.add(
                &A4,
                name,
                "its LICENSE or README is empty, or not that of the other archives",
            );
        }
    }
    // The image comes last, whatever its name: it is compared with the archives.
    for (artifact, blob) in present(files, &dist_manifest) {
        if let Content::Image(content) = &artifact.content {
            let tar = (artifact.name.as_str(), content, blob);
            check_image(&dist_manifest, tar, &linux, image, &mut findings);
        }
    }
    (findings, Some(dist_manifest))
}

fn present<'a>(
    files: &'a Files,
    dist_manifest: &'a DistManifest,
) -> impl Iterator<Item = (&'a Artifact, &'a Blob)> {
    let artifacts = dist_manifest.artifacts.iter();
    artifacts.filter_map(|artifact| Some((artifact, files.get(&artifact.name)?)))
}

fn check_listing(files: &Files, dist_manifest: &DistManifest, findings: &mut Findings) {
    let artifacts = &dist_manifest.artifacts;
    let mut expected: BTreeSet<&str> = artifacts
        .iter()
        .map(|artifact| artifact.name.as_str())
        .collect();
    expected.extend([FILE_NAME, SUMS_NAME]);
    for name in expected.iter().filter(|name| !files.contains_key(**name)) {
        findings.add(&A1, *name, "it is missing");
    }
    for name in files
        .keys()
        .filter(|name| !expected.contains(name.as_str()))
    {
        findings.add(&A1, name, format!("{FILE_NAME} does not list it"));
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
            &A1,
            FILE_NAME,
            format!("archives for [{archived}], targets [{targets}]"),
        );
    }
    for (artifact, blob) in present(files, dist_manifest) {
        let size = blob.length();
        let Some(sha256) = findings.require(&A2, &artifact.name, blob.sha256()) else {
            continue;
        };
        if (sha256, size) != (artifact.sha256, artifact.size) {
            findings.add(
                &A2,
                &artifact.name,
                format!("it is {size} bytes, {sha256}; {FILE_NAME} says otherwise"),
            );
        }
    }
}

/// `SHA256SUMS` must be what [`checksums::write`] writes for the files that are there, byte for byte.
fn check_sums(files: &Files, findings: &mut Findings) {
    let Some(found) = files.get(SUMS_NAME) else {
        return;
    };
    let Some(found) = findings.require(&A2, SUMS_NAME, found.read()) else {
        return;
    };
    let others = files.iter().filter(|(name, _)| *name != SUMS_NAME);
    let expected = others.filter_map(|(name, blob)| {
        let sha256 = findings.require(&A2, name, blob.sha256())?;
        Some((name.clone(), sha256))
    });
    let expected: BTreeMap<_, _> = expected.collect();
    if found == checksums::write(&expected).into_bytes() {
        return;
    }
    let parsed = std::str::from_utf8(&found)
        .map_err(Into::into)
        .and_then(checksums::parse);
    let Some(listed) = findings.require(&A2, SUMS_NAME, parsed) else {
        return;
    };
    for (name, sha256) in &expected {
        match listed.get(name) {
            Some(listed) if listed == sha256 => {}
            Some(_) => findings.add(&A2, name, format!("{SUMS_NAME} has another hash")),
            None => findings.add(&A2, name, format!("{SUMS_NAME} does not list it")),
        }
    }
    for name in listed.keys().filter(|name| !expected.contains_key(*name)) {
        findings.add(
            &A2,
            name,
            format!("{SUMS_NAME} lists it, and it is missing"),
        );
    }
    if listed == expected {
        findings.add(&A2, SUMS_NAME, "its lines are not in name order");
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
    blob: &Blob,
    findings: &mut Findings,
) -> Option<Unpacked> {
    let (release, name) = (&dist_manifest.release, artifact.name.as_str());
    let target =
        Target::find(&content.target).with_context(|| format!("unknown target {}", content.target));
    let target = findings.require(&A3, name, target)?;
    let expected = archives::file_name(release, target);
    if name != expected {
        findings.add(&A3, name, format!("it should be called {expected}"));
    }
    let bytes = findings.require(&A4, name, blob.read())?;
    let entries = findings.require(&A4, name, archives::unpack(target, &bytes))?;
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
    let [folder, license, readme, binary] = <[Entry; 4]>::try_from(entries)
        .map_err(|_| findings.add(&A4, name, format!("it holds {}", paths.join(", "))))
        .ok()?;
    let [license, readme] = [license, readme].map(|entry| entry.content.read());
    let (license, readme) = (license.ok()?, readme.ok()?);
    let packed = archives::entries(release, target, binary.content.clone(), &license, &readme);
    let expected = packed.iter().map(|entry| entry.path.clone());
    if paths != expected.collect::<Vec<_>>() {
        findings.add(&A4, name, format!("it holds {}", paths.join(", ")));
    } else if folder.content.length() == 0
        && !archives::is_packed_from(target, &packed, release.commit_time, &bytes).ok()?
    {
        findings.add(&A5, name, REPACKED);
    }
    let binary = binary.content.read().ok()?;
    let described = findings.require(&B1, name, Archive::describe(release, target, &binary));
    if described.is_some_and(|described| described != *content) {
        let message = format!("{FILE_NAME} describes another binary than the one inside");
        findings.add(&A2, name, message);
    }
    Some(Unpacked {
        target,
        binary,
        documents: vec![license, readme],
    })
}

/// Whatever the difference is, a mode, an owner, a time or a header: two builds would not agree.
const REPACKED: &str = "the same content packed again gives other bytes";

/// `linux` are the binaries of the archives, by platform.
fn check_image(
    dist_manifest: &DistManifest,
    (name, content, blob): (&str, &Image, &Blob),
    linux: &BTreeMap<String, Sha256>,
    image: ImageRules<'_>,
    findings: &mut Findings,
) {
    let expected = dist_manifest::image_name(&dist_manifest.release);
    if name != expected {
        findings.add(&A3, name, format!("it should be called {expected}"));
    }
    let Some(layout) = findings.require(&A4, name, Layout::of_tar(blob)) else {
        return;
    };
    let known = KnownLayers::default();
    let checked = findings.require(&A4, name, image.check(&layout, &known));
    findings
        .0
        .extend(checked.into_iter().flat_map(|checked| checked.0));
    if let Some(described) = findings.require(&A4, name, Image::describe(&layout)) {
        if described != *content {
            let message = format!("{FILE_NAME} describes another image than the one inside");
            findings.add(&A2, name, message);
        }
        let time = dist_manifest.release.commit_time;
        let packed = tar::write::stream(&layout.tar_entries(), time)
            .and_then(|tar| Ok(Sha256::of_reader(tar)?.0));
        if let (Ok(packed), Ok(found)) = (packed, blob.sha256())
            && packed != found
        {
            findings.add(&A5, name, REPACKED);
        }
    }
    let programs = OciImage::read(&layout).and_then(|image| image.programs(&layout, &known));
    let programs = findings.require(&A4, name, programs).unwrap_or_default();
    for platform in platforms() {
        let mut programs = programs.iter();
        let started = programs.find(|(name, _)| *name == platform.without_variant());
        let started = started.map(|(_, program)| Sha256::of(program));
        if started.is_none() || started != linux.get(&platform.to_string()).copied() {
            let message = format!("what starts on {platform} is not the binary of an archive");
            findings.add(&B8, name, message);
        }
    }
}

#[cfg(test)]
mod tests;
