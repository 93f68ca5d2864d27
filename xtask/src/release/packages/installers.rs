//! The scripts that install an archive: for shells, and for PowerShell. They contain the hashes of the archives of their
//! release, so that a mirror cannot replace one.

use std::collections::BTreeMap;

use crate::release::checksums;
use crate::release::packages::recipes::Download;
use crate::release::target::Os;
use crate::release::version::Release;
use crate::release::workspace::REPOSITORY;

/// The script for shells.
pub(crate) const SHELL: &str = "install.sh";
/// The script for PowerShell.
pub(crate) const POWERSHELL: &str = "install.ps1";

/// Returns the installers that have an archive to install, by file name.
pub(crate) fn all(release: &Release, downloads: &[Download]) -> BTreeMap<String, String> {
    let is_windows = |it: &&Download| it.target.os == Os::Windows;
    let (windows, unix): (Vec<_>, Vec<_>) = downloads.iter().partition(is_windows);
    let mut files = BTreeMap::new();
    for (name, template, downloads) in [
        (SHELL, include_str!("installers/install.sh"), unix),
        (POWERSHELL, include_str!("installers/install.ps1"), windows),
    ] {
        if !downloads.is_empty() {
            files.insert(name.to_owned(), render(template, release, &downloads));
        }
    }
    files
}

fn render(template: &str, release: &Release, downloads: &[&Download]) -> String {
    let sums = downloads.iter().map(|it| (it.name.clone(), it.sha256));
    let sums = checksums::write(&sums.collect());
    let minimum = downloads.iter().filter_map(|it| it.macos_minimum).max();
    let minimum = minimum.map_or(String::new(), |(major, minor)| format!("{major}.{minor}"));
    template
        .replace("@VERSION@", &release.version)
        .replace("@REPOSITORY@", REPOSITORY)
        .replace("@MACOS_MINIMUM@", &minimum)
        .replace("@SUMS@", sums.trim_end())
}
