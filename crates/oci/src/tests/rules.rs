//! Rules times mutants, other ways to break a rule, and what is fine although it looks odd.

use std::io::Write as _;

use flate2::Compression;

use super::fixture::{self, TIME, clean, clean_tar, platforms, program};
use crate::blob::Blob;
use crate::contents::KnownLayers;
use crate::digest::Sha256;
use crate::elf::Machine;
use crate::gzip::gzip;
use crate::layout::{INDEX_NAME, Layout, blob_path};
use crate::media_type::MANIFEST;
use crate::model::{ImageIndex, encode};
use crate::mutants::{self, AMD64, ARM64, Parts};
use crate::rules::{self, Expectations, Findings, catalogue};
use crate::tar::write::{Entry, to_bytes};

/// What is expected of an image that anybody made.
pub(super) fn unknown() -> Expectations {
    Expectations {
        now: Some(TIME),
        ..Expectations::of(platforms())
    }
}

/// What is expected of an image whose maker is known.
fn known() -> Expectations {
    Expectations {
        created: Some(TIME),
        port: Some(8080),
        ca_sha256: Some(Sha256::of(fixture::ca_bundle().as_bytes())),
        ..unknown()
    }
}

pub(super) fn check(layout: &Layout, expected: &Expectations) -> Findings {
    rules::check(layout, expected, &[], &KnownLayers::default()).unwrap()
}

/// Breaks an image in parts, with digests that fit.
pub(super) fn parts(change: impl Fn(&mut Parts)) -> Layout {
    let mut parts = Parts::of(&clean()).unwrap();
    change(&mut parts);
    parts.seal().unwrap()
}

/// Breaks the files of a layout.
fn raw(change: impl Fn(&mut Layout)) -> Layout {
    let mut layout = clean();
    change(&mut layout);
    layout
}

fn with_mode(binary: Vec<u8>, mode: u32) -> Vec<Entry> {
    let mut entries = fixture::app(binary);
    entries[2].mode = mode;
    entries
}

/// Replaces the layer with the program.
fn set_program(parts: &mut Parts, image: usize, entries: &[Entry]) {
    let tar = to_bytes(entries, TIME).unwrap();
    parts.set_layer(image, 1, gzip(&tar).unwrap(), tar).unwrap();
}

fn repack(parts: &mut Parts, pack: impl Fn(&[u8]) -> Vec<u8>) {
    let tar = parts.layers[AMD64][1].tar.clone();
    parts.set_layer(AMD64, 1, pack(&tar), tar).unwrap();
}

pub(super) fn add_layer(parts: &mut Parts, entries: &[Entry]) {
    parts
        .add_layer(AMD64, to_bytes(entries, TIME).unwrap())
        .unwrap();
}

fn with_folders(mode: u32) -> Vec<Entry> {
    let mut entries = with_mode(program(Machine::Amd64, ""), 0o755);
    entries
        .iter_mut()
        .take(2)
        .for_each(|folder| folder.mode = mode);
    entries
}

fn cut_short() -> Vec<u8> {
    let mut program = program(Machine::Amd64, &"x".repeat(300));
    program.truncate(program.len() - 200);
    program
}

fn set_entrypoint(parts: &mut Parts, words: &[&str]) {
    let run = parts.configs[AMD64].config.as_mut().unwrap();
    run.entrypoint = Some(words.iter().map(ToString::to_string).collect());
}

fn set_env(parts: &mut Parts, line: &str) {
    let run = parts.configs[AMD64].config.as_mut().unwrap();
    run.env.as_mut().unwrap().push(line.to_owned());
}

fn set_user(parts: &mut Parts, user: &str) {
    let run = parts.configs[AMD64].config.as_mut().unwrap();
    run.user = Some(user.to_owned());
}

/// index.json with a single image before the index: clients that take the first get one platform.
fn name_a_child_beside_the_index(layout: &mut Layout) {
    let bytes = layout.files[INDEX_NAME].read().unwrap();
    let mut index: ImageIndex = serde_json::from_slice(&bytes).unwrap();
    let mut child = Parts::of(layout).unwrap().index.manifests[0].clone();
    child
        .annotations
        .clone_from(&index.manifests[0].annotations);
    index.manifests.insert(0, child);
    let bytes = Blob::from(encode(&index));
    layout.files.insert(INDEX_NAME.to_owned(), bytes);
}

