//! The contents of the image: a system layer that every platform shares, Python packages where a flavour has them, and
//! the binary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use noetl_oci::Blob;
use noetl_oci::tar::Entry;

use crate::image::base::{CA_BUNDLE, Facts};

/// Numeric user and group that the server runs as; distroless images call it `nonroot`.
pub(crate) const USER: u32 = 65532;
/// Home and working folder of that user.
pub(crate) const HOME: &str = "/home/nonroot";
/// Path of the binary.
pub(crate) const ENTRYPOINT: &str = "/usr/bin/noetl";
/// Folder of the Python packages of a flavour.
pub(crate) const PACKAGES: &str = "/opt/noetl/python";

/// Name in history of the layer with the system's files.
pub(crate) const SYSTEM_LAYER: &str = "base";
/// Name in history of the layer with Python packages.
pub(crate) const PACKAGES_LAYER: &str = "python packages";
/// Name in history of the layer with the binary.
pub(crate) const APP_LAYER: &str = "app";

/// Returns the files that a static program needs: users, name lookup order, TLS roots, home, /tmp.
pub(crate) fn system() -> Vec<Entry> {
    let passwd = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
                  nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n";
    let group = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n";
    let bundle = CA_BUNDLE.trim_start_matches('/');
    vec![
        Entry::folder("etc", 0o755),
        Entry::file("etc/group", 0o644, group),
        Entry::file("etc/nsswitch.conf", 0o644, "hosts: files dns\n"),
        Entry::file("etc/passwd", 0o644, passwd),
        Entry::folder("etc/ssl", 0o755),
        Entry::folder("etc/ssl/certs", 0o755),
        Entry::file(bundle, 0o644, ca_bundle()),
        Entry::folder("home", 0o755),
        Entry::folder("home/nonroot", 0o700).owned_by(USER),
        Entry::folder("tmp", 0o1777),
    ]
}

/// Returns those of the files that a base does not have: the user, its home, TLS roots and /tmp.
pub(crate) fn on_base(facts: &Facts) -> Vec<Entry> {
    let mut entries = vec![Entry::folder("etc", 0o755)];
    let fields = format!("{USER}:nonroot:{HOME}:/sbin/nologin");
    for (path, known, fields) in [
        ("etc/group", &facts.group, ""),
        ("etc/passwd", &facts.passwd, &fields),
    ] {
        let known = known.as_deref().unwrap_or_default();
        if !has_number(known) {
            let is_open = !known.is_empty() && !known.ends_with('\n');
            let end = if is_open { "\n" } else { "" };
            let text = format!("{known}{end}{}:x:{USER}:{fields}\n", free_name(known));
            entries.push(Entry::file(path, 0o644, text));
        }
    }
    if !facts.has_ca_bundle {
        entries.extend([
            Entry::folder("etc/ssl", 0o755),
            Entry::folder("etc/ssl/certs", 0o755),
            Entry::file(CA_BUNDLE.trim_start_matches('/'), 0o644, ca_bundle()),
        ]);
    }
    entries.extend([
        Entry::folder("home", 0o755),
        Entry::folder("home/nonroot", 0o700).owned_by(USER),
    ]);
    if !facts.has_tmp {
        entries.push(Entry::folder("tmp", 0o1777));
    }
    entries
}

/// Returns whether a line of passwd or group has the number of the user.
fn has_number(text: &str) -> bool {
    let number = USER.to_string();
    let mut numbers = text.lines().map(|line| line.split(':').nth(2));
    numbers.any(|found| found == Some(&number))
}

/// Returns a name that passwd or group does not give to another number.
fn free_name(text: &str) -> &'static str {
    let taken = text.lines().any(|line| line.starts_with("nonroot:"));
    if taken { "noetl" } else { "nonroot" }
}

/// Returns the binary and its folders.
pub(crate) fn app(binary: impl Into<Blob>) -> Vec<Entry> {
    vec![
        Entry::folder("usr", 0o755),
        Entry::folder("usr/bin", 0o755),
        Entry::file(ENTRYPOINT.trim_start_matches('/'), 0o755, binary),
    ]
}

/// Returns Mozilla's root certificates as PEM, in the order of the `webpki-root-certs` crate.
pub(crate) fn ca_bundle() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use noetl_oci::Sha256;

    use super::*;

    #[test]
    fn a_base_keeps_its_users_and_gets_another() {
        let facts = Facts {
            passwd: Some("root:x:0:0:root:/root:/bin/bash\nnonroot:x:7:7::/:/bin/sh".to_owned()),
            group: Some("root:x:0:\nnonroot:x:65532:\n".to_owned()),
            has_ca_bundle: true,
            has_tmp: true,
            python: None,
        };
        let entries = on_base(&facts);
        let paths: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["etc/", "etc/passwd", "home/", "home/nonroot/"]);
        insta::assert_snapshot!(String::from_utf8_lossy(&entries[1].content.read().unwrap()), @r"
        root:x:0:0:root:/root:/bin/bash
        nonroot:x:7:7::/:/bin/sh
        noetl:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
        ");
        let bare = on_base(&Facts::default());
        assert!(bare.iter().any(|entry| CA_BUNDLE.ends_with(&entry.path)));
        assert!(bare.iter().any(|entry| entry.path == "tmp/"));
    }

    #[test]
    fn the_ca_bundle_has_a_known_hash() {
        let pem = ca_bundle();
        // Changes with the version of `webpki-root-certs`.
        insta::assert_snapshot!(Sha256::of(pem.as_bytes()), @"448ea15f2d597b3b3124dcb16064c8f31acf1371ef71696b8ed98a5df4800048");
        assert!(pem.matches("BEGIN CERTIFICATE").count() >= 100);
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
