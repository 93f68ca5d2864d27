//! For each rule, changes of a dist folder that break it, and the rules that are broken as a consequence.

mod npm;
mod recipes;
mod repositories;
mod sdist;
mod system;
mod universal;
mod wheels;

use std::collections::BTreeMap;

use noetl_oci::rules::Findings;
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use super::{Files, check};
use crate::fixtures;
use crate::image::rules::ImageStandard;
use crate::release::checksums;
use crate::release::dist_manifest::{
    Alias, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SUMS_NAME,
};
use crate::release::packages::{archives, installers};
use crate::release::proof::Proof;
use crate::release::rules::RULES;
use crate::release::stamp::Stamp;
use crate::release::target::{Arch, TARGETS, Target};

const AMD64: &str = "noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz";
const ALIAS: &str = "noetl-x86_64-unknown-linux-musl.tar.gz";
const IMAGE: &str = "noetl-v1.2.3-image.tar";

fn checked(files: &Files) -> (Findings, Option<DistManifest>) {
    check(files, &[], ImageStandard::of_dist().rules())
}

fn clean() -> Files {
    fixtures::dist(fixtures::program)
}

/// Changes the bytes of a file.
fn edit(files: &mut Files, name: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = bytes(files, name);
    change(&mut bytes);
    files.insert(name.to_owned(), bytes.into());
}

fn bytes(files: &Files, name: &str) -> Vec<u8> {
    files[name].read().unwrap()
}

/// Changes dist-manifest.json and writes matching checksums.
fn describe(files: &mut Files, change: impl Fn(&mut DistManifest)) {
    let mut manifest = serde_json::from_slice(&bytes(files, FILE_NAME)).unwrap();
    change(&mut manifest);
    let json = serde_json::to_vec(&manifest).unwrap();
    files.insert(FILE_NAME.to_owned(), json.into());
    files.remove(SUMS_NAME);
    let sums = files
        .iter()
        .filter(|(name, _)| !name.contains('/'))
        .map(|(name, blob)| (name.clone(), blob.sha256().unwrap()));
    let sums: BTreeMap<_, _> = sums.collect();
    let text = checksums::write(&sums);
    files.insert(SUMS_NAME.to_owned(), text.into());
}

/// Makes manifest and checksums match the files.
fn seal(files: &mut Files) {
    let found = files.clone();
    describe(files, |manifest| {
        for artifact in &mut manifest.artifacts {
            if !found.contains_key(&artifact.name) {
                continue;
            }
            let bytes = bytes(&found, &artifact.name);
            (artifact.size, artifact.sha256) = (bytes.len() as u64, Sha256::of(&bytes));
            if let Content::Archive(content) = &mut artifact.content {
                let target = Target::find(&content.target).unwrap();
                let entries = archives::unpack(target, &bytes).unwrap();
                let binary = entries.iter().find(|entry| entry.path == content.binary);
                let binary = binary.map(|entry| entry.content.read().unwrap());
                let release = fixtures::release();
                let described = binary.map(|it| Archive::describe(&release, target, &it));
                if let Some(Ok(described)) = described {
                    *content = described;
                }
            }
        }
    });
}

/// Changes entries and time of an archive, with a matching manifest and checksums.
fn repack(files: &mut Files, change: impl Fn(&mut Vec<Entry>, &mut u64)) {
    let target = &TARGETS[0];
    let mut entries = archives::unpack(target, &bytes(files, AMD64)).unwrap();
    let mut time = fixtures::release().commit_time;
    change(&mut entries, &mut time);
    let packed = archives::pack(target, &entries, time).unwrap();
    for name in [AMD64, ALIAS] {
        files.insert(name.to_owned(), packed.clone().into());
    }
    seal(files);
    // Installers and recipes of these archives.
    let manifest: DistManifest = serde_json::from_slice(&bytes(files, FILE_NAME)).unwrap();
    let downloads = crate::release::dist_manifest::downloads(&manifest.artifacts);
    let mut derived = crate::release::packages::recipes::all(&manifest.release, &downloads);
    derived.extend(installers::all(&manifest.release, &downloads));
    files.extend(
        derived
            .into_iter()
            .map(|(name, text)| (name, text.into_bytes().into())),
    );
    seal(files);
}

/// Adds a file that the manifest lists, with matching checksums.
fn add(files: &mut Files, name: &str, bytes: Vec<u8>, content: Content) {
    files.insert(name.to_owned(), bytes.into());
    describe(files, |manifest| {
        manifest.artifacts.push(Artifact {
            name: name.to_owned(),
            size: 0,
            sha256: manifest.ui_sha256,
            proof: Proof::NotChecked,
            content: content.clone(),
        });
    });
    seal(files);
}

