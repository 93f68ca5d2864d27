//! Rules times mutants, other ways to break a rule, and what is fine although it looks odd.

mod foreign;

use std::io::Write as _;

use flate2::Compression;

use super::check;
use crate::check::expect::{Expectations, Project};
use crate::check::mutants::{self, Parts};
use crate::check::rules;
use crate::digest::Sha256;
use crate::fixtures;
use crate::gzip::gzip;
use crate::oci::layout::Layout;
use crate::oci::model::{MANIFEST, encode};
use crate::oci::rootfs;
use crate::target::{Arch, Platform, TARGETS};
use crate::ustar::{self, Entry};

const TIME: u64 = 1_767_225_600;
const AMD64: usize = 0;
const ARM64: usize = 1;

fn clean() -> Layout {
    fixtures::image()
}

/// The same as engines load it, with Docker's part.
fn clean_tar() -> Layout {
    let image = fixtures::linux_plan().image.unwrap();
    let tar = clean().to_tar(image.docker_platform, &image.references, TIME);
    Layout::from_tar(&tar.unwrap()).unwrap()
}

fn stranger() -> Expectations {
    Expectations {
        now: Some(TIME),
        ..Expectations::of(&Platform::all())
    }
}

fn project() -> Expectations {
    let release = fixtures::release();
    Expectations {
        project: Some(Project {
            version: release.version,
            revision: release.commit,
            licenses: "MIT".to_owned(),
            source: "https://github.com/noetl/noetl".to_owned(),
            port: 8082,
            commit_time: TIME,
            ca_sha256: Sha256::of(rootfs::ca_bundle().as_bytes()).to_string(),
        }),
        ..stranger()
    }
}

