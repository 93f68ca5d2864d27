//! The rules W1 to W4, B8 and A6 on wheels and the source distribution.

use anyhow::Context as _;
use noetl_oci::{Blob, Sha256};

use super::Check;
use crate::release::binary;
use crate::release::dist_manifest::{FILE_NAME, Wheel};
use crate::release::packages::archives::REPACKED;
use crate::release::packages::companions::Companion;
use crate::release::packages::{sdist, wheel, zip};
use crate::release::rules::{A3, A6, B1, W1, W2, W3, W4};
use crate::release::target::{Format, Target};

impl Check<'_> {
    /// Checks a wheel and compares it with the archive of its target; `None` when it cannot be read to the end.
    pub(super) fn wheel(&mut self, name: &str, content: &Wheel, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        let triple = &content.target;
        let target = Target::find(triple).with_context(|| format!("unknown target {triple}"));
        let target = self.findings.require(&A3, name, target)?;
        let bytes = self.findings.require(&W2, name, blob.read())?;
        let entries = self.findings.require(&W2, name, zip::unpack(&bytes))?;
        let parts = wheel::contents(release, target, entries);
        let parts = self.findings.require(&W2, name, parts)?;
        let program = self.findings.require(&W2, name, parts.binary.read())?;
        self.identity(name, target, &parts.binary)?;
        self.compare(name, target, &parts);
        let facts = self.findings.require(&B1, name, binary::facts(&program))?;
        let tags = self
            .findings
            .require(&W1, name, wheel::tags(target, &facts))?;
        if tags != content.tags {
            let (tags, listed) = (tags.join("."), content.tags.join("."));
            let message = format!("its binary needs {tags}, and {FILE_NAME} says {listed}");
            self.findings.add(&W1, name, message);
        }
        let file_name = wheel::file_name(release, &tags);
        let file_name = self.findings.require(&A3, name, file_name)?;
        self.name(name, &file_name);
        let packed = wheel::entries(release, target, &tags, &parts);
        let packed = packed.and_then(|entries| zip::pack(&entries, release.commit_time));
        if self.findings.require(&W3, name, packed)? != bytes {
            self.findings.add(&W3, name, REPACKED);
        }
        Some(())
    }

    /// Checks the source distribution; `None` when it cannot be read.
    pub(super) fn sdist(&mut self, name: &str, blob: &Blob) -> Option<()> {
        let (release, ui_sha256) = (&self.manifest.release, self.manifest.ui_sha256);
        let file_name = sdist::file_name(release);
        let file_name = self.findings.require(&A3, name, file_name)?;
        self.name(name, &file_name);
        let bytes = self.findings.require(&W4, name, blob.read())?;
        // Without them, an archive breaks a rule already.
        let companions = self.companions.as_ref()?;
        let problems = sdist::problems(release, ui_sha256, companions, &bytes);
        for problem in self.findings.require(&W4, name, problems)? {
            self.findings.add(&W4, name, problem);
        }
        Some(())
    }

    /// Compares launcher, companions and SBOM of a wheel with those of the manifest.
    fn compare(&mut self, name: &str, target: &Target, parts: &wheel::Contents) {
        let described = |all: &[Companion]| all.iter().map(Companion::describe).collect::<Vec<_>>();
        let companions = self.manifest.companions.iter();
        let held: Vec<_> = companions
            .filter(|it| wheel::holds(&it.path))
            .cloned()
            .collect();
        if described(&parts.companions) != held {
            let message = format!("its companions are not those of {FILE_NAME}");
            self.findings.add(&A6, name, message);
        }
        if described(&parts.launcher) != self.manifest.launcher {
            let message = format!("its launcher is not that of {FILE_NAME}");
            self.findings.add(&W2, name, message);
        }
        let own = Some((Format::Sbom, target.triple));
        let mut artifacts = self.manifest.artifacts.iter();
        let sbom = artifacts.find(|artifact| artifact.content.format() == own);
        if sbom.is_none_or(|sbom| sbom.sha256 != Sha256::of(&parts.sbom)) {
            let message = format!("its SBOM is not that of {}", target.triple);
            self.findings.add(&W2, name, message);
        }
    }
}
