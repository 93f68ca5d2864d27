//! Every rule on images times every mutant, on NoETL's own image.

use std::io::Read as _;

use noetl_oci::tar::{self, Entry};
use noetl_oci::{Blob, KnownLayers, Layout};
use noetl_oci_mutants::{AMD64, ARM64, Edit, Parts};

use super::mutants::EDITS;
use super::*;
use crate::fixtures;

const TIME: u64 = 1_767_225_600;

/// The image as engines load it, with the list for Docker.
fn clean_tar() -> Layout {
    let mut bytes = Vec::new();
    let mut tar = tar::write::stream(&fixtures::image().tar_entries(), TIME).unwrap();
    tar.read_to_end(&mut bytes).unwrap();
    Layout::of_tar(&Blob::from(bytes)).unwrap()
}

fn unknown() -> ImageStandard {
    let mut standard = ImageStandard::any_release(&platforms());
    standard.expected.now = Some(TIME);
    standard
}

fn release() -> ImageStandard {
    ImageStandard::of_release(&fixtures::release(), &platforms())
}

fn check(layout: &Layout, standard: &ImageStandard) -> Findings {
    let known = KnownLayers::default();
    standard.rules().check(layout, &known).unwrap()
}

/// Breaks an image in parts, with digests that fit.
fn parts(layout: &Layout, change: impl Fn(&mut Parts)) -> Layout {
    let mut parts = Parts::of(layout).unwrap();
    change(&mut parts);
    parts.seal().unwrap()
}

#[test]
fn a_clean_image_breaks_no_rule() {
    for layout in [fixtures::image(), clean_tar()] {
        for standard in [unknown(), release(), ImageStandard::of_dist()] {
            assert_eq!(check(&layout, &standard).lines(), [""; 0]);
        }
    }
}

#[test]
fn each_mutant_breaks_the_rules_of_the_table() {
    let general = noetl_oci_mutants::all().map(|mutant| (mutant.rule.id, mutant.edit));
    let edits: Vec<(&str, Edit)> = general.chain(EDITS.iter().copied()).collect();
    let rules = all();
    let rules: Vec<_> = rules.iter().filter(|rule| rule.example.is_some()).collect();
    assert_eq!((rules.len(), edits.len()), (51, 51));
    let mut wrong = Vec::new();
    for (clean, standard) in [(fixtures::image(), unknown()), (clean_tar(), release())] {
        for rule in &rules {
            let (_, edit) = edits.iter().find(|(id, _)| *id == rule.id).unwrap();
            let findings = check(&edit.of(&clean).unwrap(), &standard);
            let mut trips = rule.example.unwrap().trips.to_vec();
            trips.sort_unstable();
            if findings.ids() != trips || !trips.contains(&rule.id) {
                let lines = findings.lines();
                wrong.push(format!("{}: not {trips:?} but {lines:#?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// This test is a dynamic program, which is not stripped and has no stamp.
#[test]
#[cfg(target_os = "linux")]
fn a_program_with_symbols_and_without_a_stamp_trips_p13() {
    let path = std::env::current_exe().unwrap();
    let program = crate::host::files::read(path.as_path().try_into().unwrap()).unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let mut programs = fixtures::programs(|_| {});
    programs[image] = program;
    let findings = check(&fixtures::image_of(programs), &unknown());
    let lines = findings.lines();
    for message in ["not stripped", "no build stamp"] {
        let is_found = |line: &String| line.contains("P13") && line.contains(message);
        assert!(lines.iter().any(is_found), "{lines:#?}");
    }
    assert!(findings.ids().contains(&"P8"), "{lines:#?}");
}

#[test]
fn an_image_of_another_commit_differs_in_labels_port_certificates_and_times() {
    let mut other = release();
    let release = other.own.release.as_mut().unwrap();
    release.commit = "f".repeat(40);
    release.version = "9.9.9".to_owned();
    other.expected.port = Some(80);
    other.expected.ca_sha256 = Some(Sha256::of(b"another bundle"));
    other.expected.created = Some(TIME + 1);
    let findings = check(&fixtures::image(), &other);
    assert_eq!(findings.ids(), ["C3", "C6", "C8", "F3", "F7"]);
}

#[test]
fn an_image_of_a_dirty_tree_is_a_warning_unless_the_tree_is_dirty() {
    let revision = format!("{}-dirty", fixtures::release().commit);
    let image = fixtures::image_with(|stamp| stamp.commit.clone_from(&revision));
    let dirty = parts(&image, |it| it.relabel("revision", &revision));
    let findings = check(&dirty, &unknown());
    assert_eq!((findings.ids(), findings.errors()), (vec!["C6"], 0));
    let mut tree = release();
    assert_eq!(check(&dirty, &tree).ids(), ["C6"]);
    tree.own.release.as_mut().unwrap().commit = revision;
    assert_eq!(check(&dirty, &tree).ids(), [""; 0]);
}

/// The port of the stamp is checked where the expectations have none.
#[test]
fn another_port_than_that_of_the_stamp_trips_c3() {
    let broken = parts(&fixtures::image(), |it| {
        for image in [AMD64, ARM64] {
            let port = ("80/tcp".to_owned(), serde_json::json!({}));
            it.run(image).unwrap().exposed_ports = Some([port].into());
        }
    });
    assert_eq!(check(&broken, &unknown()).ids(), ["C3"]);
}

#[test]
fn a_file_of_another_user_trips_f7() {
    let entry = Entry::file("opt", 0o644, "").owned_by(1000);
    let layer = tar::write::to_bytes(&[entry], TIME).unwrap();
    let broken = parts(&fixtures::image(), |it| {
        it.add_layer(AMD64, layer.clone()).unwrap()
    });
    let findings = check(&broken, &unknown());
    assert_eq!(findings.ids(), ["F10", "F7"], "{:#?}", findings.lines());
}
