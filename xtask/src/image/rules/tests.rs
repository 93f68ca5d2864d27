//! Rules times mutants on NoETL's own image: those of any image, and its own.

use std::io::Read as _;

use noetl_oci::mutants::{self, AMD64, ARM64, Edit, Parts};
use noetl_oci::rules::rule::Example;
use noetl_oci::tar::{self, Entry};
use noetl_oci::{Blob, KnownLayers, Layout};

use super::mutants::EDITS;
use super::*;
use crate::fixtures;
use crate::host::files;
use crate::release::target::{TARGETS, Target};

const TIME: u64 = 1_767_225_600;

/// The image as engines load it, with Docker's part.
fn clean_tar() -> Layout {
    let mut bytes = Vec::new();
    let mut tar = tar::write::stream(&fixtures::image().tar_entries(), TIME).unwrap();
    tar.read_to_end(&mut bytes).unwrap();
    Layout::of_tar(&Blob::from(bytes)).unwrap()
}

fn unknown() -> ImageStandard {
    let any = ImageStandard::without_project(&platforms());
    ImageStandard {
        expected: Expectations {
            now: Some(TIME),
            ..any.expected
        },
        ..any
    }
}

fn project() -> ImageStandard {
    let workspace = Workspace {
        version: fixtures::release().version,
        license: "MIT".to_owned(),
        repository: "https://github.com/noetl/noetl".to_owned(),
    };
    ImageStandard::of_project(&workspace, &fixtures::release(), &platforms())
}

fn check(layout: &Layout, standard: &ImageStandard) -> Findings {
    let known = KnownLayers::default();
    standard.rules().check(layout, &known).unwrap()
}

/// Every rule that has an example, with the change that makes it.
fn examples() -> Vec<(&'static Rule, Example, Edit)> {
    let edit = |rule: &'static Rule| {
        let own = EDITS.iter().find(|(id, _)| *id == rule.id);
        let own = own.map(|(_, edit)| *edit);
        let general = mutants::all().find(|mutant| mutant.rule.id == rule.id);
        own.or(general.map(|mutant| mutant.edit)).unwrap()
    };
    let rules = all().into_iter();
    let examples = rules.filter_map(|rule| Some((rule, rule.example?)));
    examples
        .map(|(rule, example)| (rule, example, edit(rule)))
        .collect()
}

#[test]
fn a_clean_image_breaks_no_rule() {
    for layout in [fixtures::image(), clean_tar()] {
        for standard in [unknown(), project(), ImageStandard::of_dist()] {
            assert_eq!(check(&layout, &standard).lines(), [""; 0]);
        }
    }
}

#[test]
fn rules_times_mutants_is_the_declared_matrix() {
    let examples = examples();
    assert_eq!(examples.len(), 51, "every rule on layouts has one");
    let mut wrong = Vec::new();
    for (clean, standard) in [(fixtures::image(), unknown()), (clean_tar(), project())] {
        for (rule, example, edit) in &examples {
            let findings = check(&edit.of(&clean).unwrap(), &standard);
            let mut trips = example.trips.to_vec();
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
    let program = files::read(path.as_path().try_into().unwrap()).unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let mut programs: Vec<_> = TARGETS[..2].iter().map(program_of).collect();
    programs[image] = program;
    let findings = check(&fixtures::image_of(programs), &unknown());
    let mut messages = findings
        .lines()
        .into_iter()
        .filter(|line| line.contains("P13"));
    assert!(messages.clone().any(|line| line.contains("not stripped")));
    assert!(messages.any(|line| line.contains("no build stamp")));
    assert!(findings.ids().contains(&"P8"), "{:#?}", findings.lines());
}

fn program_of(target: &Target) -> Vec<u8> {
    fixtures::elf(target.arch, &fixtures::stamp(target))
}

/// What the repository says is compared only with what is made from it.
#[test]
fn an_image_of_another_commit_is_recognised_by_its_labels() {
    let mut other = project();
    let project = other.own.project.as_mut().unwrap();
    project.revision = "f".repeat(40);
    project.version = "9.9.9".to_owned();
    other.expected.port = Some(80);
    other.expected.ca_sha256 = Some(Sha256::of(b"another bundle"));
    other.expected.created = Some(TIME + 1);
    let findings = check(&fixtures::image(), &other);
    assert_eq!(findings.ids(), ["C3", "C6", "C8", "F3", "F7"]);
}

/// A tree that differs from its commit is fine for a registry on this machine.
#[test]
fn an_image_of_a_dirty_tree_is_a_warning_unless_the_tree_is_dirty() {
    let revision = format!("{}-dirty", fixtures::release().commit);
    let program = |target: &Target| {
        let mut stamp = fixtures::stamp(target);
        stamp.commit.clone_from(&revision);
        fixtures::elf(target.arch, &stamp)
    };
    let image = fixtures::image_of(TARGETS[..2].iter().map(program).collect());
    let mut parts = Parts::of(&image).unwrap();
    parts.relabel("revision", &revision);
    let dirty = parts.seal().unwrap();
    let findings = check(&dirty, &unknown());
    assert_eq!((findings.ids(), findings.errors()), (vec!["C6"], 0));
    assert_eq!(check(&dirty, &project()).ids(), ["C6"]);
    let mut tree = project();
    tree.own.project.as_mut().unwrap().revision = revision;
    assert_eq!(check(&dirty, &tree).ids(), [""; 0]);
}

/// The stamp is the only one that knows the port where nobody says what to expect.
#[test]
fn a_port_that_the_program_does_not_listen_on_trips_c3() {
    let mut parts = Parts::of(&fixtures::image()).unwrap();
    for image in [AMD64, ARM64] {
        let port = ("80/tcp".to_owned(), serde_json::json!({}));
        parts.run(image).unwrap().exposed_ports = Some([port].into());
    }
    assert_eq!(check(&parts.seal().unwrap(), &unknown()).ids(), ["C3"]);
}

#[test]
fn a_file_of_another_owner_than_root_and_the_images_user_trips_f7() {
    let mut parts = Parts::of(&fixtures::image()).unwrap();
    let strange = Entry::file("opt", 0o644, "").owned_by(1000);
    let layer = tar::write::to_bytes(&[strange], TIME).unwrap();
    parts.add_layer(AMD64, layer).unwrap();
    let findings = check(&parts.seal().unwrap(), &unknown());
    assert_eq!(findings.ids(), ["F10", "F7"], "{:#?}", findings.lines());
}
