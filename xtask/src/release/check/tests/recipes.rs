//! Changes of installers and recipes, and the rules that they break.

use super::{Change, describe, edit, seal};
use crate::release::check::Files;
use crate::release::dist_manifest::{Artifact, Content};
use crate::release::proof::Proof;

const FORMULA: &str = "recipes/homebrew/noetl.rb";
const INSTALLER: &str = "install.sh";

/// Replaces a hash, with a matching manifest and checksums.
fn change(files: &mut Files, name: &str) {
    edit(files, name, |bytes| {
        let last = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
        bytes[last] ^= 1;
    });
    seal(files);
}

/// Removes a file, and its entry in the manifest.
fn remove(files: &mut Files, name: &str) {
    files.remove(name);
    describe(files, |manifest| {
        manifest.artifacts.retain(|it| it.name != name)
    });
}

/// Adds a recipe for a system that the dist has no archive for.
fn add(files: &mut Files) {
    let name = "recipes/scoop/noetl.json";
    files.insert(name.to_owned(), b"{}".to_vec().into());
    describe(files, |manifest| {
        manifest.artifacts.push(Artifact {
            name: name.to_owned(),
            size: 0,
            sha256: manifest.ui_sha256,
            proof: Proof::NotChecked,
            content: Content::Recipe,
        });
    });
    seal(files);
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 5] {
    [
        ("A9", |it| change(it, FORMULA)),
        ("A9", |it| change(it, INSTALLER)),
        ("A9", |it| remove(it, FORMULA)),
        ("A9", |it| remove(it, INSTALLER)),
        ("A9", add),
    ]
}
