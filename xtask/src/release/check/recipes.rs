//! The rule A9 on installers and recipes.

use super::Check;
use crate::release::dist_manifest::{self, Content};
use crate::release::packages::{installers, recipes};
use crate::release::rules::A9;

impl Check<'_> {
    /// Compares installers and recipes with those that follow from the archives in the manifest.
    pub(super) fn recipes(&mut self) {
        let release = &self.manifest.release;
        let downloads = dist_manifest::downloads(&self.manifest.artifacts);
        let mut expected = installers::all(release, &downloads);
        if self.has_folder(recipes::FOLDER) {
            expected.extend(recipes::all(release, &downloads));
        }
        for (path, text) in &expected {
            let found = self.files.get(path).map(|blob| blob.read());
            match found {
                None => self.findings.add(&A9, path, "it is missing"),
                Some(Ok(found)) if found == text.as_bytes() => {}
                Some(_) => {
                    let message = "it is not the one of these archives";
                    self.findings.add(&A9, path, message);
                }
            }
        }
        for (artifact, _) in self.present() {
            let of_kind = matches!(artifact.content, Content::Installer | Content::Recipe);
            if of_kind && !expected.contains_key(&artifact.name) {
                let message = "there is no archive that it installs";
                self.findings.add(&A9, &artifact.name, message);
            }
        }
    }
}
