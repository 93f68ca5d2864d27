//! Changes of installers and recipes, and the rules that they break.

use super::{Change, add, edit, remove, seal};
use crate::release::check::Files;
use crate::release::dist_manifest::Content;

const FORMULA: &str = "recipes/homebrew/noetl.rb";
const INSTALLER: &str = "install.sh";
const SCOOP: &str = "recipes/scoop/noetl.json";

/// Replaces a hash, with a matching manifest and checksums.
fn change(files: &mut Files, name: &str) {
    edit(files, name, |bytes| {
        let last = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
        bytes[last] ^= 1;
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
        // Of a system that the dist has no archive for.
        ("A9", |it| add(it, SCOOP, b"{}".to_vec(), Content::Recipe)),
    ]
}
