//! The rules A1 to A7, B7 and B8 on dist/ as a whole and on each file in it.

mod npm;
mod recipes;
mod repositories;
mod system;
mod universal;
mod wheels;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use noetl_oci::rules::{self, Expectations, Family, Findings};
use noetl_oci::tar;
use noetl_oci::{Blob, Image as OciImage, ImageSource, KnownLayers, Layout, Sha256};

use crate::release::dist_manifest::{
    self, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SCHEMA, SUMS_NAME,
};
use crate::release::packages::archives::REPACKED;
use crate::release::packages::companions::{Companion, Described};
use crate::release::packages::{apt, archives, companions, dnf};
use crate::release::rules::{A1, A2, A3, A4, A5, A6, A7, B1, B8, B9};
use crate::release::sbom::{self, drift};
use crate::release::target::{Format, Target, platforms};
use crate::release::{checksums, programs};

/// The files of dist/ by name.
pub(crate) type Files = BTreeMap<String, Blob>;

/// The rules for an image: what is expected of it, and NoETL's own rules.
#[derive(Clone, Copy)]
pub(crate) struct ImageRules<'a> {
    /// What is expected of the image.
    pub expected: &'a Expectations,
    /// NoETL's own rules, in addition to those for every image.
    pub own: &'a dyn Family,
}

impl ImageRules<'_> {
    /// Checks an image. `known` contains layers that have been read before.
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

/// Checks dist/ and returns the findings with its manifest, which is `None` when it cannot be read.
///
/// `own_folders` are paths of this machine that must not be in a binary.
pub(crate) fn check(
    files: &Files,
    own_folders: &[String],
    image: ImageRules<'_>,
) -> (Findings, Option<DistManifest>) {
    let mut findings = Findings::default();
    let document = files.get(FILE_NAME).context("it is missing");
    let parsed = document.and_then(|blob| Ok(serde_json::from_slice(&blob.read()?)?));
    let Some(manifest) = findings.require::<DistManifest>(&A1, FILE_NAME, parsed) else {
        return (findings, None);
    };
    if manifest.schema != SCHEMA {
        let message = format!("schema {} is not {SCHEMA}", manifest.schema);
        findings.add(&A2, FILE_NAME, message);
    }
    let mut check = Check {
        files,
        manifest: &manifest,
        own_folders,
        findings,
        binaries: BTreeMap::new(),
        companions: None,
    };
    check.listing();
    check.sums();
    for (artifact, blob) in check.present() {
        match &artifact.content {
            Content::Archive(content) => drop(check.archive(&artifact.name, content, blob)),
            Content::Alias(content) => check.alias(artifact, &content.of),
            _ => {}
        }
    }
    // These are compared with the archives, so that they come last.
    for (artifact, blob) in check.present() {
        let name = &artifact.name;
        match &artifact.content {
            Content::Image(content) => drop(check.image(name, content, blob, image)),
            Content::Wheel(content) => drop(check.wheel(name, content, blob)),
            Content::Universal => drop(check.universal(name, blob)),
            Content::Sdist => drop(check.sdist(name, blob)),
            Content::Npm(content) => drop(check.npm(name, content, blob)),
            Content::Deb(content) => drop(check.deb(name, content, blob)),
            Content::Rpm(content) => drop(check.rpm(name, content, blob)),
            _ => {}
        }
    }
    check.repositories();
    check.recipes();
    (check.findings, Some(manifest))
}

/// The state of a check of dist/.
struct Check<'a> {
    files: &'a Files,
    manifest: &'a DistManifest,
    own_folders: &'a [String],
    findings: Findings,
    /// The hashes of the binaries in the archives, by target.
    binaries: BTreeMap<&'static str, Sha256>,
    /// The companions, which are the same in all packages, once an archive had those of the manifest.
    companions: Option<Vec<Companion>>,
}

