//! What a base image has already, which decides what is added to it.

use noetl_oci::{BaseImage, NodeKind};

/// Path of the TLS root certificates, as on Debian.
pub(crate) const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Facts about the file system of a base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Content of /etc/passwd.
    pub passwd: Option<String>,
    /// Content of /etc/group.
    pub group: Option<String>,
    /// Whether it has TLS root certificates at the usual path.
    pub has_ca_bundle: bool,
    /// Whether it has a /tmp.
    pub has_tmp: bool,
    /// Version of its `python3`, such as `3.12`.
    pub python: Option<String>,
}

/// Paths of Python: in the official images, then on Debian.
const PYTHONS: [&str; 2] = ["usr/local/bin/python3", "usr/bin/python3"];

impl Facts {
    /// Reads them from the merged file system of a base.
    pub(crate) fn of(base: &BaseImage) -> Self {
        let files = &base.filesystem;
        let version = |path: &&str| {
            let (_, node) = files.nodes().find(|(found, _)| found == path)?;
            let NodeKind::Symlink(target) = &node.kind else {
                return None;
            };
            let version = target.rsplit('/').next()?.strip_prefix("python")?;
            version.starts_with("3.").then(|| version.to_owned())
        };
        Self {
            passwd: base.text("/etc/passwd"),
            group: base.text("/etc/group"),
            has_ca_bundle: files.resolve(CA_BUNDLE).is_some(),
            has_tmp: files.exists("tmp"),
            python: PYTHONS.iter().find_map(version),
        }
    }
}