fn gzip_in_two_members(bytes: &[u8]) -> Vec<u8> {
    [gzip(&bytes[..1024]).unwrap(), gzip(&bytes[1024..]).unwrap()].concat()
}

pub(super) fn gzip_with_a_name(bytes: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new()
        .operating_system(255)
        .filename("app.tar");
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Ways to break a rule that its mutant does not take.
#[rustfmt::skip] // One a line.
fn variants() -> Vec<(Layout, &'static [&'static str])> {
    vec![
        (raw(|it| { let name = first_layer(it); it.files.insert(name, gzip(b"other").unwrap().into()); }), &["S1", "S2", "S3", "S8"]),
        (parts(|it| drop(it.configs[ARM64].rootfs.diff_ids.pop())), &["S3"]),
        (parts(|it| it.index.media_type = Some(MANIFEST.into())), &["S5"]),
        (parts(|it| it.index.manifests[ARM64].media_type = "application/vnd.oci.image.manifest.v9+json".into()), &["S12", "S6"]),
        (raw(|it| drop(it.files.insert("oci-layout".into(), Blob::from("garbage")))), &["S7"]),
        (parts(|it| repack(it, gzip_in_two_members)), &["S10"]),
        (parts(|it| repack(it, gzip_with_a_name)), &["S10"]),
        (parts(|it| repack(it, |tar| [gzip(tar).unwrap(), b"tail".to_vec()].concat())), &["S10"]),
        (raw(|it| it.add(b"orphan".to_vec())), &["S12"]),
        (raw(|it| drop(it.files.insert("notes.txt".into(), Blob::from("")))), &["S12"]),
        (parts(|it| it.manifests[AMD64].layers[0].data = Some("b3RoZXI=".into())), &["S14"]),
        (raw(name_a_child_beside_the_index), &["P1"]),
        (parts(|it| it.configs[ARM64].variant = None), &["P4", "P5"]),
        (parts(|it| set_program(it, AMD64, &with_mode(cut_short(), 0o755))), &["P6"]),
        (parts(|it| set_program(it, AMD64, &with_folders(0o700))), &["P9"]),
        (parts(|it| add_layer(it, &[Entry::folder("usr", 0o755), Entry::folder("usr/bin", 0o755), Entry::file("usr/bin/.wh.app", 0o644, "")])), &["F10", "F6", "P9"]),
        (parts(|it| add_layer(it, &with_mode(program(Machine::Arm64, ""), 0o755))), &["F10", "P6"]),
        (parts(|it| set_entrypoint(it, &["app"])), &["C1", "P9"]),
        (parts(|it| set_entrypoint(it, &["/app"])), &["P9"]),
        (parts(|it| set_entrypoint(it, &[])), &["C1", "P9"]),
        (parts(|it| set_entrypoint(it, &["/bin/sh", "-c", "app"])), &["C1", "P9"]),
        (parts(|it| set_env(it, "APP_API_TOKEN=abc")), &["C2"]),
        (parts(|it| set_env(it, "nonsense")), &["C2"]),
        (parts(|it| set_user(it, "0")), &["F4", "F5"]),
        (parts(|it| set_user(it, "another")), &["F4", "F5"]),
        (parts(|it| it.configs[ARM64].created = Some("yesterday".into())), &["C8"]),
        (parts(|it| set_env(it, "APP_ENCRYPTION_KEY=abc")), &["C2"]),
        (parts(|it| set_env(it, "DB_PASS=abc")), &["C2"]),
        (parts(|it| set_env(it, "DATABASE_URL=postgres://app:abc@db/app")), &["C2"]),
        (parts(|it| it.configs[ARM64].config.as_mut().unwrap().working_dir = Some("home".into())), &["F4"]),
        // Whatever it says of itself, a runtime runs it: every rule holds for it.
        (parts(|it| { it.manifests[ARM64].artifact_type = Some("application/x".into()); set_program(it, ARM64, &with_mode(program(Machine::Amd64, ""), 0o755)); }), &["P6", "S6"]),
        (parts(|it| drop(it.index.manifests[ARM64].annotations.insert("vnd.docker.reference.type".into(), "x".into()))), &["S6"]),
    ]
}

