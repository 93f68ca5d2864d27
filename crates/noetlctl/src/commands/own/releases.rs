//! The releases of NoETL and their files.

use std::process::Command;

use anyhow::{Context as _, ensure};
use noetl_help::Help as _;
use noetl_oci::Sha256;

use crate::client::download::Downloads;
use crate::config;

const RELEASES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/releases");
/// The installer for this system.
const INSTALLER: &str = if cfg!(windows) {
    "install.ps1"
} else {
    "install.sh"
};
const SUMS: &str = "SHA256SUMS";
const NAME_ONE: &str = "name a version that has it: noetl self update --version VERSION";

/// The project's releases, or a mirror of them.
#[derive(Debug)]
pub(super) struct Releases {
    downloads: Downloads,
    mirror: Option<String>,
}

impl Releases {
    /// # Errors
    /// When `NOETL_DOWNLOAD_URL` is no URL, or `SSL_CERT_FILE` cannot be read.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mirror = config::download_url();
        let url = mirror.as_deref().unwrap_or(RELEASES);
        let is_url = url.starts_with("https://") || url.starts_with("http://");
        let checked = || {
            ensure!(is_url, "NOETL_DOWNLOAD_URL is not a URL: {url}");
            Ok(())
        };
        checked().help("unset NOETL_DOWNLOAD_URL, or name another mirror")?;
        Ok(Self {
            downloads: Downloads::new(url)?,
            mirror: mirror.map(|url| url.trim_end_matches('/').to_owned()),
        })
    }

    /// Returns the version of the newest release.
    ///
    /// # Errors
    /// When it cannot be downloaded.
    pub(super) fn newest(&self) -> anyhow::Result<String> {
        let url = match &self.mirror {
            Some(mirror) => format!("{mirror}/latest/{SUMS}"),
            None => format!("{RELEASES}/latest/download/{SUMS}"),
        };
        let sums = self.text(&url)?;
        let version = sums.lines().find_map(|line| {
            let (_, name) = line.split_once("  noetl-v")?;
            let mut archs = ["-x86_64-", "-aarch64-"].into_iter();
            archs.find_map(|arch| name.split_once(arch).map(|(version, _)| version.to_owned()))
        });
        version
            .with_context(|| format!("{url} lists no archive of noetl"))
            .help(NAME_ONE)
    }

    /// Returns name and content of the installer of a version.
    ///
    /// # Errors
    /// When it cannot be downloaded, or is not the one that the release lists.
    pub(super) fn installer(&self, version: &str) -> anyhow::Result<(&'static str, Vec<u8>)> {
        let folder = match &self.mirror {
            Some(mirror) => format!("{mirror}/v{version}"),
            None => format!("{RELEASES}/download/v{version}"),
        };
        let sums = self.text(&format!("{folder}/{SUMS}"))?;
        let url = format!("{folder}/{INSTALLER}");
        let listed = sums.lines().find_map(|line| match line.split_once("  ")? {
            (hash, INSTALLER) => Some(hash.to_owned()),
            _ => None,
        });
        let listed =
            listed.with_context(|| format!("{folder}/{SUMS} does not list {INSTALLER}"))?;
        let script = self.downloads.get(&url)?;
        let found = Sha256::of(&script).to_string();
        let compare = || {
            ensure!(
                found == listed,
                "{url} has the SHA-256 {found}, not {listed}"
            );
            Ok(())
        };
        compare().help("run it again; if it fails again, download a release by hand")?;
        Ok((INSTALLER, script))
    }

    /// Tells a command about the mirror.
    pub(super) fn tell(&self, command: &mut Command) {
        if let Some(mirror) = &self.mirror {
            command.env("NOETL_DOWNLOAD_URL", mirror);
        }
    }

    fn text(&self, url: &str) -> anyhow::Result<String> {
        let bytes = self.downloads.get(url)?;
        let text = String::from_utf8(bytes).with_context(|| format!("{url} is not text"));
        text.help(NAME_ONE)
    }
}

/// Whether one version is newer than another. A pre-release is older than its release.
pub(super) fn is_newer(one: &str, other: &str) -> bool {
    let parts = |version: &str| {
        let (numbers, pre) = version.split_once('-').unwrap_or((version, ""));
        let numbers = numbers.split('.').map(|it| it.parse().unwrap_or(0));
        let pre: Vec<_> = pre
            .split('.')
            .map(|it| (it.parse().unwrap_or(0_u64), it.to_owned()))
            .collect();
        (numbers.collect::<Vec<u64>>(), !version.contains('-'), pre)
    };
    parts(one) > parts(other)
}

#[cfg(test)]
mod tests {
    use super::is_newer;

    #[test]
    fn versions_are_compared_by_number() {
        for (newer, older) in [
            ("0.10.0", "0.9.9"),
            ("1.0.0", "0.99.0"),
            ("1.2.3", "1.2.3-rc.1"),
            ("1.2.3-rc.10", "1.2.3-rc.9"),
            ("1.2.4-rc.1", "1.2.3"),
        ] {
            assert!(is_newer(newer, older), "{newer} {older}");
            assert!(!is_newer(older, newer), "{older} {newer}");
        }
        assert!(!is_newer("1.2.3", "1.2.3"));
    }
}
