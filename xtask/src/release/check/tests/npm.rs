//! Changes of npm packages, and the rules that they break.

use noetl_oci::tar::Entry;

use super::{Change, bytes, describe, edit, other_program, rename, seal};
use crate::fixtures;
use crate::release::check::Files;
use crate::release::dist_manifest::{Content, DistManifest, Npm};
use crate::release::packages::archives;
use crate::release::target::Arch;

const PROGRAM: &str = "noetl-cli-linux-x64-1.2.3.tgz";
const LAUNCHER: &str = "noetl-1.2.3.tgz";

/// Changes entries and time of a package, with a matching manifest and checksums.
fn repack(files: &mut Files, name: &str, change: impl Fn(&mut Vec<Entry>, &mut u64)) {
    let mut entries = archives::untar_gz(&bytes(files, name)).unwrap();
    let mut time = fixtures::release().commit_time;
    change(&mut entries, &mut time);
    let packed = archives::tar_gz(&entries, time).unwrap();
    files.insert(name.to_owned(), packed.into());
    seal(files);
}

/// Changes one entry of a package.
fn change(files: &mut Files, name: &str, end: &str, change: impl Fn(&mut Entry)) {
    repack(files, name, |entries, _| {
        let mut entries = entries.iter_mut();
        change(entries.find(|entry| entry.path.ends_with(end)).unwrap());
    });
}

/// Removes one entry of a package.
fn remove(files: &mut Files, name: &str, end: &str) {
    repack(files, name, |entries, _| {
        entries.retain(|entry| !entry.path.ends_with(end));
    });
}

/// Replaces a text in one entry of a package.
fn replace(files: &mut Files, name: &str, end: &str, from: &str, to: &str) {
    change(files, name, end, |entry| {
        let text = String::from_utf8(entry.content.read().unwrap()).unwrap();
        assert!(text.contains(from), "{text}");
        entry.content = text.replace(from, to).into_bytes().into();
    });
}

fn npm(manifest: &mut DistManifest) -> &mut Npm {
    let mut artifacts = manifest.artifacts.iter_mut();
    let artifact = artifacts.find(|artifact| artifact.name == PROGRAM).unwrap();
    match &mut artifact.content {
        Content::Npm(npm) => npm,
        _ => unreachable!("it is a package"),
    }
}

fn unlist(manifest: &mut DistManifest) {
    manifest.artifacts.retain(|it| it.name != LAUNCHER);
}

fn add_script(entries: &mut Vec<Entry>) {
    entries.push(Entry::file("package/install.js", 0o644, ""));
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 15] {
    [
        ("A1", |it| describe(it, unlist)),
        ("A3", |it| rename(it, PROGRAM, "noetl-linux.tgz")),
        ("A3", |it| rename(it, LAUNCHER, "noetl.tgz")),
        ("N1", |it| describe(it, |it| npm(it).package.push('x'))),
        ("N1", |it| {
            replace(it, PROGRAM, ".json", "\"x64\"", "\"arm64\"")
        }),
        ("N1", |it| replace(it, LAUNCHER, ".json", "1.2.3", "1.2.2")),
        ("N1", |it| replace(it, LAUNCHER, ".js", "-x64", "-x86")),
        ("N2", |it| repack(it, LAUNCHER, |it, _| add_script(it))),
        ("N2", |it| remove(it, PROGRAM, "/noetl")),
        ("N2", |it| {
            change(it, PROGRAM, "/noetl", |it| it.mode = 0o644)
        }),
        ("N2", |it| repack(it, PROGRAM, |_, time| *time += 1)),
        ("A6", |it| {
            change(it, PROGRAM, "/LICENSE", |it| it.content = "".into())
        }),
        ("A6 N1", |it| remove(it, LAUNCHER, "noetl.1")),
        ("B8", |it| {
            change(it, PROGRAM, "/noetl", |it| {
                it.content = other_program(Arch::X86_64, "")
            });
        }),
        ("A2 N2", |it| edit(it, PROGRAM, |bytes| bytes.truncate(500))),
    ]
}
