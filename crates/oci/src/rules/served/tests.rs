//! A set of facts without findings, and for each rule a small change that breaks it.

use super::*;
use crate::artifact::Artifact;
use crate::media_type::{INDEX, MANIFEST};
use crate::model::Annotations;

fn platform(architecture: &str, variant: Option<&str>) -> Platform {
    Platform::new("linux", architecture, variant)
}

fn child(name: &str, platform: Platform) -> Descriptor {
    Descriptor {
        platform: Some(platform),
        ..Descriptor::of(MANIFEST, name.as_bytes())
    }
}

fn tag(name: &str, digest: &str) -> TagFact {
    TagFact {
        tag: name.to_owned(),
        head: Some(digest.to_owned()),
        get: Some(digest.to_owned()),
        computed: Some(digest.to_owned()),
        version: Some("1.2.3".to_owned()),
        revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
    }
}

fn hex(digest: &str) -> String {
    digest.trim_start_matches("sha256:").to_owned()
}

fn clean() -> RegistryFacts {
    let (amd64, arm64) = (platform("amd64", None), platform("arm64", Some("v8")));
    let children = [child("amd64", amd64.clone()), child("arm64", arm64.clone())];
    let root = Descriptor::of(INDEX, b"index");
    let part = |descriptor: &Descriptor| PartFact {
        name: "image of linux".to_owned(),
        descriptor: descriptor.clone(),
        found: Some(Some(descriptor.size)),
    };
    let artifact = Artifact {
        media_type: "application/vnd.in-toto+json".to_owned(),
        subject: children[0].clone(),
        document: b"{}".to_vec(),
        annotations: Annotations::new(),
    };
    RegistryFacts {
        repository: "r.example/app".to_owned(),
        pushed: Some(root.digest.clone()),
        tags: [
            "1.2.3",
            "v1.2.3",
            "0123456789abcdef0123456789abcdef01234567",
            "sha-0123456",
            "1.2.3-python",
            "latest",
        ]
        .map(|name| tag(name, &root.digest))
        .to_vec(),
        index: Some(ImageIndex::new(children.to_vec(), Annotations::new())),
        platforms: vec![
            (children[0].digest.clone(), amd64),
            (children[1].digest.clone(), arm64),
        ],
        parts: children.iter().map(part).collect(),
        referrers: vec![ReferrerFact {
            listed_under: children[0].digest.clone(),
            descriptor: Descriptor::of(MANIFEST, &artifact.manifest()),
            manifest: serde_json::from_slice(&artifact.manifest()).ok(),
            about: Some(About {
                what: "image",
                named: vec![hex(&children[0].digest)],
                expected: hex(&children[0].digest),
            }),
        }],
        anonymous: None,
        served: vec![
            ServedFact {
                client: "indexes",
                takes_index: true,
                status: 200,
                digest: Some(root.digest.clone()),
            },
            ServedFact {
                client: "Docker's types",
                takes_index: false,
                status: 404,
                digest: None,
            },
        ],
        all_tags: vec!["1.2.3".to_owned(), "latest".to_owned()],
        lost_releases: Vec::new(),
        changed: Vec::new(),
    }
}

/// Returns the ids of the rules that a change breaks.
fn trips(change: impl FnOnce(&mut RegistryFacts)) -> Vec<&'static str> {
    let mut facts = clean();
    change(&mut facts);
    let mut findings = Findings::default();
    check(&facts, &mut findings);
    findings.ids()
}

fn children(facts: &mut RegistryFacts) -> &mut Vec<Descriptor> {
    &mut facts.index.as_mut().unwrap().manifests
}

#[test]
fn a_clean_image_trips_nothing() {
    assert!(trips(|_| {}).is_empty());
    assert!(trips(|facts| facts.pushed = None).is_empty());
}