/// Breaks an image in parts, with digests that fit.
fn parts(change: impl Fn(&mut Parts)) -> Layout {
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

fn elf(arch: Arch) -> Vec<u8> {
    fixtures::elf(
        arch,
        &fixtures::stamp(&TARGETS[usize::from(arch == Arch::Aarch64)]),
    )
}

fn program(binary: Vec<u8>, mode: u32) -> Vec<Entry> {
    let mut entries = rootfs::app(binary);
    entries[2].mode = mode;
    entries
}

/// Replaces the layer with the program.
fn set_program(parts: &mut Parts, image: usize, entries: &[Entry]) {
    let tar = ustar::write(entries, TIME).unwrap();
    parts.set_layer(image, 1, gzip(&tar).unwrap(), tar).unwrap();
}

fn repack(parts: &mut Parts, pack: impl Fn(&[u8]) -> Vec<u8>) {
    let tar = parts.layers[AMD64][1].tar.clone();
    parts.set_layer(AMD64, 1, pack(&tar), tar).unwrap();
}

fn add_layer(parts: &mut Parts, entries: &[Entry]) {
    parts
        .add_layer(AMD64, ustar::write(entries, TIME).unwrap())
        .unwrap();
}

fn with_folders(mode: u32) -> Vec<Entry> {
    let mut entries = program(elf(Arch::X86_64), 0o755);
    entries
        .iter_mut()
        .take(2)
        .for_each(|folder| folder.mode = mode);
    entries
}

fn cut_short() -> Vec<u8> {
    let mut program = elf(Arch::X86_64);
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
    let mut index = layout.index_json().unwrap();
    let mut child = Parts::of(layout).unwrap().index.manifests[0].clone();
    child
        .annotations
        .clone_from(&index.manifests[0].annotations);
    index.manifests.insert(0, child);
    layout.files.insert("index.json".to_owned(), encode(&index));
}

fn gzip_in_two_members(bytes: &[u8]) -> Vec<u8> {
    [gzip(&bytes[..1024]).unwrap(), gzip(&bytes[1024..]).unwrap()].concat()
}

fn gzip_with_a_name(bytes: &[u8]) -> Vec<u8> {
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
        (raw(|it| { let name = first_layer(it); it.files.insert(name, gzip(b"other").unwrap()); }), &["S1", "S2", "S3", "S8"]),
        (parts(|it| drop(it.configs[ARM64].rootfs.diff_ids.pop())), &["S3"]),
        (parts(|it| it.index.media_type = Some(MANIFEST.into())), &["S5"]),
        (parts(|it| it.index.manifests[ARM64].media_type = "application/vnd.oci.image.manifest.v9+json".into()), &["S12", "S6"]),
        (raw(|it| drop(it.files.insert("oci-layout".into(), b"garbage".to_vec()))), &["S7"]),
        (parts(|it| repack(it, gzip_in_two_members)), &["S10"]),
        (parts(|it| repack(it, gzip_with_a_name)), &["S10"]),
        (parts(|it| repack(it, |tar| [gzip(tar).unwrap(), b"tail".to_vec()].concat())), &["S10"]),
        (raw(|it| it.add_blob(b"orphan".to_vec())), &["S12"]),
        (raw(|it| drop(it.files.insert("notes.txt".into(), Vec::new()))), &["S12"]),
        (parts(|it| it.manifests[AMD64].layers[0].data = Some("b3RoZXI=".into())), &["S14"]),
        (raw(name_a_child_beside_the_index), &["P1"]),
        (parts(|it| it.configs[ARM64].variant = None), &["P4", "P5"]),
        (parts(|it| set_program(it, AMD64, &program(cut_short(), 0o755))), &["P6"]),
        (parts(|it| set_program(it, AMD64, &with_folders(0o700))), &["P9"]),
        (parts(|it| add_layer(it, &[Entry::folder("usr", 0o755), Entry::folder("usr/bin", 0o755), Entry::file("usr/bin/.wh.noetl", 0o644, "")])), &["F10", "F6", "P9"]),
        (parts(|it| add_layer(it, &program(elf(Arch::Aarch64), 0o755))), &["F10", "P6"]),
        (parts(|it| set_entrypoint(it, &["noetl"])), &["C1", "P9"]),
        (parts(|it| set_entrypoint(it, &["/noetl"])), &["P9"]),
        (parts(|it| set_entrypoint(it, &[])), &["C1", "P9"]),
        (parts(|it| set_entrypoint(it, &["/bin/sh", "-c", "noetl"])), &["C1", "P9"]),
        (parts(|it| set_env(it, "NOETL_API_TOKEN=abc")), &["C2"]),
        (parts(|it| set_env(it, "nonsense")), &["C2"]),
        (parts(|it| set_user(it, "0")), &["F4", "F5"]),
        (parts(|it| set_user(it, "stranger")), &["F4", "F5"]),
        (parts(|it| it.configs[ARM64].created = Some("yesterday".into())), &["C8"]),
        (parts(|it| set_env(it, "NOETL_ENCRYPTION_KEY=abc")), &["C2"]),
        (parts(|it| set_env(it, "DB_PASS=abc")), &["C2"]),
        (parts(|it| set_env(it, "DATABASE_URL=postgres://noetl:abc@db/noetl")), &["C2"]),
        (parts(|it| it.configs[ARM64].config.as_mut().unwrap().working_dir = Some("home".into())), &["F4"]),
        // Whatever it says of itself, a runtime runs it: every rule holds for it.
        (parts(|it| { it.manifests[ARM64].artifact_type = Some("application/x".into()); set_program(it, ARM64, &program(elf(Arch::X86_64), 0o755)); }), &["P6", "S6"]),
        (parts(|it| drop(it.index.manifests[ARM64].annotations.insert("vnd.docker.reference.type".into(), "x".into()))), &["S6"]),
    ]
}

fn first_layer(layout: &Layout) -> String {
    let parts = Parts::of(layout).unwrap();
    format!(
        "blobs/{}",
        parts.manifests[0].layers[1].digest.replace(':', "/")
    )
}

