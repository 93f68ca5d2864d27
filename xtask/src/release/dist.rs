//! Makes dist/ from binaries: the packages of each, the tar of the image, the manifest and the checksums.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::{Blob, Layout, Sha256};

use crate::host::files;
use crate::release::binary::Facts;
use crate::release::cargo::Binary;
use crate::release::dist_manifest::{
    self, Alias, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, Npm, SCHEMA,
    SUMS_NAME, Sbom, System, Wheel,
};
use crate::release::packages::companions::Companion;
use crate::release::packages::sdist::Sources;
use crate::release::packages::signer::Signer;
use crate::release::packages::system::Packed;
use crate::release::packages::universal::{self, PARTS, UNIVERSAL};
use crate::release::packages::{apt, dnf};
use crate::release::packages::{
    archives, deb, installers, npm, recipes, repositories, rpm, sdist, wheel, zip,
};
use crate::release::plan::{PackagePlan, Plan};
use crate::release::proof::Proof;
use crate::release::target::{Format, Target};
use crate::release::version::Release;
use crate::release::{checksums, sbom};

/// What the packages of a release are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// The binaries, in the order of the plan's targets.
    pub binaries: &'a [Binary],
    /// How each binary was proved.
    pub proofs: &'a [Proof],
    /// The SBOM of each binary.
    pub sboms: &'a [Vec<u8>],
    /// The files that every package has beside the binary.
    pub companions: &'a [Companion],
    /// The files of the Python package.
    pub launcher: &'a [Companion],
    /// The files of the source distribution.
    pub sources: &'a Sources,
    /// The hash of the web page in every binary.
    pub ui_sha256: Sha256,
    /// The image, when there is one.
    pub image: Option<&'a Layout>,
    /// What signs the repositories, when somebody gave a key.
    pub signer: Option<Signer<'a>>,
}

/// Writes all files of dist/ to an empty folder.
///
/// # Errors
/// When a binary cannot be read, or a file cannot be written.
pub(crate) fn write(plan: &Plan, inputs: Inputs<'_>, folder: &Utf8Path) -> anyhow::Result<()> {
    let release = &plan.release;
    let mut written = Written {
        release,
        inputs,
        folder,
        artifacts: Vec::new(),
    };
    let built = inputs.binaries.iter().zip(inputs.sboms);
    for (planned, (built, sbom)) in plan.packages.iter().zip(built) {
        written.packages_of(planned, built, sbom)?;
    }
    let on_npm = npm::targets(&plan.targets);
    if !on_npm.is_empty() {
        written.npm(npm::NAME, None, &npm::Contents::Launcher(&on_npm))?;
    }
    if plan.universal {
        written.universal()?;
    }
    written.sdist()?;
    written.repositories(&plan.targets)?;
    written.recipes()?;
    if let Some(layout) = inputs.image {
        let name = dist_manifest::image_name(release);
        layout.write_tar(&folder.join(&name), release.commit_time)?;
        let content = Content::Image(Image::describe(layout)?);
        written.describe(&name, content)?;
    }
    let mut artifacts = written.artifacts;
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    let downloads = artifacts.iter().filter(|it| it.is_download());
    let sums = downloads.map(|it| (it.name.clone(), it.sha256));
    let mut sums: BTreeMap<_, _> = sums.collect();
    let targets = inputs.binaries.iter().map(|it| it.target.triple.to_owned());
    let dist_manifest = DistManifest {
        schema: SCHEMA,
        release: release.clone(),
        targets: targets.collect(),
        ui_sha256: inputs.ui_sha256,
        companions: inputs.companions.iter().map(Companion::describe).collect(),
        launcher: inputs.launcher.iter().map(Companion::describe).collect(),
        artifacts,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&dist_manifest)?);
    sums.insert(FILE_NAME.to_owned(), Sha256::of(text.as_bytes()));
    files::write(&folder.join(FILE_NAME), text)?;
    files::write(&folder.join(SUMS_NAME), checksums::write(&sums))
}

/// The files of a dist that are written.
struct Written<'a> {
    release: &'a Release,
    inputs: Inputs<'a>,
    folder: &'a Utf8Path,
    artifacts: Vec<Artifact>,
}

