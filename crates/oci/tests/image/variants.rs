//! Ways to break a rule that its mutant does not use.

use std::io::Write as _;

use flate2::Compression;
use noetl_oci::annotation::DOCKER_REFERENCE_TYPE;
use noetl_oci::gzip::gzip;
use noetl_oci::layout::{INDEX_NAME, blob_path};
use noetl_oci::media_type::MANIFEST;
use noetl_oci::tar::write::{Entry, to_bytes};
use noetl_oci::{Blob, ImageIndex, Layout, Machine, encode};
use noetl_oci_mutants::{AMD64, ARM64, Parts};

use crate::fixture::{self, TIME, clean, parts, program};

/// An image that breaks rules, and the ids of those rules.
pub(super) type Variant = (Layout, &'static [&'static str]);

/// Changes documents or layers of a clean image; digests are computed again.
fn in_parts(ids: &'static [&'static str], change: impl Fn(&mut Parts)) -> Variant {
    (parts(change), ids)
}

/// Changes files of a clean layout; nothing else is changed.
fn in_files(ids: &'static [&'static str], change: impl Fn(&mut Layout)) -> Variant {
    let mut layout = clean();
    change(&mut layout);
    (layout, ids)
}

/// Ways to break a rule that its mutant does not use.
pub(super) fn variants() -> Vec<Variant> {
    let families = [documents(), layers(), programs(), configs()];
    families.into_iter().flatten().collect()
}

fn documents() -> Vec<Variant> {
    let unknown_type = "application/vnd.oci.image.manifest.v9+json";
    vec![
        in_files(&["S1", "S2", "S3", "S8"], |it| {
            let name = program_layer(it);
            it.files.insert(name, gzip(b"other").unwrap().into());
        }),
        in_parts(&["S3"], |it| drop(it.configs[ARM64].rootfs.diff_ids.pop())),
        in_parts(&["S5"], |it| it.index.media_type = Some(MANIFEST.into())),
        in_parts(&["S12", "S6"], |it| {
            it.index.manifests[ARM64].media_type = unknown_type.to_owned();
        }),
        in_files(&["S7"], |it| set_file(it, "oci-layout", "garbage")),
        in_files(&["S12"], |it| it.add(b"orphan".to_vec())),
        in_files(&["S12"], |it| set_file(it, "notes.txt", "")),
        in_parts(&["S14"], |it| {
            it.manifests[AMD64].layers[0].data = Some("b3RoZXI=".to_owned());
        }),
        in_files(&["P1"], name_a_child_beside_the_index),
        in_parts(&["P4", "P5"], |it| it.configs[ARM64].variant = None),
        // A runtime runs an image even if it claims to be an artifact, so every rule applies to it.
        in_parts(&["P6", "S6"], |it| {
            it.manifests[ARM64].artifact_type = Some("application/x".to_owned());
            set_program(it, ARM64, &with_mode(program(Machine::Amd64, ""), 0o755));
        }),
        in_parts(&["S6"], |it| {
            let annotations = &mut it.index.manifests[ARM64].annotations;
            annotations.insert(DOCKER_REFERENCE_TYPE.to_owned(), "x".to_owned());
        }),
    ]
}

fn layers() -> Vec<Variant> {
    let usr = || [Entry::folder("usr", 0o755), Entry::folder("usr/bin", 0o755)];
    vec![
        in_parts(&["S10"], |it| repack(it, gzip_in_two_members)),
        in_parts(&["S10"], |it| repack(it, gzip_with_a_name)),
        in_parts(&["S10"], |it| {
            repack(it, |tar| [gzip(tar).unwrap(), b"tail".to_vec()].concat());
        }),
        in_parts(&["F10", "F6", "P9"], |it| {
            let whiteout = Entry::file("usr/bin/.wh.app", 0o644, "");
            add_layer(it, &[&usr()[..], &[whiteout]].concat());
        }),
        in_parts(&["F10", "P6"], |it| {
            add_layer(it, &with_mode(program(Machine::Arm64, ""), 0o755));
        }),
    ]
}

fn programs() -> Vec<Variant> {
    let amd64 = |entries: Vec<Entry>| move |it: &mut Parts| set_program(it, AMD64, &entries);
    vec![
        in_parts(&["P6"], amd64(with_mode(cut_short(), 0o755))),
        in_parts(&["P9"], amd64(with_folders(0o700))),
        in_parts(&["C1", "P9"], |it| set_entrypoint(it, &["app"])),
        in_parts(&["P9"], |it| set_entrypoint(it, &["/app"])),
        in_parts(&["C1", "P9"], |it| set_entrypoint(it, &[])),
        in_parts(&["C1", "P9"], |it| {
            set_entrypoint(it, &["/bin/sh", "-c", "app"]);
        }),
    ]
}

fn configs() -> Vec<Variant> {
    let database = "DATABASE_URL=postgres://app:abc@db/app";
    vec![
        in_parts(&["C2"], |it| set_env(it, "APP_API_TOKEN=abc")),
        in_parts(&["C2"], |it| set_env(it, "APP_ENCRYPTION_KEY=abc")),
        in_parts(&["C2"], |it| set_env(it, "DB_PASS=abc")),
        in_parts(&["C2"], |it| set_env(it, database)),
        in_parts(&["C2"], |it| set_env(it, "nonsense")),
        in_parts(&["F4", "F5"], |it| set_user(it, "0")),
        in_parts(&["F4", "F5"], |it| set_user(it, "another")),
        in_parts(&["C8"], |it| {
            it.configs[ARM64].created = Some("yesterday".to_owned());
        }),
        in_parts(&["F4"], |it| {
            it.run(ARM64).unwrap().working_dir = Some("home".to_owned());
        }),
    ]
}

fn set_file(layout: &mut Layout, name: &str, content: &str) {
    layout.files.insert(name.to_owned(), Blob::from(content));
}

/// Returns the path of the layer with the program.
fn program_layer(layout: &Layout) -> String {
    let parts = Parts::of(layout).unwrap();
    blob_path(&parts.manifests[0].layers[1].digest)
}

pub(super) fn with_mode(binary: Vec<u8>, mode: u32) -> Vec<Entry> {
    let mut entries = fixture::app(binary);
    entries[2].mode = mode;
    entries
}

/// Replaces the layer with the program.
pub(super) fn set_program(parts: &mut Parts, image: usize, entries: &[Entry]) {
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
    let run = parts.run(AMD64).unwrap();
    run.entrypoint = Some(words.iter().map(ToString::to_string).collect());
}

fn set_env(parts: &mut Parts, line: &str) {
    let run = parts.run(AMD64).unwrap();
    run.env.as_mut().unwrap().push(line.to_owned());
}

fn set_user(parts: &mut Parts, user: &str) {
    let run = parts.run(AMD64).unwrap();
    run.user = Some(user.to_owned());
}

/// Lists a single image before the index in index.json, so that clients which use the first entry get one platform.
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
