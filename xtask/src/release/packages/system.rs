//! What the packages of Linux distributions install: the binary, the companions where the distribution looks for them, and
//! a systemd service that is off until somebody enables it. [`deb`](super::deb) and [`rpm`](super::rpm) pack it.

use anyhow::Context as _;
use noetl_oci::Blob;
use noetl_oci::gzip::gzip;
use noetl_oci::tar::Entry;

use crate::release::packages::companions::{Companion, THIRD_PARTY};
use crate::release::target::Target;
use crate::release::version::Release;

/// The package's name.
pub(crate) const NAME: &str = "noetl";
pub(crate) const SUMMARY: &str = "workflow automation from YAML playbooks";
pub(crate) const DESCRIPTION: &[&str] = &[
    "NoETL runs playbooks in YAML: steps of HTTP requests, SQL, Python, shell and",
    "other playbooks. It is one program that is a command line, a server with an",
    "API and a web page, and a worker.",
];
pub(crate) const MAINTAINER: &str = "NoETL maintainers <maintainers@noetl.io>";
/// The path of the binary.
const BINARY: &str = "usr/bin/noetl";
/// The settings of the service, which an upgrade leaves as the administrator changed them.
pub(crate) const SETTINGS: &str = "etc/noetl/noetl.env";

/// The script that runs after an installation and an upgrade: it makes the service's user.
pub(crate) const CONFIGURE: &str = include_str!("system/configure.sh");
/// The script that runs before the removal.
pub(crate) const STOP: &str = include_str!("system/stop.sh");
/// The script that runs after the removal. It leaves the user and `/var/lib/noetl`, which hold the executions.
pub(crate) const REMOVED: &str = include_str!("system/removed.sh");

/// The conventions of a family of distributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Debian and Ubuntu: deb.
    Debian,
    /// Fedora, Red Hat and SUSE: rpm.
    Fedora,
}

/// A deb or an rpm that was written.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub target: &'static Target,
    pub blob: Blob,
}

/// Returns the files, without their folders, with paths below `/`.
///
/// # Errors
/// When a companion cannot be compressed.
pub(crate) fn files(
    family: Family,
    binary: Blob,
    companions: &[Companion],
) -> anyhow::Result<Vec<Entry>> {
    let service = include_str!("system/noetl.service");
    let mut files = vec![
        Entry::file(BINARY, 0o755, binary),
        Entry::file("usr/lib/systemd/system/noetl.service", 0o644, service),
        // It can hold a key, and systemd reads it as root.
        Entry::file(SETTINGS, 0o600, include_str!("system/noetl.env")),
    ];
    for companion in companions {
        let Some(path) = path(family, &companion.path) else {
            continue;
        };
        let bytes = match path.ends_with(".gz") {
            true => gzip(&companion.bytes)?,
            false => companion.bytes.clone(),
        };
        files.push(Entry::file(&path, 0o644, bytes));
    }
    Ok(files)
}

/// Returns where a family has a companion; none for a shell that does not look for completions of packages.
fn path(family: Family, companion: &str) -> Option<String> {
    if let Some(page) = companion.strip_prefix("man/") {
        return Some(format!("usr/share/man/man1/{page}.gz"));
    }
    let path = match (family, companion) {
        (_, "completions/noetl.bash") => "usr/share/bash-completion/completions/noetl",
        (_, "completions/noetl.fish") => "usr/share/fish/vendor_completions.d/noetl.fish",
        (Family::Debian, "completions/_noetl") => "usr/share/zsh/vendor-completions/_noetl",
        (Family::Fedora, "completions/_noetl") => "usr/share/zsh/site-functions/_noetl",
        (_, "README.md") => "usr/share/doc/noetl/README.md",
        (Family::Debian, "CHANGELOG.md") => "usr/share/doc/noetl/changelog.gz",
        (Family::Fedora, "CHANGELOG.md") => "usr/share/doc/noetl/CHANGELOG.md",
        // Debian has the licence in the file `copyright`.
        (Family::Debian, THIRD_PARTY) => "usr/share/doc/noetl/third-party.gz",
        (Family::Fedora, "LICENSE") => "usr/share/licenses/noetl/LICENSE",
        (Family::Fedora, THIRD_PARTY) => "usr/share/licenses/noetl/THIRD-PARTY-LICENSES",
        _ => return None,
    };
    Some(path.to_owned())
}

/// Returns the version without the package's own revision: `~` sorts a pre-release before its release.
pub(crate) fn version(release: &Release) -> String {
    release.version.replacen('-', "~", 1)
}

/// Returns the binary among the installed files of a package.
///
/// # Errors
/// When it is missing.
pub(crate) fn binary(entries: &[Entry]) -> anyhow::Result<Blob> {
    let mut entries = entries.iter();
    let found = entries.find(|entry| entry.path.trim_start_matches("./") == BINARY);
    Ok(found
        .with_context(|| format!("/{BINARY} is missing"))?
        .content
        .clone())
}
