//! Every rule with every mutant, other ways to break a rule, and images that break none.

use noetl_oci::rules::{self, Expectations, Findings, catalogue};
use noetl_oci::{Blob, KnownLayers, Layout, Sha256};
use noetl_oci_mutants::{self as mutants, Parts};

use crate::fixture::{self, TIME, clean, clean_tar, parts, platforms};
use crate::variants::{set_program, variants, with_mode};

/// The expectations of an image of an unknown maker.
pub(super) fn any_maker() -> Expectations {
    Expectations {
        now: Some(TIME),
        ..Expectations::of(platforms())
    }
}

/// The expectations of an image whose maker gave time, port and certificates.
fn known_maker() -> Expectations {
    Expectations {
        created: Some(TIME),
        port: Some(8080),
        ca_sha256: Some(Sha256::of(fixture::ca_bundle().as_bytes())),
        ..any_maker()
    }
}

pub(super) fn check(layout: &Layout, expected: &Expectations) -> Findings {
    rules::check(layout, expected, &[], &KnownLayers::default()).unwrap()
}

/// Returns a description of the findings when they are not those of `trips`.
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
        for expected in [any_maker(), known_maker()] {
            assert_eq!(check(&layout, &expected).lines(), Vec::<String>::new());
        }
        let sealed = Parts::of(&layout).unwrap().seal().unwrap();
        assert_eq!(
            sealed, layout,
            "sealing unchanged parts gives the same layout"
        );
    }
}

#[test]
fn each_mutant_trips_the_rules_of_its_example_and_no_others() {
    let mut wrong = Vec::new();
    let with_port = Expectations {
        port: Some(8080),
        ..any_maker()
    };
    for (clean, expected) in [(clean(), with_port), (clean_tar(), known_maker())] {
        for mutant in mutants::all() {
            let layout = mutant.of(&clean).unwrap();
            let trips = mutant.rule.example.unwrap().trips;
            wrong.extend(difference(mutant.rule.id, &layout, &expected, trips));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_ways_to_break_a_rule_trip_only_the_listed_rules() {
    let variants = variants().into_iter().enumerate();
    let wrong = variants.filter_map(|(number, (it, trips))| {
        difference(&number.to_string(), &it, &known_maker(), trips)
    });
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

/// The test program itself is dynamically linked; on Linux it is an ELF file.
#[test]
#[cfg(target_os = "linux")]
fn a_dynamic_entry_point_trips_p8() {
    let program_file = std::env::current_exe().unwrap();
    let path = camino::Utf8Path::from_path(&program_file).unwrap();
    let bytes = Blob::of_file(path).unwrap().read().unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let layout = parts(|it| set_program(it, image, &with_mode(bytes.clone(), 0o755)));
    let findings = check(&layout, &any_maker());
    assert!(findings.ids().contains(&"P8"), "{:#?}", findings.lines());
}

#[test]
fn an_image_of_one_platform_breaks_no_rule_when_only_that_one_is_expected() {
    let single = parts(|it| {
        it.index.manifests.pop();
        it.manifests.pop();
    });
    let amd64 = Expectations::of(platforms().into_iter().take(1));
    assert_eq!(check(&single, &amd64).lines(), Vec::<String>::new());
    assert_eq!(check(&clean(), &amd64).ids(), ["P1"]);
}

/// Optional expectations are compared only when they are given.
#[test]
fn an_image_of_another_time_port_or_bundle_is_found() {
    let other = Expectations {
        port: Some(80),
        ca_sha256: Some(Sha256::of(b"another bundle")),
        created: Some(TIME + 1),
        ..any_maker()
    };
    assert_eq!(check(&clean(), &other).ids(), ["C3", "C8", "F3", "F7"]);
    let earlier = Expectations {
        now: Some(TIME - 1),
        ..any_maker()
    };
    assert_eq!(check(&clean(), &earlier).ids(), ["C8"]);
}
