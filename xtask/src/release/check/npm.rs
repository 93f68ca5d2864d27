//! The rules N1 and N2, B8 and A6 on an npm package.

use anyhow::Context as _;
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use super::Check;
use crate::release::dist_manifest::{FILE_NAME, Npm};
use crate::release::packages::archives::REPACKED;
use crate::release::packages::companions::Companion;
use crate::release::packages::{archives, npm};
use crate::release::rules::{A3, A6, N1, N2};
use crate::release::target::Target;

impl Check<'_> {
    /// Checks a package and compares it with the archive of its target; `None` when it cannot be read to the end.
    pub(super) fn npm(&mut self, name: &str, content: &Npm, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        let bytes = self.findings.require(&N2, name, blob.read())?;
        let entries = self
            .findings
            .require(&N2, name, archives::untar_gz(&bytes))?;
        let parts = npm::parts(entries.clone());
        let (program, companions) = self.findings.require(&N2, name, parts)?;
        let known = self
            .manifest
            .targets
            .iter()
            .filter_map(|triple| Target::find(triple));
        let targets = npm::targets(&known.collect::<Vec<_>>());
        let (package, contents) = match &content.target {
            None => (npm::NAME.to_owned(), npm::Contents::Launcher(&targets)),
            Some(triple) => {
                let target =
                    Target::find(triple).with_context(|| format!("unknown target {triple}"));
                let target = self.findings.require(&A3, name, target)?;
                let program = program.context("it has no program");
                let program = self.findings.require(&N2, name, program)?;
                self.identity(name, target, &program)?;
                (
                    npm::package(target),
                    npm::Contents::Program(target, program),
                )
            }
        };
        self.name(name, &npm::file_name(release, &package));
        if content.package != package {
            let message = format!("it is {package}, and {FILE_NAME} says {}", content.package);
            self.findings.add(&N1, name, message);
        }
        let listed = self.manifest.companions.iter();
        let held = listed.filter(|it| npm::holds(&contents, &it.path));
        if !companions.iter().map(Companion::describe).eq(held.cloned()) {
            let message = format!("its companions are not those of {FILE_NAME}");
            self.findings.add(&A6, name, message);
        }
        // package.json and the launcher follow from the targets.
        let expected = npm::entries(release, &contents, &companions);
        let expected = self.findings.require(&N2, name, expected)?;
        let same = archives::is_tar_gz_of(&expected, release.commit_time, &bytes);
        if self.findings.require(&N2, name, same) == Some(false) {
            match differing(&expected, &entries) {
                Some(path) => {
                    let message = format!("{path} is not that of these targets and this version");
                    self.findings.add(&N1, name, message);
                }
                None => self.findings.add(&N2, name, REPACKED),
            }
        }
        Some(())
    }
}

/// Returns the file that follows from the targets and differs; otherwise a mode, an owner, a time or a header does.
fn differing(expected: &[Entry], found: &[Entry]) -> Option<&'static str> {
    let content = |all: &[Entry], path: &str| {
        let entry = all.iter().find(|entry| entry.path == path)?;
        entry.content.read().ok().map(|bytes| Sha256::of(&bytes))
    };
    let mut paths = ["package/package.json", "package/bin/noetl.js"].into_iter();
    paths.find(|path| content(expected, path) != content(found, path))
}
