//! The rule A8 on the repositories.

use super::Check;
use crate::release::dist_manifest::{Artifact, Content};
use crate::release::packages::repositories;
use crate::release::packages::system::Packed;
use crate::release::packages::{apt, dnf};
use crate::release::rules::A8;
use crate::release::target::Target;

impl Check<'_> {
    /// Compares the lists with the debs and rpms, and signed lists with those that are not; `None` when a package cannot
    /// be read.
    pub(super) fn repositories(&mut self) -> Option<()> {
        let (mut debs, mut rpms) = (Vec::new(), Vec::new());
        for (artifact, blob) in self.present() {
            match &artifact.content {
                Content::Deb(deb) => debs.extend(Target::find(&deb.target).map(|target| Packed {
                    target,
                    blob: blob.clone(),
                })),
                Content::Rpm(rpm) => rpms.extend(Target::find(&rpm.target).map(|target| Packed {
                    target,
                    blob: blob.clone(),
                })),
                _ => {}
            }
        }
        // Files that are downloads of a release have no repositories beside them.
        if !self.has_folder(apt::FOLDER) {
            debs.clear();
        }
        if !self.has_folder(dnf::FOLDER) {
            rpms.clear();
        }
        let release = &self.manifest.release;
        let lists = repositories::lists(release, &debs, &rpms);
        let lists = self.findings.require(&A8, "repositories", lists)?;
        for (path, expected) in &lists {
            let found = self.files.get(path).map(|blob| blob.read());
            match found {
                None => self.findings.add(&A8, path, "it is missing"),
                Some(Ok(found)) if found == *expected => {}
                Some(_) => {
                    let message = "it is not the list of the packages in dist/";
                    self.findings.add(&A8, path, message);
                }
            }
        }
        for (list, inline, _) in apt::to_sign() {
            let (Some(signed), Some(expected)) = (self.files.get(&inline), lists.get(&list)) else {
                continue;
            };
            let text = signed
                .read()
                .and_then(|bytes| repositories::signed_text(&bytes));
            let text = self.findings.require(&A8, &inline, text)?;
            if text.as_bytes() != expected {
                let message = format!("it is not {list} with a signature");
                self.findings.add(&A8, inline, message);
            }
        }
        let signed = repositories::signed_paths();
        let is_known = |artifact: &Artifact| {
            lists.contains_key(&artifact.name) || signed.contains(&artifact.name)
        };
        for (artifact, _) in self.present() {
            if artifact.content == Content::Repository && !is_known(artifact) {
                let message = "it belongs to no repository";
                self.findings.add(&A8, &artifact.name, message);
            }
        }
        Some(())
    }

    /// Whether dist/ has a folder at all.
    pub(super) fn has_folder(&self, folder: &str) -> bool {
        let below = |name: &String| {
            name.strip_prefix(folder)
                .is_some_and(|it| it.starts_with('/'))
        };
        self.files.keys().any(below)
    }
}
