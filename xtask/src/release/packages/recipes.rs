//! Recipes of package managers that install the archives: each names the downloads of one release by URL and SHA-256.
//! They are for repositories of other projects, so that they are in a folder of dist/.

mod arch;
mod homebrew;
mod nix;
mod scoop;
mod winget;

use std::collections::BTreeMap;

use noetl_oci::Sha256;

use crate::release::target::{Arch, Os, Target};
use crate::release::version::Release;

/// The folder in dist/.
pub(crate) const FOLDER: &str = "recipes";
/// What the recipes say of NoETL.
const DESCRIPTION: &str = "Workflow automation from YAML playbooks";

/// An archive that recipes and installers name.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub target: &'static Target,
    pub name: String,
    pub sha256: Sha256,
    /// The minimum version of macOS, as the binary's load commands say.
    pub macos_minimum: Option<(u32, u32)>,
}

/// What recipes are made of.
#[derive(Debug)]
struct Recipe<'a> {
    release: &'a Release,
    downloads: &'a [Download],
}

impl Recipe<'_> {
    /// Returns the archive for a system.
    fn find(&self, os: Os, arch: Arch) -> Option<&Download> {
        let mut downloads = self.downloads.iter();
        downloads.find(|it| (it.target.os, it.target.arch) == (os, arch))
    }

    fn url(&self, download: &Download) -> String {
        self.release.download_url(&download.name)
    }

    /// Returns the folder in an archive.
    fn folder(&self, download: &Download) -> String {
        crate::release::packages::archives::stem(self.release, download.target)
    }

    fn has(&self, os: Os) -> bool {
        self.downloads.iter().any(|it| it.target.os == os)
    }
}

/// Returns the recipes that have an archive to install, by their paths below dist/.
pub(crate) fn all(release: &Release, downloads: &[Download]) -> BTreeMap<String, String> {
    let recipe = Recipe { release, downloads };
    let mut files = BTreeMap::new();
    let mut add = |path: &str, text: String| files.insert(format!("{FOLDER}/{path}"), text);
    if recipe.has(Os::Linux) || recipe.has(Os::Mac) {
        add("homebrew/noetl.rb", homebrew::formula(&recipe));
        add("nix/flake.nix", nix::flake(&recipe));
    }
    if recipe.has(Os::Linux) {
        add("aur/PKGBUILD", arch::pkgbuild(&recipe));
        add("aur/.SRCINFO", arch::srcinfo(&recipe));
    }
    if recipe.has(Os::Windows) {
        add("scoop/noetl.json", scoop::manifest(&recipe));
        for (path, text) in winget::manifests(&recipe) {
            add(&format!("winget/{path}"), text);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::packages::archives;
    use crate::release::target::{TARGETS, Tier};

    fn downloads(of: impl Fn(&Target) -> bool) -> Vec<Download> {
        let release = fixtures::release();
        let targets = TARGETS
            .iter()
            .filter(|it| it.tier == Tier::Default && of(it));
        let download = |target: &'static Target| Download {
            target,
            name: archives::file_name(&release, target),
            sha256: Sha256::of(target.triple.as_bytes()),
            macos_minimum: (target.os == Os::Mac).then_some((11, 0)),
        };
        targets.map(download).collect()
    }

    #[test]
    fn each_recipe_names_the_archives_of_its_systems() {
        let downloads = downloads(|_| true);
        let files = all(&fixtures::release(), &downloads);
        let unix = [Os::Linux, Os::Mac];
        for (path, systems) in [
            ("aur/.SRCINFO", [Os::Linux].as_slice()),
            ("aur/PKGBUILD", &[Os::Linux]),
            ("homebrew/noetl.rb", &unix),
            ("scoop/noetl.json", &[Os::Windows]),
            ("winget/NoETL.NoETL.installer.yaml", &[Os::Windows]),
        ] {
            let text = &files[&format!("{FOLDER}/{path}")];
            for download in &downloads {
                let sha256 = download.sha256.to_string();
                let is_named =
                    text.contains(&download.name) && text.to_lowercase().contains(&sha256);
                let of_system = systems.contains(&download.target.os);
                assert_eq!(is_named, of_system, "{path}: {}", download.name);
            }
        }
        assert!(files["recipes/homebrew/noetl.rb"].contains("depends_on macos: :big_sur"));
        assert_eq!(files.len(), 8);
    }

    #[test]
    fn systems_without_an_archive_have_no_recipe() {
        let windows = all(&fixtures::release(), &downloads(|it| it.os == Os::Windows));
        assert!(
            windows
                .keys()
                .all(|path| path.contains("/scoop/") || path.contains("/winget/"))
        );
        let linux = all(&fixtures::release(), &downloads(|it| it.os == Os::Linux));
        assert_eq!(linux.len(), 4);
        assert!(!linux["recipes/homebrew/noetl.rb"].contains("on_macos"));
    }
}
