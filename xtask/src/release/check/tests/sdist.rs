//! Changes of the source distribution, and the rules that they break.

use noetl_oci::tar::Entry;

use super::{Change, bytes, describe, edit, rename, seal};
use crate::fixtures;
use crate::release::check::Files;
use crate::release::dist_manifest::Content;
use crate::release::packages::archives;

const SDIST: &str = "noetlctl-1.2.3.tar.gz";

/// Changes entries and time, with a matching manifest and checksums.
fn repack(files: &mut Files, change: impl Fn(&mut Vec<Entry>, &mut u64)) {
    let mut entries = archives::untar_gz(&bytes(files, SDIST)).unwrap();
    let mut time = fixtures::release().commit_time;
    change(&mut entries, &mut time);
    let packed = archives::tar_gz(&entries, time).unwrap();
    files.insert(SDIST.to_owned(), packed.into());
    seal(files);
}

/// Changes the content of a file.
fn change(files: &mut Files, end: &str) {
    repack(files, |entries, _| {
        let mut entries = entries.iter_mut();
        let entry = entries.find(|entry| entry.path.ends_with(end)).unwrap();
        entry.content = "x".into();
    });
}

fn unlist(files: &mut Files) {
    files.remove(SDIST);
    describe(files, |it| {
        it.artifacts.retain(|it| it.content != Content::Sdist)
    });
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 8] {
    [
        ("A1", unlist),
        ("A3", |it| rename(it, SDIST, "noetl.tar.gz")),
        ("W4", |it| change(it, ".git_archival.txt")),
        ("W4", |it| change(it, "ui-src/dist/index.html")),
        ("W4", |it| change(it, "pyproject.toml")),
        ("W4", |it| {
            repack(it, |it, _| {
                it.retain(|it| !it.path.ends_with("noetl_build.py"))
            });
        }),
        ("W4", |it| repack(it, |_, time| *time += 1)),
        ("A2 W4", |it| edit(it, SDIST, |bytes| bytes.truncate(300))),
    ]
}
