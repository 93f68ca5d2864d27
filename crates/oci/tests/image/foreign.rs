//! Images with layers and children of other makers.

use noetl_oci::annotation::{BASE_DIGEST, DOCKER_REFERENCE_TYPE};
use noetl_oci::rules::Severity;
use noetl_oci::tar::write::{Entry, to_bytes};
use noetl_oci_mutants::{AMD64, ARM64};

use crate::fixture::TIME;
use crate::fixture::parts;
use crate::rules::{any_maker, check};
use crate::variants::{add_layer, gzip_with_a_name};

/// For the layers of a base image there is one info for each rule and layer.
#[test]
fn foreign_layers_are_infos() {
    are_infos("# debian.sh");
    // For a base without history, `assemble` writes such lines.
    are_infos("noetl-oci: base layer sha256:abc");
}

fn are_infos(by: &str) {
    let loose = [
        Entry::file("usr/bin/su", 0o4755, ""),
        Entry::file("usr/bin/passwd", 0o4755, ""),
        Entry::file("etc/shadow", 0o640, "").owned_by(42),
    ];
    let layout = parts(|it| {
        for image in [AMD64, ARM64] {
            it.manifests[image]
                .annotations
                .insert(BASE_DIGEST.into(), "sha256:abc".into());
        }
        add_layer(it, &[]);
        let (tar, last) = (ustar_without_order(&loose), it.layers[AMD64].len() - 1);
        let packed = gzip_with_a_name(&tar);
        it.set_layer(AMD64, last, packed, tar).unwrap();
        let line = it.configs[AMD64].history.last_mut().unwrap();
        line.created_by = Some(by.to_owned());
    });
    let findings = check(&layout, &any_maker());
    let foreign: Vec<_> = findings
        .0
        .iter()
        .filter(|it| it.object.ends_with("layer 2"))
        .collect();
    assert!(
        foreign.iter().all(|it| it.severity == Severity::Info),
        "{:#?}",
        findings.lines()
    );
    assert!(foreign.iter().all(|it| it.message.contains("sha256:abc")));
    let rules: Vec<_> = foreign.iter().map(|it| it.rule.id).collect();
    assert_eq!(rules, ["S10", "F1", "F6", "F7"]);
    assert!(
        foreign[1].message.starts_with("2 in the base image"),
        "{}",
        foreign[1].message
    );
}

/// Returns a tar of entries that are not in order, as some tools write it.
fn ustar_without_order(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let flat = Entry {
            path: entry.path.replace('/', "_"),
            ..entry.clone()
        };
        let mut one = to_bytes(&[flat], TIME).unwrap();
        one.truncate(one.len() - 1024);
        tar.extend(one);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// buildx adds provenance as a child of the index, which breaks only P1.
#[test]
fn an_attestation_in_the_index_breaks_only_p1() {
    let layout = parts(|it| {
        let mut child = it.index.manifests[AMD64].clone();
        let platform = child.platform.as_mut().unwrap();
        (platform.os, platform.architecture) = ("unknown".into(), "unknown".into());
        let kind = (
            DOCKER_REFERENCE_TYPE.to_owned(),
            "attestation-manifest".to_owned(),
        );
        child.annotations.insert(kind.0, kind.1);
        it.index.manifests.push(child);
    });
    let findings = check(&layout, &any_maker());
    assert_eq!(findings.ids(), ["P1"], "{:#?}", findings.lines());
}
