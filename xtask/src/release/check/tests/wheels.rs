//! Changes of wheels and SBOMs, and the rules that they break.

use noetl_oci::tar::Entry;

use super::{bytes, describe, edit, other_program, rename, seal};
use crate::fixtures;
use crate::release::check::Files;
use crate::release::dist_manifest::{Content, DistManifest, Wheel};
use crate::release::packages::zip;
use crate::release::target::{Arch, TARGETS, Target};
use crate::release::{self, binary};

const WHEEL: &str =
    "noetlctl-1.2.3-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64.whl";
const SBOM: &str = "noetl-v1.2.3-x86_64-unknown-linux-musl.cdx.json";

type Change = fn(&mut Files);

/// Changes the entries of a wheel, with a matching RECORD, manifest and checksums.
fn rewheel(files: &mut Files, change: impl Fn(&mut Vec<Entry>)) {
    let (release, target) = (fixtures::release(), &TARGETS[0]);
    let mut entries = zip::unpack(&bytes(files, WHEEL)).unwrap();
    change(&mut entries);
    if let Ok(contents) = wheel_of(target, &entries)
        && entries.len() == 15
    {
        let facts = binary::facts(&contents.binary.read().unwrap());
        let tags = facts.and_then(|facts| release::packages::wheel::tags(target, &facts));
        let tags = tags.unwrap_or_else(|_| vec!["any".into()]);
        entries = release::packages::wheel::entries(&release, target, &tags, &contents).unwrap();
    }
    repack_wheel(files, &entries);
}

fn repack_wheel(files: &mut Files, entries: &[Entry]) {
    let packed = zip::pack(entries, fixtures::release().commit_time).unwrap();
    files.insert(WHEEL.to_owned(), packed.into());
    seal(files);
}

fn wheel_of(
    target: &Target,
    entries: &[Entry],
) -> anyhow::Result<release::packages::wheel::Contents> {
    release::packages::wheel::contents(&fixtures::release(), target, entries.to_vec())
}

/// Changes one entry of a wheel, whose RECORD then has another hash.
fn edit_wheel(files: &mut Files, end: &str, change: impl Fn(&mut Entry)) {
    let mut entries = zip::unpack(&bytes(files, WHEEL)).unwrap();
    let mut found = entries.iter_mut().filter(|entry| entry.path.ends_with(end));
    change(found.next().unwrap());
    repack_wheel(files, &entries);
}

/// Returns the entry of a wheel whose path ends so.
fn entry<'a>(entries: &'a mut [Entry], end: &str) -> &'a mut Entry {
    entries
        .iter_mut()
        .find(|entry| entry.path.ends_with(end))
        .unwrap()
}

fn wheel(manifest: &mut DistManifest) -> &mut Wheel {
    let mut artifacts = manifest.artifacts.iter_mut();
    let wheel = artifacts.find_map(|artifact| match &mut artifact.content {
        Content::Wheel(wheel) if artifact.name == WHEEL => Some(wheel),
        _ => None,
    });
    wheel.unwrap()
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change); 14] {
    [
        ("A3", |it| {
            rename(it, WHEEL, "noetlctl-1.2.3-py3-none-any.whl")
        }),
        ("W1", |it| {
            describe(it, |it| wheel(it).tags.push("any".into()))
        }),
        ("A2 W2", |it| edit(it, WHEEL, |bytes| bytes.truncate(2_000))),
        ("W2", |it| {
            rewheel(it, |it| it.push(Entry::file("evil.py", 0o644, "")))
        }),
        ("W2", |it| rewheel(it, |it| drop(it.remove(0)))),
        ("W2", |it| rewheel(it, |it| it[0].content = "evil".into())),
        ("W2", |it| {
            rewheel(it, |it| entry(it, ".cdx.json").content = "{}".into())
        }),
        ("A6", |it| {
            rewheel(it, |it| entry(it, "noetl.1").content = "".into())
        }),
        ("B8", |it| {
            rewheel(it, |it| {
                entry(it, "scripts/noetl").content = other_program(Arch::X86_64, "");
            })
        }),
        ("W3", |it| {
            edit_wheel(it, "RECORD", |entry| entry.content = "".into())
        }),
        ("W3", |it| {
            edit_wheel(it, "WHEEL", |entry| entry.content = "".into())
        }),
        ("W3", |it| {
            edit_wheel(it, "scripts/noetl", |entry| entry.mode = 0o644)
        }),
        ("B9 W2", |it| {
            edit(it, SBOM, |bytes| {
                let at = memchr::memmem::find(bytes, b"\"content\":\"").unwrap();
                bytes[at + 12] ^= 1;
            });
            seal(it);
        }),
        ("A3", |it| rename(it, SBOM, "noetl.cdx.json")),
    ]
}
