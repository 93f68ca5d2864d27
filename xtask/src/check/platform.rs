//! P1 to P5: the platforms of the index and of its images.

use crate::check::Findings;
use crate::check::walk::{DOCKER_MANIFEST, Image, Tree};
use crate::oci::model::{MANIFEST, PlatformFields};
use crate::target::Platform;

pub(super) fn check(tree: &Tree, declared: &[Platform], findings: &mut Findings) {
    for (descriptor, index) in &tree.indexes {
        let platforms: Vec<_> = index
            .manifests
            .iter()
            .map(|child| child.platform.clone())
            .collect();
        check_set(&descriptor.digest, &platforms, declared, findings);
    }
    let single = |media_type: &str| [MANIFEST, DOCKER_MANIFEST].contains(&media_type);
    let top = tree
        .descriptors
        .iter()
        .filter(|link| link.parent == "index.json");
    for link in top.filter(|link| single(&link.descriptor.media_type)) {
        findings.add(
            "P1",
            &link.descriptor.digest,
            "index.json names a single image: only one kind of node can run it",
        );
    }
    for image in tree.runnable() {
        check_agreement(image, findings);
    }
}

fn check_set(
    digest: &str,
    platforms: &[Option<PlatformFields>],
    declared: &[Platform],
    findings: &mut Findings,
) {
    let mut found = Vec::new();
    for platform in platforms {
        match platform {
            Some(platform) if !platform.architecture.is_empty() && !platform.os.is_empty() => {
                found.push(platform)
            }
            _ => findings.add("P2", digest, "a child without architecture or system"),
        }
    }
    let names: Vec<_> = found
        .iter()
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    for (position, name) in names.iter().enumerate() {
        // Of evidence there is one for each image; P1 says that it should not be there.
        if name != "unknown/unknown" && names[..position].contains(name) {
            findings.add("P3", digest, format!("{name} is there twice"));
        }
        if !declared
            .iter()
            .any(|platform| platform.without_variant() == *name)
        {
            findings.add("P1", digest, format!("{name} was not asked for"));
        }
    }
    for platform in declared.iter().map(Platform::without_variant) {
        if !names.contains(&platform) {
            findings.add("P1", digest, format!("{platform} is missing"));
        }
    }
}

fn check_agreement(image: &Image, findings: &mut Findings) {
    let (Some(platform), Some(config)) = (&image.descriptor.platform, &image.config) else {
        return;
    };
    let declared = (&platform.os, &platform.architecture, &platform.variant);
    let configured = (&config.os, &config.architecture, &config.variant);
    if declared != configured {
        findings.add(
            "P4",
            &image.name,
            format!("the index says {declared:?}, the config {configured:?}"),
        );
    }
    for variant in [&platform.variant, &config.variant].into_iter().flatten() {
        if platform.architecture != "arm64" || variant != "v8" {
            findings.add(
                "P5",
                &image.name,
                format!("variant {variant} on {}", platform.architecture),
            );
        }
    }
    if platform.variant != config.variant {
        findings.add("P5", &image.name, "the variants in index and config differ");
    }
}
