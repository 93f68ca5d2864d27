//! Rules times mutants on a dist folder: what each break trips, and that a clean one trips nothing.

use std::collections::BTreeMap;

use super::{Files, check, check_facts};
use crate::binary::{Facts, Signature, Stamp};
use crate::check::Findings;
use crate::check::rules::RULES;
use crate::digest::{self, Sha256};
use crate::dist_manifest::{Content, DistManifest, FILE_NAME, SUMS_NAME};
use crate::fixtures;
use crate::target::{Arch, Os, Target};
use crate::ustar::Entry;
use crate::{archive, binary};

const AMD64: &str = "noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz";
const IMAGE: &str = "noetl-v1.2.3-image.tar";

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
        let target = &crate::target::TARGETS[0];
        let unpacked = archive::unpack(target, &files[AMD64]).unwrap();
        let mut time = unpacked[0].1;
        let mut entries = unpacked.into_iter().map(|(entry, _)| entry).collect();
        change(&mut entries, &mut time);
        files.insert(
            AMD64.to_owned(),
            archive::pack(target, &entries, time).unwrap(),
        );
        seal(files);
    })
}

/// Makes manifest and checksums describe the files that are there.
fn seal(files: &mut Files) {
    let mut manifest: DistManifest = serde_json::from_slice(&files[FILE_NAME]).unwrap();
    for artifact in &mut manifest.artifacts {
        let bytes = &files[&artifact.name];
        (artifact.size, artifact.sha256) = (bytes.len() as u64, Sha256::of(bytes));
        if let Content::Archive(content) = &mut artifact.content {
            let target = Target::find(&content.target).unwrap();
            let entries = archive::unpack(target, bytes).unwrap();
            if let Some((entry, _)) = entries
                .iter()
                .find(|(entry, _)| entry.path == content.binary)
            {
                content.binary_size = entry.bytes.len() as u64;
                content.binary_sha256 = Sha256::of(&entry.bytes);
            }
        }
    }
    files.insert(FILE_NAME.to_owned(), serde_json::to_vec(&manifest).unwrap());
    files.remove(SUMS_NAME);
    let sums: BTreeMap<_, _> = files
        .iter()
        .map(|(name, bytes)| (name.clone(), Sha256::of(bytes)))
        .collect();
    files.insert(SUMS_NAME.to_owned(), digest::write_sums(&sums).into_bytes());
}

fn swap_binary(binary: &[u8]) -> Files {
    repacked(|entries, _| entries[3].bytes = binary.to_vec())
}

fn elf(arch: Arch, change: impl Fn(&mut Stamp)) -> Vec<u8> {
    let mut stamp = fixtures::stamp(&crate::target::TARGETS[0]);
    change(&mut stamp);
    fixtures::elf(arch, &stamp)
}

#[rustfmt::skip] // One mutant a line.
fn mutants() -> Vec<(&'static str, Files, &'static [&'static str])> {
    vec![
        ("A1", raw(|it| drop(it.remove(AMD64))), &["A1"]),
        ("A1", raw(|it| drop(it.insert("notes.txt".into(), Vec::new()))), &["A1", "A2"]),
        ("A1", raw(|it| drop(it.remove(FILE_NAME))), &["A1"]),
        ("A1", raw(|it| drop(it.remove(SUMS_NAME))), &["A1", "A2"]),
        ("A2", raw(|it| it.get_mut(AMD64).unwrap()[300] ^= 1), &["A2", "A4"]),
        ("A2", raw(|it| it.get_mut(SUMS_NAME).unwrap()[0] ^= 1), &["A2"]),
        ("A2", raw(|it| it.get_mut(IMAGE).unwrap()[512 * 3 + 9] ^= 1), &["A2", "S1", "S10"]),
        ("A3", renamed("noetl-linux.tar.gz"), &["A3"]),
        ("A4", repacked(|entries, _| drop(entries.remove(1))), &["A4"]),
        ("A4", repacked(|entries, _| entries.push(Entry::file("evil", 0o644, ""))), &["A4"]),
        ("A5", repacked(|entries, _| entries[3].mode = 0o777), &["A5"]),
        ("A5", repacked(|entries, _| entries[1].owner = 1000), &["A5"]),
        ("A5", repacked(|_, time| *time += 1), &["A5"]),
        ("B1", swap_binary(&elf(Arch::Aarch64, |_| {})), &["B1", "B8"]),
        ("B1", swap_binary(b"#!/bin/sh\n"), &["B1", "B6", "B8"]),
        ("B5", stamped(|stamp| stamp.target_features = "/home/me/.cargo".into()), &["B5"]),
        ("B6", stamped(|stamp| stamp.version = "9.9.9".into()), &["B6"]),
        ("B6", stamped(|stamp| stamp.commit = "c".into()), &["B6"]),
        ("B6", stamped(|stamp| stamp.target = "riscv64".into()), &["B6"]),
        ("B7", stamped(|stamp| stamp.ui_sha256 = String::new()), &["B7"]),
        ("B8", swap_binary(&elf(Arch::X86_64, |stamp| stamp.rustc = "rustc 2".into())), &["B8"]),
    ]
}

fn renamed(name: &str) -> Files {
    raw(|files| {
        let archive = files.remove(AMD64).unwrap();
        files.insert(name.to_owned(), archive);
        let manifest = String::from_utf8(files[FILE_NAME].clone()).unwrap();
        let manifest = manifest.replace(
            &format!("\"name\": \"{AMD64}\""),
            &format!("\"name\": \"{name}\""),
        );
        files.insert(FILE_NAME.to_owned(), manifest.into_bytes());
        seal(files);
    })
}

#[test]
fn a_clean_dist_breaks_no_rule() {
    let (findings, manifest) = check(&clean());
    assert_eq!(findings.lines(), Vec::<String>::new());
    assert_eq!(manifest.unwrap().artifacts.len(), 3);
}

#[test]
fn each_mutant_trips_its_rule_and_exactly_what_follows_from_it() {
    for (rule, files, expected) in mutants() {
        let findings = check(&files).0;
        assert!(expected.contains(&rule));
        assert_eq!(findings.ids(), expected, "{rule}: {:#?}", findings.lines());
    }
}

#[test]
fn every_rule_on_downloads_has_a_mutant() {
    let mut covered: Vec<_> = mutants().iter().map(|(rule, ..)| *rule).collect();
    covered.extend(["B2", "B3", "B4"]);
    for rule in RULES.iter().filter(|rule| rule.id.starts_with(['A', 'B'])) {
        assert!(covered.contains(&rule.id), "{}", rule.id);
    }
}

/// Every byte of every file of a dist is covered by some rule.
#[test]
fn any_flipped_byte_is_noticed() {
    let clean = clean();
    for (name, bytes) in &clean {
        for at in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let mut files = clean.clone();
            files.get_mut(name).unwrap()[at] ^= 1;
            assert!(check(&files).0.errors() > 0, "{name}, byte {at}");
        }
    }
}

