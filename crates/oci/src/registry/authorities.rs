//! Which certificate authorities are trusted: those of the system, those of files that the caller names, and those that
//! Docker keeps for single hosts.

use std::fs;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, parse_pem};

use crate::files;

/// The authorities that are trusted besides those of the system.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    /// Files of certificates in PEM, such as that of `SSL_CERT_FILE`.
    pub files: Vec<Utf8PathBuf>,
    /// Folders of such files, such as that of `SSL_CERT_DIR`.
    pub folders: Vec<Utf8PathBuf>,
    /// Folders that have, for a host, a folder named after it, as Docker's `certs.d`: its `*.crt` are authorities, and
    /// `*.cert` with `*.key` is what this machine shows.
    pub hosts: Vec<Utf8PathBuf>,
}

/// What TLS to a host is begun with.
pub(super) struct Certificates {
    pub(super) roots: RootCerts,
    pub(super) own: Option<ClientCert>,
}

/// Where systems keep the certificates of their authorities in one file: Debian, Fedora, SUSE, Alpine and macOS, RHEL.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

impl Authorities {
    /// Returns whether a host has authorities or a certificate of its own.
    pub(super) fn knows(&self, host: &str) -> bool {
        self.folder_of(host).is_some()
    }

    fn folder_of(&self, host: &str) -> Option<Utf8PathBuf> {
        let mut folders = self.hosts.iter().map(|folder| folder.join(host));
        folders.find(|folder| folder.is_dir())
    }

    /// Returns the certificates for TLS to a host. Without any of the caller's, the system verifies.
    ///
    /// # Errors
    /// When a file cannot be read, or has no certificate in it.
    pub(super) fn certificates(&self, host: &str) -> anyhow::Result<Certificates> {
        let mut roots = Vec::new();
        for path in &self.files {
            roots.extend(read(path)?);
        }
        for folder in &self.folders {
            for path in files_with(folder, &["pem", "crt", "0"])? {
                // Such folders also have files without certificates, and links that lead nowhere.
                roots.extend(read(&path).unwrap_or_default());
            }
        }
        let mut own = None;
        if let Some(folder) = self.folder_of(host) {
            for path in files_with(&folder, &["crt"])? {
                roots.extend(read(&path)?);
            }
            if let Some(path) = files_with(&folder, &["cert"])?.first() {
                let key = path.with_extension("key");
                let pem = files::read(&key)?;
                let key = PrivateKey::from_pem(&pem)
                    .with_context(|| format!("{key} is not a private key in PEM"))?;
                own = Some(ClientCert::new_with_certs(&read(path)?, key));
            }
        }
        if roots.is_empty() {
            let roots = RootCerts::PlatformVerifier;
            return Ok(Certificates { roots, own });
        }
        let system = SYSTEM.map(Utf8Path::new);
        if let Some(system) = system.into_iter().find(|path| path.is_file()) {
            roots.extend(read(system)?);
        }
        Ok(Certificates {
            roots: RootCerts::from(roots),
            own,
        })
    }
}

/// Reads the certificates in a file; other items are skipped.
fn read(path: &Utf8Path) -> anyhow::Result<Vec<Certificate<'static>>> {
    let bytes = files::read(path)?;
    let certificates: Vec<_> = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    ensure!(
        !certificates.is_empty(),
        "{path} has no certificate in PEM in it"
    );
    Ok(certificates)
}

/// Returns the files of a folder with one of these extensions, sorted.
fn files_with(folder: &Utf8Path, extensions: &[&str]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths
        .filter_map(|path| Utf8PathBuf::from_path_buf(path).ok())
        .filter(|path| path.extension().is_some_and(|it| extensions.contains(&it)))
        .collect();
    paths.sort();
    Ok(paths)
}