#[test]
fn tags_that_point_to_another_image_are_found() {
    let other = || Some(Descriptor::of(INDEX, b"other").digest);
    assert_eq!(trips(|facts| facts.tags[5].head = None), ["R1"]);
    assert_eq!(trips(|facts| facts.tags[0].computed = other()), ["R1"]);
    assert_eq!(trips(|facts| facts.tags[0].get = other()), ["R1"]);
    let latest = |facts: &mut RegistryFacts| facts.tags[5] = tag("latest", &other().unwrap());
    assert_eq!(trips(latest), ["R1", "R2"]);
    // When it is not known what was pushed, tags are only compared with each other.
    assert_eq!(
        trips(|facts| {
            latest(facts);
            facts.pushed = None;
        }),
        ["R2"]
    );
}

#[test]
fn an_image_under_the_version_or_commit_of_another_is_found() {
    for (which, tag) in [
        (0, "1.2.4"),
        (1, "v1.2.30"),
        (2, "1123456789abcdef0123456789abcdef01234567"),
        (3, "sha-1123456"),
        (4, "1.2.4-python"),
    ] {
        assert_eq!(
            trips(|facts| facts.tags[which].tag = tag.to_owned()),
            ["R4"],
            "{tag}"
        );
    }
}

#[test]
fn parts_that_are_missing_or_short_are_found() {
    assert_eq!(trips(|facts| facts.parts[1].found = None), ["R3"]);
    assert_eq!(trips(|facts| facts.parts[1].found = Some(Some(1))), ["R3"]);
    assert!(
        trips(|facts| facts.parts[1].found = Some(None)).is_empty(),
        "not every registry sends the size"
    );
}

#[test]
fn children_that_clients_cannot_use_are_found() {
    let unknown = |facts: &mut RegistryFacts| {
        let mut platform = platform("unknown", None);
        platform.os = "unknown".to_owned();
        children(facts).push(child("attestation", platform));
    };
    assert_eq!(trips(unknown), ["R5"]);
    let marked = |facts: &mut RegistryFacts| {
        children(facts)[0].annotations =
            Annotations::from([(DOCKER_REFERENCE_TYPE.to_owned(), "x".to_owned())]);
    };
    assert_eq!(trips(marked), ["R5"]);
    assert_eq!(
        trips(|facts| facts.platforms[0].1 = platform("arm64", None)),
        ["R9"]
    );
    assert_eq!(trips(|facts| children(facts)[1].platform = None), ["R9"]);
    let variants = |facts: &mut RegistryFacts| {
        children(facts).insert(1, child("v9", platform("riscv64", None)))
    };
    assert_eq!(trips(variants), ["R9"]);
}

#[test]
fn attachments_about_another_image_are_found() {
    let other = Descriptor::of(MANIFEST, b"other").digest;
    assert_eq!(trips(|facts| facts.referrers[0].manifest = None), ["R6"]);
    assert_eq!(
        trips(|facts| facts.referrers[0].listed_under.clone_from(&other)),
        ["R6"]
    );
    assert_eq!(
        trips(|facts| facts.referrers[0].about.as_mut().unwrap().named = vec![hex(&other)]),
        ["R6"]
    );
    assert!(trips(|facts| facts.referrers[0].about = None).is_empty());
}

#[test]
fn clients_that_get_an_error_or_another_image_are_found() {
    assert_eq!(
        trips(|facts| facts.anonymous = Some("401".to_owned())),
        ["R7"]
    );
    let refused = |facts: &mut RegistryFacts| {
        facts.served[0].digest = None;
        facts.served[0].status = 404;
    };
    assert_eq!(trips(refused), ["R8"]);
    assert_eq!(
        trips(|facts| facts.served[1].digest = Some("sha256:1".to_owned())),
        ["R8"]
    );
}

#[test]
fn other_problems_of_the_repository_are_found() {
    assert_eq!(
        trips(|facts| facts.all_tags.push("1.2.3-arm64".to_owned())),
        ["R10"]
    );
    assert_eq!(
        trips(|facts| facts
            .changed
            .push(("sha256:1".to_owned(), "short".to_owned()))),
        ["R11"]
    );
    assert_eq!(
        trips(|facts| facts
            .lost_releases
            .push(("1.2.2".to_owned(), "gone".to_owned()))),
        ["R12"]
    );
}
