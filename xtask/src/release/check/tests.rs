//! Rules times mutants on a dist folder: what each break trips, and that a clean one trips nothing.

use std::collections::BTreeMap;

use noetl_oci::rules::Findings;
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use super::{Files, check};
use crate::fixtures;
use crate::image::rules::ImageStandard;
use crate::release::dist_manifest::{Archive, Content, DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::rules::RULES;
use crate::release::stamp::Stamp;
use crate::release::target::{Arch, TARGETS, Target};
use crate::release::{archives, checksums};

const AMD64: &str = "noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz";
const IMAGE: &str = "noetl-v1.2.3-image.tar";

fn checked(files: &Files) -> (Findings, Option<DistManifest>) {
    check(files, &[], ImageStandard::of_dist().rules())
}

/// Changes a file's bytes.
fn edit(files: &mut Files, name: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = bytes(files, name);
    change(&mut bytes);
    files.insert(name.to_owned(), bytes.into());
}

fn bytes(files: &Files, name: &str) -> Vec<u8> {
    files[name].read().unwrap()
}

fn manifest(files: &Files) -> DistManifest {
    serde_json::from_slice(&bytes(files, FILE_NAME)).unwrap()
}

fn set_manifest(files: &mut Files, dist_manifest: &DistManifest) {
    let json = serde_json::to_vec(dist_manifest).unwrap();
    files.insert(FILE_NAME.to_owned(), json.into());
}

fn clean() -> Files {
    fixtures::dist(|target| fixtures::elf(target.arch, &fixtures::stamp(target)))
}

/// A dist whose binaries carry another stamp, with everything else made to fit.
fn stamped(change: impl Fn(&mut Stamp)) -> Files {
    fixtures::dist(|target| {
        let mut stamp = fixtures::stamp(target);
        change(&mut stamp);
        fixtures::elf(target.arch, &stamp)
    })
}

fn raw(change: impl Fn(&mut Files)) -> Files {
    let mut files = clean();
    change(&mut files);
    files
}

/// Rewrites one archive's entries and time, and lets manifest and checksums follow.
fn repacked(change: impl Fn(&mut Vec<Entry>, &mut u64)) -> Files {
    raw(|files| {
        let target = &TARGETS[0];
        let mut entries = archives::unpack(target, &bytes(files, AMD64)).unwrap();
        let mut time = fixtures::release().commit_time;
        change(&mut entries, &mut time);
        let packed = archives::pack(target, &entries, time).unwrap();
        files.insert(AMD64.to_owned(), packed.into());
        seal(files);
    })
}

/// Makes manifest and checksums describe the files that are there.
fn seal(files: &mut Files) {
    let mut dist_manifest = manifest(files);
    for artifact in &mut dist_manifest.artifacts {
        let bytes = bytes(files, &artifact.name);
        (artifact.size, artifact.sha256) = (bytes.len() as u64, Sha256::of(&bytes));
        if let Content::Archive(content) = &mut artifact.content {
            let target = Target::find(&content.target).unwrap();
            let entries = archives::unpack(target, &bytes).unwrap();
            let binary = entries.iter().find(|entry| entry.path == content.binary);
            let described = binary.map(|entry| {
                let binary = entry.content.read().unwrap();
                Archive::describe(&fixtures::release(), target, &binary)
            });
            if let Some(Ok(described)) = described {
                *content = described;
            }
        }
    }
    set_manifest(files, &dist_manifest);
    reseal_sums(files);
}

fn reseal_sums(files: &mut Files) {
    files.remove(SUMS_NAME);
    let sums: BTreeMap<_, _> = files
        .iter()
        .map(|(name, blob)| (name.clone(), blob.sha256().unwrap()))
        .collect();
    let text = checksums::write(&sums);
    files.insert(SUMS_NAME.to_owned(), text.into_bytes().into());
}

/// Changes what dist-manifest.json says, with checksums that fit.
fn described(change: impl Fn(&mut DistManifest)) -> Files {
    raw(|files| {
        let mut dist_manifest = manifest(files);
        change(&mut dist_manifest);
        set_manifest(files, &dist_manifest);
        reseal_sums(files);
    })
}

fn first_archive(dist_manifest: &mut DistManifest) -> &mut Archive {
    let archives =
        dist_manifest
            .artifacts
            .iter_mut()
            .filter_map(|artifact| match &mut artifact.content {
                Content::Archive(archive) => Some(archive),
                Content::Image(_) => None,
            });
    archives.into_iter().next().unwrap()
}

fn image(dist_manifest: &mut DistManifest) -> &mut crate::release::dist_manifest::Image {
    let images =
        dist_manifest
            .artifacts
            .iter_mut()
            .filter_map(|artifact| match &mut artifact.content {
                Content::Image(image) => Some(image),
                Content::Archive(_) => None,
            });
    images.into_iter().next().unwrap()
}

fn swap_binary(binary: &[u8]) -> Files {
    repacked(|entries, _| entries[3].content = binary.to_vec().into())
}

fn elf(arch: Arch, change: impl Fn(&mut Stamp)) -> Vec<u8> {
    let mut stamp = fixtures::stamp(&TARGETS[0]);
    change(&mut stamp);
    fixtures::elf(arch, &stamp)
}

#[rustfmt::skip] // One mutant a line.
fn mutants() -> Vec<(&'static str, Files, &'static [&'static str])> {
    vec![
        ("A1", raw(|it| drop(it.remove(AMD64))), &["A1", "A2", "B8"]),
        ("A1", raw(|it| drop(it.insert("notes.txt".into(), Blob::from("")))), &["A1", "A2"]),
        ("A1", raw(|it| drop(it.remove(FILE_NAME))), &["A1"]),
        ("A1", raw(|it| drop(it.remove(SUMS_NAME))), &["A1"]),
        ("A2", raw(|it| edit(it, AMD64, |bytes| bytes[300] ^= 1)), &["A2", "A4", "B8"]),
        ("A2", raw(|it| edit(it, SUMS_NAME, |bytes| bytes[0] ^= 1)), &["A2"]),
        ("A2", raw(|it| edit(it, IMAGE, |tar| flip_system(tar))), &["A2", "S1", "S10"]),
        ("A1", described(|it| it.artifacts.clear()), &["A1"]),
        ("A1", described(|it| it.targets.push("riscv64".into())), &["A1"]),
        ("A2", described(|it| it.schema = 99), &["A2"]),
        ("A2", described(|it| first_archive(it).facts.libraries.push("libc.so.6".into())), &["A2"]),
        ("A2", described(|it| first_archive(it).binary = "nonsense".into()), &["A2"]),
        ("A2", described(|it| image(it).references.push("docker.io/evil/x:1".into())), &["A2"]),
        ("A2", described(|it| image(it).platforms[0].digest.push('0')), &["A2"]),
        ("A2", raw(|it| edit(it, SUMS_NAME, |bytes| bytes.extend(format!("{}  SHA256SUMS\n", Sha256::of(b"")).bytes()))), &["A2"]),
        ("A3", image_renamed("x.tar"), &["A3"]),
        ("A3", renamed("noetl-linux.tar.gz"), &["A3"]),
        ("A4", repacked(|entries, _| drop(entries.remove(1))), &["A4", "B8"]),
        ("A4", repacked(|entries, _| entries.push(Entry::file("evil", 0o644, ""))), &["A4", "B8"]),
        ("A5", repacked(|entries, _| entries[3].mode = 0o777), &["A5"]),
        ("A5", repacked(|entries, _| entries[1].owner = 1000), &["A5"]),
        ("A5", repacked(|_, time| *time += 1), &["A5"]),
        ("A4", repacked(|entries, _| entries[1].content = Blob::from("")), &["A4"]),
        ("A5", raw(|it| { edit(it, IMAGE, |tar| tar.extend([0; 512])); seal(it); }), &["A5"]),
        ("B1", swap_binary(&elf(Arch::Aarch64, |_| {})), &["B1", "B8"]),
        ("B1", swap_binary(b"#!/bin/sh\n"), &["B1", "B6", "B8"]),
        ("B5", stamped(|stamp| stamp.rustc = "/home/me/.cargo".into()), &["B5", "P15"]),
        ("B6", stamped(|stamp| stamp.version = "9.9.9".into()), &["B6", "P14"]),
        ("B6", stamped(|stamp| stamp.commit = "c".into()), &["B6", "P14"]),
        ("B6", stamped(|stamp| stamp.target = "riscv64".into()), &["B6"]),
        ("B7", stamped(|stamp| stamp.ui_sha256 = String::new()), &["B7"]),
        ("B8", swap_binary(&elf(Arch::X86_64, |stamp| stamp.rustc = "rustc 2".into())), &["B8"]),
    ]
}

/// Changes the byte of the first layer's gzip header that names the system.
fn flip_system(tar: &mut [u8]) {
    let at = memchr::memmem::find(tar, &[0x1f, 0x8b, 8, 0]).unwrap();
    tar[at + 9] ^= 1;
}

fn renamed(name: &str) -> Files {
    moved(AMD64, name)
}

fn image_renamed(name: &str) -> Files {
    moved(IMAGE, name)
}

fn moved(from: &str, name: &str) -> Files {
    raw(|files| {
        let archive = files.remove(from).unwrap();
        files.insert(name.to_owned(), archive);
        let manifest = String::from_utf8(bytes(files, FILE_NAME)).unwrap();
        let manifest = manifest.replace(
            &format!("\"name\": \"{from}\""),
            &format!("\"name\": \"{name}\""),
        );
        files.insert(FILE_NAME.to_owned(), manifest.into_bytes().into());
        seal(files);
    })
}

#[test]
fn a_clean_dist_breaks_no_rule() {
    let (findings, manifest) = checked(&clean());
    assert_eq!(findings.lines(), Vec::<String>::new());
    assert_eq!(manifest.unwrap().artifacts.len(), 3);
}

#[test]
fn each_mutant_trips_its_rule_and_exactly_what_follows_from_it() {
    let mut wrong = Vec::new();
    for (number, (rule, files, expected)) in mutants().into_iter().enumerate() {
        let findings = checked(&files).0;
        if findings.ids() != expected || !expected.contains(&rule) {
            wrong.push(format!(
                "mutant {number} of {rule}, not {expected:?} but {:#?}",
                findings.lines()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_on_downloads_has_a_mutant() {
    let mut covered: Vec<_> = mutants().iter().map(|(rule, ..)| *rule).collect();
    covered.extend(["B2", "B3", "B4"]);
    for rule in RULES {
        assert!(covered.contains(&rule.id), "{}", rule.id);
    }
}

/// Every byte of every file of a dist is covered by some rule.
#[test]
fn any_flipped_byte_is_noticed() {
    let clean = clean();
    for (name, blob) in &clean {
        let length = blob.read().unwrap().len();
        for at in (0..length).step_by(997).chain([length - 1]) {
            let mut files = clean.clone();
            edit(&mut files, name, |bytes| bytes[at] ^= 1);
            assert!(checked(&files).0.errors() > 0, "{name}, byte {at}");
        }
    }
}
