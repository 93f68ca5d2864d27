//! Changes of the repositories, and the rules that they break.

use super::{Change, add, checked, clean, edit, remove, rename, seal};
use crate::release::check::Files;
use crate::release::dist_manifest::Content;
use crate::release::packages::repositories;

const PACKAGES: &str = "apt/dists/stable/main/binary-amd64/Packages";
const LIST: &str = "apt/dists/noble/Release";
const POOLED: &str = "apt/pool/main/noetl_1.2.3-1_amd64.deb";
const OTHER: &str = "apt/dists/other/Release";
const REPOMD: &str = "dnf/repodata/repomd.xml";

/// Changes a byte, with a matching manifest and checksums.
fn change(files: &mut Files, name: &str) {
    edit(files, name, |bytes| bytes[100] ^= 1);
    seal(files);
}

/// Adds a signed list with another text.
fn sign_another(files: &mut Files) {
    let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: x\n-----BEGIN PGP SIGNATURE-----\n";
    add(
        files,
        "apt/dists/noble/InRelease",
        text.into(),
        Content::Repository,
    );
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 8] {
    [
        ("A8", |it| change(it, PACKAGES)),
        ("A8", |it| change(it, LIST)),
        ("A8", |it| change(it, REPOMD)),
        ("A8", |it| remove(it, LIST)),
        ("A8", |it| add(it, OTHER, Vec::new(), Content::Repository)),
        ("A8", sign_another),
        ("A3", |it| rename(it, POOLED, "apt/pool/main/noetl.deb")),
        ("A1", |it| drop(it.insert("apt/x".into(), "".into()))),
    ]
}

/// The files that people download can be checked without the repositories.
#[test]
fn downloads_are_checked_without_repositories() {
    let mut files = clean();
    files.retain(|name, _| !name.contains('/'));
    assert_eq!(checked(&files).0.lines(), Vec::<String>::new());
}

#[test]
fn signed_text_is_read_as_it_was() {
    let text = "a\n-b\n\nc\n";
    let signed = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}-----BEGIN PGP SIGNATURE-----\n\nx\n",
        text.replace("\n-b", "\n- -b")
    );
    let read = repositories::signed_text(signed.as_bytes());
    assert_eq!(read.unwrap(), text);
    assert!(repositories::signed_text(text.as_bytes()).is_err());
}