/// Removes a file, and its entry in the manifest.
fn remove(files: &mut Files, name: &str) {
    files.remove(name);
    describe(files, |manifest| {
        manifest.artifacts.retain(|it| it.name != name);
    });
}

/// Renames a file, with a matching manifest and checksums.
fn rename(files: &mut Files, from: &str, to: &str) {
    let blob = files.remove(from).unwrap();
    files.insert(to.to_owned(), blob);
    describe(files, |manifest| {
        let mut artifacts = manifest.artifacts.iter_mut();
        artifacts
            .find(|artifact| artifact.name == from)
            .unwrap()
            .name = to.to_owned();
    });
}

fn archive(manifest: &mut DistManifest) -> &mut Archive {
    let mut artifacts = manifest.artifacts.iter_mut();
    let archive = artifacts.find_map(|artifact| match &mut artifact.content {
        Content::Archive(archive) => Some(archive),
        _ => None,
    });
    archive.unwrap()
}

fn alias(manifest: &mut DistManifest) -> &mut Artifact {
    let mut artifacts = manifest.artifacts.iter_mut();
    artifacts.find(|it| it.name == ALIAS).unwrap()
}

fn image(manifest: &mut DistManifest) -> &mut Image {
    let mut artifacts = manifest.artifacts.iter_mut();
    let image = artifacts.find_map(|artifact| match &mut artifact.content {
        Content::Image(image) => Some(image),
        _ => None,
    });
    image.unwrap()
}

/// Changes the byte of the first layer's gzip header that names the system.
fn flip_system(tar: &mut [u8]) {
    let at = memchr::memmem::find(tar, &[0x1f, 0x8b, 8, 0]).unwrap();
    tar[at + 9] ^= 1;
}

fn list_sums(sums: &mut Vec<u8>) {
    sums.extend(format!("{}  SHA256SUMS\n", Sha256::of(b"")).bytes());
}

/// Makes the copy without a version one of the other target's archive.
fn other_copy(files: &mut Files) {
    let other = files["noetl-v1.2.3-aarch64-unknown-linux-musl.tar.gz"].clone();
    files.insert(ALIAS.to_owned(), other);
    seal(files);
}

fn binary_of(entries: &mut [Entry]) -> &mut Entry {
    entries.last_mut().unwrap()
}

fn pad_image(files: &mut Files) {
    edit(files, IMAGE, |tar| tar.extend([0; 512]));
    seal(files);
}

/// Returns a program for amd64's archive that is not the one in the image.
fn other_program(arch: Arch, rustc: &str) -> Blob {
    let mut stamp = fixtures::stamp(&TARGETS[0]);
    stamp.rustc = rustc.to_owned();
    fixtures::elf(arch, &stamp).into()
}

type Change<T> = fn(&mut T);