impl Written<'_> {
    fn add(&mut self, name: &str, bytes: &[u8], content: Content) -> anyhow::Result<()> {
        files::write(&self.folder.join(name), bytes)?;
        self.describe(name, content)
    }

    /// Adds a file that was written.
    fn describe(&mut self, name: &str, content: Content) -> anyhow::Result<()> {
        let blob = Blob::of_file(&self.folder.join(name))?;
        self.artifacts.push(Artifact {
            name: name.to_owned(),
            size: blob.length(),
            sha256: blob.sha256()?,
            proof: self.proof(&content),
            content,
        });
        Ok(())
    }

    /// Returns how the programs in a file were proved; of several, the weakest proof.
    fn proof(&self, content: &Content) -> Proof {
        let of = |is_in: &dyn Fn(&Binary) -> bool| {
            let binaries = self.inputs.binaries.iter().zip(self.inputs.proofs);
            let found = binaries.filter(|(built, _)| is_in(built));
            found
                .map(|(_, proof)| *proof)
                .min()
                .unwrap_or(Proof::NotChecked)
        };
        match content {
            Content::Universal => of(&|built| PARTS.contains(&built.target.triple)),
            Content::Image(_) => of(&|built| built.target.platform().is_some()),
            Content::Alias(alias) => {
                let mut artifacts = self.artifacts.iter();
                let original = artifacts.find(|it| it.name == alias.of);
                original.map_or(Proof::NotChecked, |it| it.proof)
            }
            Content::Sbom(_) => Proof::NotChecked,
            _ => match content.format() {
                Some((_, triple)) => of(&|built| built.target.triple == triple),
                None => Proof::NotChecked,
            },
        }
    }

    /// Writes the packages of a binary.
    fn packages_of(
        &mut self,
        planned: &PackagePlan,
        built: &Binary,
        document: &[u8],
    ) -> anyhow::Result<()> {
        let target = built.target;
        let bytes = files::read(&built.path)?;
        let content = Archive::describe(self.release, target, &bytes);
        let content = content.with_context(|| format!("cannot read {}", built.path))?;
        for format in planned.formats {
            match format {
                Format::Archive => self.archive(target, &bytes, content.clone())?,
                Format::Sbom => {
                    let name = sbom::file_name(self.release, target);
                    let target = target.triple.to_owned();
                    self.add(&name, document, Content::Sbom(Sbom { target }))?;
                }
                Format::Wheel => self.wheel(target, &bytes, &content.facts, document)?,
                Format::Deb => self.deb(target, &bytes, &content.facts)?,
                Format::Rpm => self.rpm(target, &bytes)?,
                Format::Npm => {
                    let contents = npm::Contents::Program(target, bytes.clone().into());
                    self.npm(&npm::package(target), Some(target), &contents)?;
                }
            }
        }
        Ok(())
    }

    fn archive(&mut self, target: &Target, binary: &[u8], content: Archive) -> anyhow::Result<()> {
        let companions = self.inputs.companions;
        let entries = archives::entries(self.release, target, binary.to_vec(), companions);
        let packed = archives::pack(target, &entries, self.release.commit_time)?;
        let of = archives::file_name(self.release, target);
        self.add(&of, &packed, Content::Archive(content))?;
        let alias = archives::alias(target);
        self.add(&alias, &packed, Content::Alias(Alias { of }))
    }

    fn wheel(
        &mut self,
        target: &Target,
        binary: &[u8],
        facts: &Facts,
        sbom: &[u8],
    ) -> anyhow::Result<()> {
        let tags = wheel::tags(target, facts)?;
        let contents = wheel::Contents {
            binary: binary.to_vec().into(),
            launcher: self.inputs.launcher.to_vec(),
            companions: self.inputs.companions.to_vec(),
            sbom: sbom.to_vec(),
        };
        let entries = wheel::entries(self.release, target, &tags, &contents)?;
        let packed = zip::pack(&entries, self.release.commit_time)?;
        let name = wheel::file_name(self.release, &tags)?;
        let target = target.triple.to_owned();
        self.add(&name, &packed, Content::Wheel(Wheel { target, tags }))
    }

    fn deb(&mut self, target: &Target, binary: &[u8], facts: &Facts) -> anyhow::Result<()> {
        let (release, companions) = (self.release, self.inputs.companions);
        let package = deb::package(release, target, facts, binary.to_vec().into(), companions)?;
        let packed = deb::write(&package, release.commit_time)?;
        let name = deb::file_name(release, target);
        let target = target.triple.to_owned();
        self.add(&name, &packed, Content::Deb(System { target }))
    }

    fn rpm(&mut self, target: &Target, binary: &[u8]) -> anyhow::Result<()> {
        let (release, companions) = (self.release, self.inputs.companions);
        let entries = rpm::entries(binary.to_vec().into(), companions)?;
        let packed = rpm::write(release, target, &entries)?;
        let name = rpm::file_name(release, target);
        let target = target.triple.to_owned();
        self.add(&name, &packed, Content::Rpm(System { target }))
    }

    /// Writes the archive for both kinds of Macs.
    fn universal(&mut self) -> anyhow::Result<()> {
        let read = |triple: &str| {
            let mut binaries = self.inputs.binaries.iter();
            let built = binaries.find(|built| built.target.triple == triple);
            let built = built.with_context(|| format!("there is no binary for {triple}"))?;
            files::read(&built.path)
        };
        let [intel, arm] = [read(PARTS[0])?, read(PARTS[1])?];
        let binary = universal::join([&intel, &arm])?;
        let (release, companions) = (self.release, self.inputs.companions);
        let entries = archives::entries(release, &UNIVERSAL, binary, companions);
        let packed = archives::pack(&UNIVERSAL, &entries, release.commit_time)?;
        let name = archives::file_name(release, &UNIVERSAL);
        self.add(&name, &packed, Content::Universal)
    }

    fn sdist(&mut self) -> anyhow::Result<()> {
        let (release, inputs) = (self.release, self.inputs);
        let entries = sdist::entries(release, inputs.sources, inputs.companions)?;
        let packed = archives::tar_gz(&entries, release.commit_time)?;
        self.add(&sdist::file_name(release)?, &packed, Content::Sdist)
    }

    /// Writes the repositories of the packages that were written.
    fn repositories(&mut self, targets: &[&'static Target]) -> anyhow::Result<()> {
        let release = self.release;
        let (mut debs, mut rpms) = (Vec::new(), Vec::new());
        for target in targets {
            if target.formats().contains(&Format::Deb) {
                let of = deb::file_name(release, target);
                let blob = self.copy(&of, &apt::path(release, target))?;
                debs.push(Packed { target, blob });
            }
            if target.formats().contains(&Format::Rpm) {
                let of = rpm::file_name(release, target);
                let blob = self.copy(&of, &dnf::path(release, target))?;
                rpms.push(Packed { target, blob });
            }
        }
        let lists = repositories::lists(release, &debs, &rpms)?;
        let signatures = self.inputs.signer.map(|it| repositories::sign(&lists, &it));
        let signatures = signatures.transpose()?.unwrap_or_default();
        for (path, bytes) in lists.iter().chain(&signatures) {
            self.add(path, bytes, Content::Repository)?;
        }
        Ok(())
    }

    /// Writes the installers and recipes of the archives that were written.
    fn recipes(&mut self) -> anyhow::Result<()> {
        let downloads = dist_manifest::downloads(&self.artifacts);
        for (name, text) in installers::all(self.release, &downloads) {
            self.add(&name, text.as_bytes(), Content::Installer)?;
        }
        for (path, text) in recipes::all(self.release, &downloads) {
            self.add(&path, text.as_bytes(), Content::Recipe)?;
        }
        Ok(())
    }

    /// Writes a second copy of a file, and returns its bytes.
    fn copy(&mut self, of: &str, path: &str) -> anyhow::Result<Blob> {
        let bytes = files::read(&self.folder.join(of))?;
        let of = of.to_owned();
        self.add(path, &bytes, Content::Alias(Alias { of }))?;
        Ok(bytes.into())
    }

    fn npm(
        &mut self,
        package: &str,
        target: Option<&Target>,
        contents: &npm::Contents<'_>,
    ) -> anyhow::Result<()> {
        let entries = npm::entries(self.release, contents, self.inputs.companions)?;
        let packed = archives::tar_gz(&entries, self.release.commit_time)?;
        let content = Npm {
            package: package.to_owned(),
            target: target.map(|target| target.triple.to_owned()),
        };
        let name = npm::file_name(self.release, package);
        self.add(&name, &packed, Content::Npm(content))
    }
}