fn first_layer(layout: &Layout) -> String {
    let parts = Parts::of(layout).unwrap();
    blob_path(&parts.manifests[0].layers[1].digest)
}

/// Returns what differs between what was found and what should have been.
fn difference(
    name: &str,
    layout: &Layout,
    expected: &Expectations,
    trips: &[&str],
) -> Option<String> {
    let findings = check(layout, expected);
    let mut trips = trips.to_vec();
    trips.sort_unstable();
    (findings.ids() != trips).then(|| format!("{name}: not {trips:?} but {:#?}", findings.lines()))
}

#[test]
fn a_clean_image_breaks_no_rule() {
    for layout in [clean(), clean_tar()] {
        for expected in [unknown(), known()] {
            assert_eq!(check(&layout, &expected).lines(), Vec::<String>::new());
        }
        let sealed = Parts::of(&layout).unwrap().seal().unwrap();
        assert_eq!(
            sealed, layout,
            "taking apart and putting together changes nothing"
        );
    }
}

#[test]
fn rules_times_mutants_is_the_declared_matrix() {
    let mut wrong = Vec::new();
    let with_port = Expectations {
        port: Some(8080),
        ..unknown()
    };
    for (clean, expected) in [(clean(), with_port), (clean_tar(), known())] {
        for mutant in mutants::all() {
            let layout = mutant.of(&clean).unwrap();
            let trips = mutant.rule.example.unwrap().trips;
            wrong.extend(difference(mutant.rule.id, &layout, &expected, trips));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_ways_to_break_a_rule_trip_exactly_what_follows_from_them() {
    let variants = variants().into_iter().enumerate();
    let wrong = variants
        .filter_map(|(number, (it, trips))| difference(&number.to_string(), &it, &known(), trips));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_on_images_has_one_mutant() {
    let on_images = catalogue::all().filter(|rule| !rule.id.starts_with('R'));
    let ids: Vec<_> = on_images.map(|rule| rule.id).collect();
    assert_eq!(ids.len(), 47);
    let mutants: Vec<_> = mutants::all().map(|mutant| mutant.rule.id).collect();
    assert_eq!(mutants, ids);
    for rule in mutants::all().map(|mutant| mutant.rule) {
        assert_eq!(rule.example.unwrap().trips.first(), Some(&rule.id));
    }
}

/// This very test is a dynamic program, on Linux an ELF one.
#[test]
#[cfg(target_os = "linux")]
fn a_dynamic_entry_point_trips_p8() {
    let program_file = std::env::current_exe().unwrap();
    let path = camino::Utf8Path::from_path(&program_file).unwrap();
    let bytes = crate::files::read(path).unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let layout = parts(|it| set_program(it, image, &with_mode(bytes.clone(), 0o755)));
    let findings = check(&layout, &unknown());
    assert!(findings.ids().contains(&"P8"), "{:#?}", findings.lines());
}

#[test]
fn a_single_platform_is_fine_where_it_was_asked_for() {
    let single = parts(|it| {
        it.index.manifests.pop();
        it.manifests.pop();
    });
    let amd64 = Expectations::of(platforms().into_iter().take(1));
    assert_eq!(check(&single, &amd64).lines(), Vec::<String>::new());
    assert_eq!(check(&clean(), &amd64).ids(), ["P1"]);
}

/// What the caller says is compared only when it is said.
#[test]
fn an_image_of_another_time_port_or_bundle_is_found() {
    let other = Expectations {
        port: Some(80),
        ca_sha256: Some(Sha256::of(b"another bundle")),
        created: Some(TIME + 1),
        ..unknown()
    };
    assert_eq!(check(&clean(), &other).ids(), ["C3", "C8", "F3", "F7"]);
    let earlier = Expectations {
        now: Some(TIME - 1),
        ..unknown()
    };
    assert_eq!(check(&clean(), &earlier).ids(), ["C8"]);
}