impl<'a> Check<'a> {
    /// Returns the artifacts in the manifest whose files exist.
    fn present(&self) -> impl Iterator<Item = (&'a Artifact, &'a Blob)> + use<'a> {
        let (files, artifacts) = (self.files, self.manifest.artifacts.iter());
        artifacts.filter_map(|artifact| Some((artifact, files.get(&artifact.name)?)))
    }

    /// Compares the files with the manifest.
    fn listing(&mut self) {
        let findings = &mut self.findings;
        let artifacts = &self.manifest.artifacts;
        let listed = artifacts.iter().map(|artifact| artifact.name.as_str());
        let listed: BTreeSet<_> = listed.chain([FILE_NAME, SUMS_NAME]).collect();
        let found: BTreeSet<_> = self.files.keys().map(String::as_str).collect();
        for name in listed.difference(&found) {
            // Files that are downloads of a release have no repositories beside them.
            let folder = name.split_once('/').map(|(folder, _)| format!("{folder}/"));
            if folder.is_none_or(|folder| found.iter().any(|it| it.starts_with(&folder))) {
                findings.add(&A1, *name, "it is missing");
            }
        }
        for name in found.difference(&listed) {
            findings.add(&A1, *name, format!("{FILE_NAME} does not list it"));
        }
        let mut found: Vec<_> = artifacts
            .iter()
            .filter_map(|it| it.content.format())
            .collect();
        found.sort_unstable();
        let mut expected = Vec::new();
        for triple in &self.manifest.targets {
            let formats =
                Target::find(triple).map_or([Format::Archive].as_slice(), |it| it.formats());
            expected.extend(formats.iter().map(|format| (*format, triple.as_str())));
        }
        expected.sort_unstable();
        if found != expected || expected.is_empty() {
            let message = format!("files {found:?}, expected {expected:?}");
            findings.add(&A1, FILE_NAME, message);
        }
        let count =
            |is: &dyn Fn(&Content) -> bool| artifacts.iter().filter(|it| is(&it.content)).count();
        let launchers = count(&|it| matches!(it, Content::Npm(npm) if npm.target.is_none()));
        let has_packages = expected.iter().any(|(format, _)| *format == Format::Npm);
        if launchers != usize::from(has_packages) {
            let message = format!("{launchers} files are npm's package noetl");
            findings.add(&A1, FILE_NAME, message);
        }
        let sources = count(&|it| *it == Content::Sdist);
        if sources != 1 {
            let message = format!("{sources} files are the source distribution");
            findings.add(&A1, FILE_NAME, message);
        }
        for (artifact, blob) in self.present() {
            let (name, size) = (&artifact.name, blob.length());
            let sha256 = self.findings.require(&A2, name, blob.sha256());
            if let Some(sha256) =
                sha256.filter(|it| (*it, size) != (artifact.sha256, artifact.size))
            {
                let message = format!("it is {size} bytes, {sha256}; {FILE_NAME} differs");
                self.findings.add(&A2, name, message);
            }
        }
    }

    /// Compares `SHA256SUMS` with what [`checksums::write()`] writes for the files, byte for byte.
    fn sums(&mut self) -> Option<()> {
        let findings = &mut self.findings;
        let found = findings.require(&A2, SUMS_NAME, self.files.get(SUMS_NAME)?.read())?;
        let mut expected = BTreeMap::new();
        let is_summed = |name: &str| name != SUMS_NAME && !name.contains('/');
        for (name, blob) in self.files.iter().filter(|(name, _)| is_summed(name)) {
            let sha256 = findings.require(&A2, name, blob.sha256());
            expected.extend(sha256.map(|sha256| (name.clone(), sha256)));
        }
        if found == checksums::write(&expected).into_bytes() {
            return None;
        }
        let text = std::str::from_utf8(&found).map_err(Into::into);
        let listed = findings.require(&A2, SUMS_NAME, text.and_then(checksums::parse))?;
        for (name, sha256) in &expected {
            match listed.get(name) {
                Some(listed) if listed == sha256 => {}
                Some(_) => findings.add(&A2, name, format!("{SUMS_NAME} has another hash")),
                None => findings.add(&A2, name, format!("{SUMS_NAME} does not list it")),
            }
        }
        for name in listed.keys().filter(|name| !expected.contains_key(*name)) {
            let message = format!("{SUMS_NAME} lists it, and it is missing");
            findings.add(&A2, name, message);
        }
        if listed == expected {
            findings.add(&A2, SUMS_NAME, "its lines are not in name order");
        }
        Some(())
    }

    fn name(&mut self, name: &str, expected: &str) {
        if name != expected {
            let message = format!("it should be called {expected}");
            self.findings.add(&A3, name, message);
        }
    }

    /// Compares the program of a package with that of the archive of its target; `None` when it cannot be read.
    fn identity(&mut self, name: &str, target: &Target, program: &Blob) -> Option<()> {
        let sha256 = self.findings.require(&B8, name, program.sha256())?;
        if self.binaries.get(target.triple) != Some(&sha256) {
            let message = format!(
                "its program is not that of the archive for {}",
                target.triple
            );
            self.findings.add(&B8, name, message);
        }
        Some(())
    }

    /// Checks an archive and its binary; `None` when it cannot be read to the end.
    fn archive(&mut self, name: &str, content: &Archive, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        let triple = &content.target;
        let target = Target::find(triple).with_context(|| format!("unknown target {triple}"));
        let target = self.findings.require(&A3, name, target)?;
        self.name(name, &archives::file_name(release, target));
        let bytes = self.findings.require(&A4, name, blob.read())?;
        let entries = archives::unpack(target, &bytes);
        let entries = self.findings.require(&A4, name, entries)?;
        let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
        let parts = archives::parts(release, target, entries);
        let (binary, companions) = self.findings.require(&A4, name, parts)?;
        let packed = archives::entries(release, target, binary.clone(), &companions);
        if packed.iter().map(|entry| &entry.path).eq(&paths) {
            let same = archives::is_packed_from(target, &packed, release.commit_time, &bytes);
            if self.findings.require(&A5, name, same) == Some(false) {
                self.findings.add(&A5, name, REPACKED);
            }
        } else {
            let message = format!("it contains {}", paths.join(", "));
            self.findings.add(&A4, name, message);
        }
        self.companions(name, &companions);
        let binary = self.findings.require(&A4, name, binary.read())?;
        let described = Archive::describe(release, target, &binary);
        let described = self.findings.require(&B1, name, described);
        if described.is_some_and(|described| described != *content) {
            let message = format!("{FILE_NAME} describes another binary");
            self.findings.add(&A2, name, message);
        }
        let (manifest, folders) = (self.manifest, self.own_folders);
        programs::check(manifest, target, name, &binary, folders, &mut self.findings);
        self.binaries.insert(target.triple, Sha256::of(&binary));
        self.sbom(target, &binary);
        Some(())
    }

    /// Compares the companions in a package with those of the manifest, and reads them the first time.
    fn companions(&mut self, name: &str, found: &[Companion]) {
        let listed = &self.manifest.companions;
        // In the order of their paths; A4 is about the order in the package.
        let mut described: Vec<_> = found.iter().map(Companion::describe).collect();
        described.sort();
        if described != *listed {
            let of = |all: &[Described]| all.iter().cloned().collect::<BTreeSet<_>>();
            let (found, listed) = (of(&described), of(listed));
            let differs = found.symmetric_difference(&listed);
            let paths: BTreeSet<_> = differs.map(|companion| companion.path.as_str()).collect();
            let paths = paths.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("not those of {FILE_NAME}: {paths}");
            self.findings.add(&A6, name, message);
        } else if self.companions.is_none() {
            self.companions = Some(found.to_vec());
            for problem in companions::problems(found) {
                self.findings.add(&A6, name, problem);
            }
        }
    }

    /// Checks the SBOM of an archive's binary; `None` when it cannot be read.
    fn sbom(&mut self, target: &Target, binary: &[u8]) -> Option<()> {
        let own = Some((Format::Sbom, target.triple));
        let mut present = self.present();
        let (artifact, blob) = present.find(|(artifact, _)| artifact.content.format() == own)?;
        let name = &artifact.name;
        self.name(name, &sbom::file_name(&self.manifest.release, target));
        let document = blob
            .read()
            .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        let document = self.findings.require(&B9, name, document)?;
        for difference in drift::of_program(&document, binary) {
            self.findings.add(&B9, name, difference);
        }
        Some(())
    }

    /// Compares a copy with the file that it is a copy of.
    fn alias(&mut self, artifact: &Artifact, of: &str) {
        let release = &self.manifest.release;
        let original = self.manifest.artifacts.iter().find(|it| it.name == of);
        let expected = original.and_then(|it| {
            let (format, triple) = it.content.format()?;
            let target = Target::find(triple)?;
            match format {
                Format::Archive => Some(archives::alias(target)),
                Format::Deb => Some(apt::path(release, target)),
                Format::Rpm => Some(dnf::path(release, target)),
                _ => None,
            }
        });
        let Some((original, expected)) = original.zip(expected) else {
            let message = format!("{of}, which it is a copy of, is no archive, deb or rpm");
            return self.findings.add(&A7, &artifact.name, message);
        };
        self.name(&artifact.name, &expected);
        if artifact.sha256 != original.sha256 {
            let message = format!("it is not a copy of {of}");
            self.findings.add(&A7, &artifact.name, message);
        }
    }

    /// Checks the image; `None` when it cannot be read.
    fn image(
        &mut self,
        name: &str,
        content: &Image,
        blob: &Blob,
        rules: ImageRules<'_>,
    ) -> Option<()> {
        let release = &self.manifest.release;
        self.name(name, &dist_manifest::image_name(release));
        let findings = &mut self.findings;
        let layout = findings.require(&A4, name, Layout::of_tar(blob))?;
        let known = KnownLayers::default();
        let checked = findings.require(&A4, name, rules.check(&layout, &known));
        findings.0.extend(checked.unwrap_or_default().0);
        if let Some(described) = findings.require(&A4, name, Image::describe(&layout)) {
            if described != *content {
                let message = format!("{FILE_NAME} describes another image");
                findings.add(&A2, name, message);
            }
            let packed = tar::write::stream(&layout.tar_entries(), release.commit_time);
            let same = packed.and_then(|tar| Ok(Sha256::of_reader(tar)?.0 == blob.sha256()?));
            if findings.require(&A5, name, same) == Some(false) {
                findings.add(&A5, name, REPACKED);
            }
        }
        let programs = OciImage::read(&layout).and_then(|image| image.programs(&layout, &known));
        let programs = findings.require(&A4, name, programs).unwrap_or_default();
        for platform in platforms() {
            let mut programs = programs.iter();
            let program = programs.find(|(name, _)| *name == platform.without_variant());
            let sha256 = program.map(|(_, program)| Sha256::of(program));
            let target = Target::of_platform(&platform).ok();
            let archived = target.and_then(|target| self.binaries.get(target.triple));
            if sha256.is_none() || sha256.as_ref() != archived {
                let message = format!("its program for {platform} is not the binary of an archive");
                findings.add(&B8, name, message);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