/// What differs between what was found and what should have been.
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
        for expected in [stranger(), project()] {
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
    for (clean, expected) in [(clean(), stranger()), (clean_tar(), project())] {
        for mutant in mutants::all() {
            let layout = mutant.of(&clean).unwrap();
            wrong.extend(difference(mutant.rule(), &layout, &expected, mutant.trips));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_ways_to_break_a_rule_trip_exactly_what_follows_from_them() {
    let variants = variants().into_iter().enumerate();
    let wrong = variants.filter_map(|(number, (it, trips))| {
        difference(&number.to_string(), &it, &project(), trips)
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_on_layouts_has_one_mutant() {
    let on_layouts = rules::all().filter(|rule| rule.id.starts_with(['S', 'P', 'F', 'C']));
    let ids: Vec<_> = on_layouts.map(|rule| rule.id).collect();
    assert_eq!(ids.len(), 51);
    assert_eq!(
        mutants::all()
            .map(mutants::Mutant::rule)
            .collect::<Vec<_>>(),
        ids
    );
}

#[test]
fn the_guide_has_the_table_of_rules() {
    let guide = include_str!("../../../../docker/multi-arch-builds.md");
    let (_, rest) = guide.split_once("<!-- rules -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /rules -->").unwrap();
    assert!(
        table.trim() == mutants::markdown().trim(),
        "docker/multi-arch-builds.md differs between <!-- rules --> and <!-- /rules -->\n\
         help: put there what `cargo xtask image check --list --markdown` prints"
    );
}

/// This very test is a dynamic program, on Linux an ELF one; not stripped, and without a stamp.
#[test]
#[cfg(target_os = "linux")]
fn a_dynamic_entry_point_trips_p8() {
    let program_file = std::env::current_exe().unwrap();
    let path = camino::Utf8Path::from_path(&program_file).unwrap();
    let bytes = crate::files::read(path).unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let layout = parts(|it| set_program(it, image, &program(bytes.clone(), 0o755)));
    let findings = check(&layout, &stranger());
    assert!(findings.ids().contains(&"P8"), "{:#?}", findings.lines());
    assert!(findings.ids().contains(&"P13"), "{:#?}", findings.lines());
}

#[test]
fn a_single_platform_is_fine_where_it_was_asked_for() {
    let single = parts(|it| {
        it.index.manifests.pop();
        it.manifests.pop();
    });
    let amd64 = Expectations::of(&Platform::all()[..1]);
    assert_eq!(check(&single, &amd64).lines(), Vec::<String>::new());
    assert_eq!(check(&clean(), &amd64).ids(), ["P1"]);
}

/// What the repository says is compared only with what is made from it.
#[test]
fn another_commit_is_told_by_its_labels() {
    let mut other = project();
    if let Some(project) = &mut other.project {
        project.revision = "f".repeat(40);
        project.version = "9.9.9".to_owned();
        project.port = 80;
        project.ca_sha256 = "another bundle".to_owned();
        project.commit_time += 1;
    }
    assert_eq!(
        check(&clean(), &other).ids(),
        ["C3", "C6", "C8", "F3", "F7"]
    );
}

/// A tree that differs from its commit is fine for a registry on this machine.
#[test]
fn a_dirty_image_is_a_warning_unless_the_tree_is_dirty() {
    let revision = format!("{}-dirty", fixtures::release().commit);
    let stamped = |target| {
        let mut stamp = fixtures::stamp(target);
        stamp.commit.clone_from(&revision);
        fixtures::elf(target.arch, &stamp)
    };
    let dirty = parts(|it| {
        it.relabel("revision", &revision);
        for image in [AMD64, ARM64] {
            set_program(it, image, &program(stamped(&TARGETS[image]), 0o755));
        }
    });
    let findings = check(&dirty, &stranger());
    assert_eq!((findings.ids(), findings.errors()), (vec!["C6"], 0));
    assert_eq!(check(&dirty, &project()).ids(), ["C6"]);
    let mut tree = project();
    tree.project.as_mut().unwrap().revision = revision.clone();
    assert_eq!(check(&dirty, &tree).ids(), Vec::<&str>::new());
}
