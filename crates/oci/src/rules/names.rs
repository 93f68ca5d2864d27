//! C9 and C10: the names that engines give an image when they load it from a file.

use std::collections::BTreeSet;

use crate::annotation::{CONTAINERD_NAME, REF_NAME};
use crate::layout::{DOCKER_NAME, DockerImage, INDEX_NAME};
use crate::platform_image::PlatformImage;
use crate::reference::Reference;
use crate::rules::Findings;
use crate::rules::catalogue::{C9, C10};
use crate::rules::subject::Subject;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for descriptor in &subject.image.names {
        let mut add = |message: String| findings.add(&C9, INDEX_NAME, message);
        let annotations = &descriptor.annotations;
        let Some(name) = annotations.get(CONTAINERD_NAME) else {
            add(format!("{} has no {CONTAINERD_NAME}", descriptor.digest));
            continue;
        };
        names.insert(name.clone());
        match (name.parse::<Reference>(), annotations.get(REF_NAME)) {
            (Err(error), _) => add(format!("{error:#}")),
            (Ok(_), None) => add(format!("{name} has no {REF_NAME}")),
            (Ok(reference), Some(tag)) if reference.tag != *tag => {
                add(format!("{name} has {REF_NAME} `{tag}`"));
            }
            (Ok(_), Some(_)) => {}
        }
    }
    let files = subject.source.files();
    if let Some(blob) = files.and_then(|files| files.get(DOCKER_NAME)) {
        let parsed = blob
            .read()
            .and_then(|bytes| Ok(serde_json::from_slice::<Vec<DockerImage>>(&bytes)?));
        if let Some(listed) = findings.require(&C10, DOCKER_NAME, parsed) {
            check_docker_list(subject, &listed, &names, findings);
        }
    }
}

fn check_docker_list(
    subject: &Subject<'_>,
    listed: &[DockerImage],
    names: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut add = |message: String| findings.add(&C10, DOCKER_NAME, message);
    if listed.len() != 1 {
        let count = listed.len();
        add(format!(
            "it lists {count} images; Docker uses the last of those with the same name"
        ));
    }
    for entry in listed {
        if !subject.image.platforms.iter().any(|it| is_of(it, entry)) {
            let config = &entry.config;
            add(format!(
                "config {config} and its layers are not those of any platform"
            ));
        }
        let tags: BTreeSet<_> = entry.repo_tags.iter().flatten().cloned().collect();
        if tags != *names {
            let (tags, names) = (joined(&tags), joined(names));
            add(format!(
                "its names are {tags}, and those in {INDEX_NAME} are {names}"
            ));
        }
    }
}

/// Returns whether an entry of the list is for this image.
fn is_of(image: &PlatformImage, entry: &DockerImage) -> bool {
    image.manifest.as_ref().is_some_and(|manifest| {
        let own = DockerImage::new(&manifest.value.config, &manifest.value.layers, Vec::new());
        (&own.config, &own.layers) == (&entry.config, &entry.layers)
    })
}

fn joined(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
