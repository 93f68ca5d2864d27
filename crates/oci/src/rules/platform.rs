//! P1 to P5: the platforms in the index and in the configs.

use crate::layout::INDEX_NAME;
use crate::media_type;
use crate::platform::Platform;
use crate::rules::Findings;
use crate::rules::catalogue::{P1, P2, P3, P4, P5};
use crate::rules::subject::{ImageView, Subject};

pub(super) fn check(subject: &Subject<'_>, declared: &[Platform], findings: &mut Findings) {
    for index in &subject.image.indexes {
        let children = index.document.value.manifests.iter();
        let platforms: Vec<_> = children.map(|child| child.platform.as_ref()).collect();
        check_set(&index.descriptor.digest, &platforms, declared, findings);
    }
    let links = subject.image.links.iter();
    let top = links.filter(|link| link.parent == INDEX_NAME);
    for link in top.filter(|link| media_type::is_manifest(&link.descriptor.media_type)) {
        let message = "index.json names a single image, which is for one platform only";
        findings.add(&P1, &link.descriptor.digest, message);
    }
    for view in subject.runnable() {
        check_agreement(&view, findings);
    }
}

fn check_set(
    digest: &str,
    platforms: &[Option<&Platform>],
    declared: &[Platform],
    findings: &mut Findings,
) {
    let mut names: Vec<String> = Vec::new();
    for platform in platforms {
        match platform {
            Some(platform) if !platform.architecture.is_empty() && !platform.os.is_empty() => {
                names.push(platform.without_variant());
            }
            _ => findings.add(&P2, digest, "a child has no architecture or no system"),
        }
    }
    for (position, name) in names.iter().enumerate() {
        // There is one attestation for each image; P1 reports them.
        if name != "unknown/unknown" && names[..position].contains(name) {
            findings.add(&P3, digest, format!("{name} is listed twice"));
        }
        if !declared.iter().any(|it| it.without_variant() == *name) {
            findings.add(&P1, digest, format!("{name} is not expected"));
        }
    }
    for platform in declared.iter().map(Platform::without_variant) {
        if !names.contains(&platform) {
            findings.add(&P1, digest, format!("{platform} is missing"));
        }
    }
}

fn check_agreement(view: &ImageView<'_>, findings: &mut Findings) {
    let (Some(platform), Some(config)) = (&view.image.descriptor.platform, view.config()) else {
        return;
    };
    let name = view.name();
    let declared = (&platform.os, &platform.architecture, &platform.variant);
    let configured = (&config.os, &config.architecture, &config.variant);
    if declared != configured {
        let message = format!("the index has {declared:?}, and the config {configured:?}");
        findings.add(&P4, &name, message);
    }
    for variant in [&platform.variant, &config.variant].into_iter().flatten() {
        if platform.architecture != "arm64" || variant != "v8" {
            let message = format!("{} has the variant {variant}", platform.architecture);
            findings.add(&P5, &name, message);
        }
    }
    if platform.variant != config.variant {
        findings.add(&P5, &name, "the variants in index and config differ");
    }
}
