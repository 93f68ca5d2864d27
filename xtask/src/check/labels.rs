//! C6 to C8: what an image says of itself, in the labels of its configs and the annotations of its index.

use crate::check::Findings;
use crate::check::expect::{Expectations, Project};
use crate::check::rules::Severity;
use crate::check::walk::{Image, Tree};
use crate::licenses;
use crate::oci::model::Annotations;
use crate::release;

const PREFIX: &str = "org.opencontainers.image.";

/// The labels that every image of ours has; base.name and base.digest come with a base.
const REQUIRED: &[&str] = &[
    "authors",
    "created",
    "description",
    "documentation",
    "licenses",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

/// What GHCR shows of an image for several platforms, which it reads from the index alone.
const SHOWN: &[&str] = &["description", "licenses", "source"];

pub(super) fn check(tree: &Tree, expected: &Expectations, findings: &mut Findings) {
    for image in tree.runnable().filter(|image| image.config.is_some()) {
        let labels = labels(image);
        let mut missing = REQUIRED.iter().filter(|key| get(&labels, key).is_empty());
        if let Some(first) = missing.next() {
            let rest: String = missing.map(|key| format!(", {key}")).collect();
            findings.add(
                "C6",
                &image.name,
                format!("labels are missing: {first}{rest}"),
            );
        }
        form(image, &labels, findings);
        if let Some(project) = &expected.project {
            truth(image, &labels, project, findings);
        }
    }
    index_annotations(tree, findings);
    created(tree, expected, findings);
}

fn labels(image: &Image) -> Annotations {
    let run = image
        .config
        .as_ref()
        .and_then(|config| config.config.as_ref());
    run.and_then(|run| run.labels.clone()).unwrap_or_default()
}

fn get<'a>(labels: &'a Annotations, key: &str) -> &'a str {
    labels
        .get(&format!("{PREFIX}{key}"))
        .map_or("", String::as_str)
}

/// C6: what can be said of a label by itself.
fn form(image: &Image, labels: &Annotations, findings: &mut Findings) {
    let (source, licenses) = (get(labels, "source"), get(labels, "licenses"));
    if !source.is_empty() && !source.starts_with("https://") {
        findings.add(
            "C6",
            &image.name,
            format!("source `{source}` is not an https URL"),
        );
    }
    if !licenses.is_empty() && !licenses::is_expression(licenses) {
        let message = format!("licenses `{licenses}` is not an SPDX expression");
        findings.add("C6", &image.name, message);
    }
    let revision = get(labels, "revision");
    let commit = revision.strip_suffix("-dirty").unwrap_or(revision);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !revision.is_empty() && (commit.len() != 40 || !commit.bytes().all(is_hex)) {
        let message = format!("revision `{revision}` is not a commit's 40 hex digits");
        findings.add("C6", &image.name, message);
    }
}

/// C6: what the repository says. The preflight of a push refuses a tree that differs from its
/// commit, but for a registry on this machine; so its image may say that it does, if it did.
fn truth(image: &Image, labels: &Annotations, project: &Project, findings: &mut Findings) {
    let commit = project.revision.trim_end_matches("-dirty");
    for (key, expected) in [
        ("version", project.version.as_str()),
        ("revision", commit),
        ("licenses", &project.licenses),
        ("source", &project.source),
    ] {
        let found = get(labels, key);
        let as_dirty = key == "revision" && found == project.revision;
        if !found.is_empty() && found != expected && !as_dirty {
            findings.add(
                "C6",
                &image.name,
                format!("{key} is {found}, not {expected}"),
            );
        }
    }
}

/// C7.
fn index_annotations(tree: &Tree, findings: &mut Findings) {
    let Some(labels) = tree.runnable().find(|it| it.config.is_some()).map(labels) else {
        return;
    };
    for (descriptor, index) in &tree.indexes {
        for key in SHOWN {
            let (found, label) = (get(&index.annotations, key), get(&labels, key));
            if found.is_empty() {
                findings.add("C7", &descriptor.digest, format!("{key} is missing"));
            } else if !label.is_empty() && found != label {
                let message = format!("{key} is `{found}`, the label says `{label}`");
                findings.add("C7", &descriptor.digest, message);
            }
        }
    }
}

/// C8.
fn created(tree: &Tree, expected: &Expectations, findings: &mut Findings) {
    let commit_time = expected.project.as_ref().map(|project| project.commit_time);
    let mut first = None;
    for image in tree.runnable() {
        let Some(text) = image
            .config
            .as_ref()
            .map(|it| it.created.clone().unwrap_or_default())
        else {
            continue;
        };
        let Some(time) = release::parse_time(&text) else {
            findings.add(
                "C8",
                &image.name,
                format!("created `{text}` is not a time in UTC"),
            );
            continue;
        };
        if expected.now.is_some_and(|now| time > now) {
            findings.add("C8", &image.name, format!("created {text} is yet to come"));
        }
        let told = labels(image);
        let label = get(&told, "created");
        if image.is_ours() && !label.is_empty() && label != text {
            findings.add(
                "C8",
                &image.name,
                format!("created is {text}, the label says {label}"),
            );
        }
        if commit_time.is_some_and(|commit_time| commit_time != time) {
            findings.add(
                "C8",
                &image.name,
                format!("created {text} is not the commit's time"),
            );
        }
        let (other, reference) = first.get_or_insert_with(|| (image.name.clone(), text.clone()));
        if *reference != text {
            let message = format!("created {text}, and {other} {reference}");
            findings.add("C8", &image.name, message);
        }
    }
}

/// Whether an image was made from a tree that differs from its commit.
pub(super) fn warn_of_dirty(tree: &Tree, expected: &Expectations, findings: &mut Findings) {
    if expected.project.is_some() {
        return;
    }
    for image in tree.runnable() {
        if get(&labels(image), "revision").ends_with("-dirty") {
            let message = "it was made from a tree that differs from its commit";
            findings.add_as(Severity::Warning, "C6", &image.name, message);
        }
    }
}