/// Returns changes of the files of a dist, with the rules that they break.
fn of_files() -> [(&'static str, Change<Files>); 13] {
    [
        ("A1 A2 B8", |it| drop(it.remove(AMD64))),
        ("A1 A2", |it| drop(it.insert("x.txt".into(), "".into()))),
        ("A1", |it| drop(it.remove(FILE_NAME))),
        ("A1", |it| drop(it.remove(SUMS_NAME))),
        ("A2 A4 B8", |it| edit(it, AMD64, |bytes| bytes[300] ^= 1)),
        ("A2", |it| edit(it, SUMS_NAME, |bytes| bytes[0] ^= 1)),
        ("A2", |it| edit(it, SUMS_NAME, list_sums)),
        ("A2 S1 S10", |it| edit(it, IMAGE, |tar| flip_system(tar))),
        ("A3", |it| rename(it, IMAGE, "x.tar")),
        ("A3 A7 A9", |it| rename(it, AMD64, "noetl-linux.tar.gz")),
        ("A3", |it| rename(it, ALIAS, "noetl.tar.gz")),
        ("A7", other_copy),
        ("A5", pad_image),
    ]
}

/// The same for changes of the manifest.
fn of_manifests() -> [(&'static str, Change<DistManifest>); 10] {
    [
        ("A1", |it| it.artifacts.clear()),
        ("A1", |it| it.targets.push("riscv64".into())),
        ("A2", |it| it.schema = 99),
        ("A2", |it| archive(it).facts.libraries.push("x".into())),
        ("A2", |it| archive(it).binary = "nonsense".into()),
        ("A6", |it| it.companions.truncate(3)),
        ("A6", |it| it.companions[0].path.push('x')),
        ("A7", |it| {
            alias(it).content = Content::Alias(Alias { of: IMAGE.into() })
        }),
        ("A2", |it| image(it).references.push("x.io/x:1".into())),
        ("A2", |it| image(it).platforms[0].digest.push('0')),
    ]
}

type Repack = fn(&mut Vec<Entry>, &mut u64);

/// The same for changes of an archive.
fn of_archives() -> [(&'static str, Repack); 11] {
    [
        ("A4 B8", |it, _| drop(it.pop())),
        ("A4 B8", |it, _| it.push(Entry::file("evil", 0o644, ""))),
        ("A4", |it, _| it.swap(1, 2)),
        ("A6", |it, _| drop(it.remove(1))),
        ("A6", |it, _| it[1].content = "".into()),
        ("A5", |it, _| binary_of(it).mode = 0o777),
        ("A5", |it, _| it[1].owner = 1000),
        ("A5", |_, time| *time += 1),
        ("B1 B8 B9", |it, _| {
            binary_of(it).content = other_program(Arch::Aarch64, "")
        }),
        ("B1 B6 B8 B9", |it, _| {
            binary_of(it).content = "#!/bin/sh\n".into()
        }),
        ("B8 B9", |it, _| {
            binary_of(it).content = other_program(Arch::X86_64, "")
        }),
    ]
}

/// Returns changed dist folders with the rules that they break; the first one is the rule that the change is about.
fn mutants() -> Vec<(&'static str, Files)> {
    let of_stamps: [(_, fn(&mut Stamp)); 5] = [
        ("B5 P15", |it| it.rustc = "/home/me/.cargo".into()),
        ("B6 P14", |it| it.version = "9.9.9".into()),
        ("B6 P14", |it| it.commit = "c".into()),
        ("B6", |it| it.target = "riscv64".into()),
        ("B7", |it| it.ui_sha256.clear()),
    ];
    let clean = clean();
    let changed = |change: &dyn Fn(&mut Files)| {
        let mut files = clean.clone();
        change(&mut files);
        files
    };
    let stamped = |change: fn(&mut Stamp)| {
        fixtures::dist(|target| {
            let mut stamp = fixtures::stamp(target);
            change(&mut stamp);
            fixtures::elf(target.arch, &stamp)
        })
    };
    let mut mutants = Vec::new();
    mutants.extend(of_files().map(|(broken, change)| (broken, changed(&change))));
    mutants.extend(
        of_manifests().map(|(broken, change)| (broken, changed(&|files| describe(files, change)))),
    );
    mutants.extend(
        of_archives().map(|(broken, change)| (broken, changed(&|files| repack(files, change)))),
    );
    let of_packages = wheels::mutants().into_iter().chain(npm::mutants());
    let of_packages = of_packages
        .chain(system::mutants())
        .chain(repositories::mutants())
        .chain(recipes::mutants())
        .chain(sdist::mutants())
        .chain(universal::mutants());
    mutants.extend(of_packages.map(|(broken, change)| (broken, changed(&change))));
    mutants.extend(of_stamps.map(|(broken, change)| (broken, stamped(change))));
    mutants
}

#[test]
fn clean_dist_breaks_no_rule() {
    let (findings, manifest) = checked(&clean());
    assert_eq!(findings.lines(), Vec::<String>::new());
    assert_eq!(manifest.unwrap().artifacts.len(), 59);
}

#[test]
fn changes_break_the_expected_rules() {
    let mutants = mutants();
    let mut wrong = Vec::new();
    for (number, (expected, files)) in mutants.iter().enumerate() {
        let findings = checked(files).0;
        if findings.ids().join(" ") != *expected {
            let lines = findings.lines();
            wrong.push(format!("change {number}, not {expected} but {lines:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The tests of programs.rs break the others.
    for rule in RULES
        .iter()
        .filter(|rule| !["B2", "B3", "B4", "B10"].contains(&rule.id))
    {
        let mut mutants = mutants.iter();
        assert!(
            mutants.any(|(broken, _)| broken.starts_with(rule.id)),
            "{}",
            rule.id
        );
    }
}

/// How many random changes of one byte, over all files, are tried.
const CHANGES: u64 = 2_000;

#[test]
fn every_changed_byte_is_a_finding() {
    let clean = &clean();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let numbers = (0..CHANGES).skip_while(|number| number % threads != thread);
                for number in numbers.step_by(usize::try_from(threads).unwrap()) {
                    change_one_byte(clean, number);
                }
            });
        }
    });
}

/// Makes a change, which is the same in each run, and expects a finding.
fn change_one_byte(clean: &Files, number: u64) {
    // splitmix64.
    let mut state = number << 32;
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) % below as u64).unwrap()
    };
    let (name, blob) = clean.iter().nth(draw(clean.len())).unwrap();
    let at = draw(usize::try_from(blob.length()).unwrap());
    let change = 1 + u8::try_from(draw(255)).unwrap();
    let mut files = clean.clone();
    edit(&mut files, name, |bytes| bytes[at] ^= change);
    let errors = checked(&files).0.errors();
    assert!(errors > 0, "{name}, byte {at} xor {change}");
}