fn facts(target: &Target) -> Facts {
    Facts {
        os: target.os,
        arch: Some(target.arch),
        interpreter: None,
        libraries: Vec::new(),
        glibc: None,
        macos_minimum: (target.os == Os::Mac).then_some((11, 0)),
        signature: (target.os == Os::Mac && target.arch == Arch::Aarch64)
            .then_some(Signature::AdHoc),
    }
}

fn ids(triple: &str, change: impl Fn(&mut Facts)) -> Vec<&'static str> {
    let target = Target::find(triple).unwrap();
    let (mut facts, mut findings) = (facts(target), Findings::default());
    change(&mut facts);
    check_facts(target, "file", &facts, &mut findings);
    findings.ids()
}

#[test]
fn what_the_headers_say_is_judged_by_target() {
    let libraries = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let none: [&str; 0] = [];
    let (musl, gnu) = ("x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu");
    let (mac, intel_mac) = ("aarch64-apple-darwin", "x86_64-apple-darwin");
    let windows = "x86_64-pc-windows-gnu";
    assert_eq!(ids(musl, |_| {}), none);
    assert_eq!(
        ids(musl, |it| it.libraries = libraries(&["libc.so.6"])),
        ["B2"]
    );
    assert_eq!(
        ids(musl, |it| it.interpreter =
            Some("/lib/ld-musl-x86_64.so.1".into())),
        ["B2"]
    );
    assert_eq!(
        ids(gnu, |it| it.libraries =
            libraries(&["libc.so.6", "libm.so.6"])),
        none
    );
    assert_eq!(
        ids(gnu, |it| it.libraries = libraries(&["libssl.so.3"])),
        ["B2"]
    );
    assert_eq!(ids(gnu, |it| it.glibc = Some((2, 17))), none);
    assert_eq!(ids(gnu, |it| it.glibc = Some((2, 28))), ["B2"]);
    assert_eq!(
        ids(windows, |it| it.libraries = libraries(&[
            "KERNEL32.dll",
            "api-ms-win-crt-heap-l1-1-0.dll"
        ])),
        none
    );
    assert_eq!(
        ids(windows, |it| it.libraries =
            libraries(&["libgcc_s_seh-1.dll"])),
        ["B2"]
    );
    assert_eq!(
        ids(mac, |it| it.libraries =
            libraries(&["/usr/lib/libSystem.B.dylib"])),
        none
    );
    assert_eq!(
        ids(mac, |it| it.libraries =
            libraries(&["/opt/homebrew/lib/libssl.dylib"])),
        ["B2"]
    );
    assert_eq!(ids(mac, |it| it.macos_minimum = Some((15, 0))), ["B3"]);
    assert_eq!(ids(intel_mac, |it| it.macos_minimum = None), ["B3"]);
    assert_eq!(ids(mac, |it| it.signature = None), ["B4"]);
    assert_eq!(
        ids(mac, |it| it.signature = Some(Signature::Broken)),
        ["B4"]
    );
    assert_eq!(ids(intel_mac, |it| it.signature = None), none);
    assert_eq!(ids(mac, |it| it.arch = Some(Arch::X86_64)), ["B1"]);
    assert_eq!(ids(mac, |it| it.os = Os::Linux), ["B1"]);
}

#[test]
fn the_fixture_is_what_it_pretends_to_be() {
    let target = &crate::target::TARGETS[1];
    let program = fixtures::elf(Arch::Aarch64, &fixtures::stamp(target));
    assert_eq!(
        binary::read_stamp(&program).unwrap(),
        fixtures::stamp(target)
    );
    assert_eq!(binary::facts(&program).unwrap(), facts(target));
}
