//! C9 and C10: the names that engines give an image when they load it from a file.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::check::Findings;
use crate::check::walk::{Image, Tree};
use crate::oci::layout::{CONTAINERD_NAME, Layout, REF_NAME};
use crate::oci::model::Descriptor;
use crate::oci::reference::Reference;

/// An entry of `docker save`'s list; Docker writes more fields, which concern nobody else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) fn check(layout: &Layout, tree: &Tree, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for link in tree
        .descriptors
        .iter()
        .filter(|link| link.parent == "index.json")
    {
        let annotations = &link.descriptor.annotations;
        let Some(name) = annotations.get(CONTAINERD_NAME) else {
            let message = format!("{} has no {CONTAINERD_NAME}", link.descriptor.digest);
            findings.add("C9", "index.json", message);
            continue;
        };
        names.insert(name.clone());
        match (name.parse::<Reference>(), annotations.get(REF_NAME)) {
            (Err(error), _) => findings.add("C9", "index.json", format!("{error:#}")),
            (Ok(_), None) => findings.add("C9", "index.json", format!("{name} has no {REF_NAME}")),
            (Ok(reference), Some(tag)) if reference.tag != *tag => {
                findings.add("C9", "index.json", format!("{name} has {REF_NAME} `{tag}`"));
            }
            (Ok(_), Some(_)) => {}
        }
    }
    if let Some(bytes) = layout.files.get("manifest.json") {
        let parsed = serde_json::from_slice::<Vec<DockerImage>>(bytes).map_err(anyhow::Error::from);
        if let Some(docker) = findings.require("C10", "manifest.json", parsed) {
            docker_part(tree, &docker, &names, findings);
        }
    }
}

fn docker_part(
    tree: &Tree,
    docker: &[DockerImage],
    names: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut add = |message: String| findings.add("C10", "manifest.json", message);
    if docker.len() != 1 {
        let count = docker.len();
        add(format!(
            "{count} images: of those with one name the last wins on every machine"
        ));
    }
    let path = |descriptor: &Descriptor| format!("blobs/{}", descriptor.digest.replace(':', "/"));
    for listed in docker {
        let is_it = |image: &&Image| {
            let manifest = &image.image_manifest;
            let layers: Vec<_> = manifest.layers.iter().map(path).collect();
            path(&manifest.config) == listed.config && layers == listed.layers
        };
        if !tree.images.iter().any(|image| is_it(&image)) {
            add(format!(
                "config {} and its layers are no platform's image",
                listed.config
            ));
        }
        let tags: BTreeSet<_> = listed.repo_tags.iter().flatten().cloned().collect();
        if tags != *names {
            let (tags, names) = (listed_words(&tags), listed_words(names));
            add(format!("it is called {tags}, and in index.json {names}"));
        }
    }
}

fn listed_words(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
