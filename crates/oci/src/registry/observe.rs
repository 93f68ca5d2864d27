//! Collects what a registry serves, for the rules in [`crate::rules::served`].

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use crate::annotation::{REVISION, VERSION};
use crate::digest::Sha256;
use crate::layout::Layout;
use crate::media_type::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
use crate::model::{Annotations, Descriptor, ImageIndex};
use crate::reference::Reference;
use crate::registry::client::{Client, RemoteDocument, Repository};
use crate::registry::referrers::{fetch_artifact, referrers};
use crate::registry::tags;
use crate::rules::served::{About, PartFact, ReferrerFact, RegistryFacts, ServedFact, TagFact};
use crate::rules::subject::Subject;
use crate::tag;

/// An image that was pushed to a repository.
#[derive(Debug, Clone, Copy)]
pub struct Pushed<'a> {
    /// The layout that was pushed.
    pub layout: &'a Layout,
    /// The digest of its index.
    pub digest: &'a str,
    /// Its tags.
    pub tags: &'a [String],
}

/// Collects what a registry serves for the image `reference` and its repository. `subject` is the image as it was read
/// from there, and `pushed` what was pushed before, if that is known.
///
/// # Errors
/// When the registry does not answer or refuses, or there is no such image.
pub fn observe(
    client: &Client,
    reference: &Reference,
    subject: &Subject<'_>,
    pushed: Option<Pushed<'_>>,
) -> anyhow::Result<RegistryFacts> {
    let repository = Arc::new(client.repository(reference));
    let asked = reference.tag_or_digest();
    let root = repository.document(asked)?;
    let root = root.with_context(|| format!("there is no {reference}"))?;
    let digest = root.digest();
    let all_tags = repository.tags()?.unwrap_or_default();
    let annotations = annotations(&root);
    let names = match pushed {
        Some(pushed) => tags::in_order(pushed.tags),
        None if reference.digest.is_some() => Vec::new(),
        None => release_tags(&reference.tag, &annotations, &all_tags),
    };
    let mut facts = RegistryFacts {
        repository: format!("{}/{}", reference.registry, reference.repository),
        index: serde_json::from_slice(&root.bytes).ok(),
        lost_releases: missing_releases(&repository, &all_tags, &names)?,
        anonymous: anonymous_refusal(client, reference, &digest),
        served: served_to(&repository, asked)?,
        all_tags,
        ..RegistryFacts::default()
    };
    for name in names {
        facts.tags.push(tag_fact(&repository, &name)?);
    }
    if let Some(pushed) = pushed {
        facts.pushed = Some(pushed.digest.to_owned());
        facts.changed = changed_blobs(pushed.layout, subject);
    }
    add_parts(&repository, subject, &mut facts)?;
    let children = facts.index.iter().flat_map(|index| &index.manifests);
    let subjects: Vec<_> = children
        .map(|child| child.digest.clone())
        .chain([digest])
        .collect();
    // Hashed only when an artifact may be about them.
    let programs = LazyCell::new(|| programs(subject));
    for digest in subjects {
        for descriptor in referrers(&repository, &digest)? {
            let fact = referrer_fact(&repository, &digest, descriptor, &programs)?;
            facts.referrers.push(fact);
        }
    }
    Ok(facts)
}

/// Returns the tags that should point to the image of the tag `asked`: this tag, and those of `all_tags` that are the
/// version or commit in its annotations.
fn release_tags(asked: &str, annotations: &Annotations, all_tags: &[String]) -> Vec<String> {
    let (version, revision) = (annotations.get(VERSION), annotations.get(REVISION));
    let flavour = version.and_then(|version| {
        let tag = asked.strip_prefix('v').unwrap_or(asked);
        tag.strip_prefix(version.as_str())
            .filter(|rest| rest.starts_with('-'))
    });
    let flavour = flavour.unwrap_or_default();
    let plain = version.into_iter().chain(revision).cloned();
    let names = plain.chain(version.map(|version| format!("v{version}")));
    let names = names.map(|name| format!("{name}{flavour}"));
    // For other tags, such as `latest-python`, it is not known whether they have a suffix, so only they are checked.
    let known = tag::is_immutable(asked) || asked == "latest";
    let names = names.filter(|name| known && name != asked && all_tags.contains(name));
    std::iter::once(asked.to_owned()).chain(names).collect()
}

fn annotations(document: &RemoteDocument) -> Annotations {
    let json = serde_json::from_slice::<serde_json::Value>(&document.bytes).ok();
    let annotations =
        json.and_then(|mut json| serde_json::from_value(json["annotations"].take()).ok());
    annotations.unwrap_or_default()
}

fn tag_fact(repository: &Repository, name: &str) -> anyhow::Result<TagFact> {
    let document = repository.document(name)?;
    let annotations = document.as_ref().map(annotations).unwrap_or_default();
    let annotation = |key: &str| annotations.get(key).cloned();
    Ok(TagFact {
        tag: name.to_owned(),
        head: repository.head(name)?.map(|head| head.digest),
        get: document
            .as_ref()
            .and_then(|document| document.given.clone()),
        computed: document.as_ref().map(RemoteDocument::digest),
        version: annotation(VERSION),
        revision: annotation(REVISION),
    })
}

/// Adds every image, config and layer of the index, each requested once with HEAD, and the platform in each config.
fn add_parts(
    repository: &Repository,
    subject: &Subject<'_>,
    facts: &mut RegistryFacts,
) -> anyhow::Result<()> {
    let children = facts.index.iter().flat_map(|index| index.manifests.clone());
    for child in children.collect::<Vec<_>>() {
        let name = match &child.platform {
            Some(platform) => platform.to_string(),
            None => child.digest.clone(),
        };
        let found = repository.head(&child.digest)?.map(|head| head.size);
        add_part(facts, format!("image for {name}"), &child, found);
        let mut images = subject.image.platforms.iter();
        let image = images.find(|image| image.descriptor.digest == child.digest);
        let Some(manifest) = image.and_then(|image| image.manifest.as_ref()) else {
            continue;
        };
        for layer in &manifest.value.layers {
            let is_known = |part: &PartFact| part.descriptor.digest == layer.digest;
            if !facts.parts.iter().any(is_known) {
                let found = repository.blob_size(&layer.digest)?;
                add_part(facts, format!("layer of {name}"), layer, found);
            }
        }
        let config = &manifest.value.config;
        let found = repository.blob_size(&config.digest)?;
        add_part(facts, format!("config of {name}"), config, found);
        if let Some(config) = image.and_then(|image| image.config.as_ref()) {
            let platform = (child.digest, config.value.platform());
            facts.platforms.push(platform);
        }
    }
    Ok(())
}

fn add_part(
    facts: &mut RegistryFacts,
    name: String,
    descriptor: &Descriptor,
    found: Option<Option<u64>>,
) {
    facts.parts.push(PartFact {
        name,
        descriptor: descriptor.clone(),
        found,
    });
}

/// Returns the SHA-256 of the program that each image starts, by the digest of the image.
fn programs(subject: &Subject<'_>) -> BTreeMap<String, String> {
    let programs = subject.runnable().filter_map(|view| {
        let sha256 = Sha256::of(&view.program()?.bytes);
        Some((view.image.descriptor.digest.clone(), sha256.to_string()))
    });
    programs.collect()
}

/// Reads an attached artifact. `programs` are the SHA-256 of the program of each image, by the digest of the image.
fn referrer_fact(
    repository: &Arc<Repository>,
    subject: &str,
    descriptor: Descriptor,
    programs: &BTreeMap<String, String>,
) -> anyhow::Result<ReferrerFact> {
    let fetched = fetch_artifact(repository, &descriptor)?;
    let (manifest, documents) = fetched.unzip();
    let program = programs.get(subject);
    let mut abouts = documents.iter().flatten();
    Ok(ReferrerFact {
        about: abouts.find_map(|bytes| document_about(bytes, subject, program)),
        listed_under: subject.to_owned(),
        descriptor,
        manifest,
    })
}

/// Returns the hashes of the subjects of an in-toto statement or a CycloneDX document; `None` for other documents.
fn document_about(document: &[u8], subject: &str, program: Option<&String>) -> Option<About> {
    let json: serde_json::Value = serde_json::from_slice(document).ok()?;
    if json["bomFormat"] == "CycloneDX" {
        let hashes = json["metadata"]["component"]["hashes"].as_array()?;
        let sha256 = hashes.iter().filter(|hash| hash["alg"] == "SHA-256");
        let named = sha256.filter_map(|hash| hash["content"].as_str().map(ToOwned::to_owned));
        return Some(About {
            what: "program",
            named: named.collect(),
            expected: program?.clone(),
        });
    }
    let subjects = json.get("_type").and(json["subject"].as_array())?;
    let named = subjects
        .iter()
        .filter_map(|subject| subject["digest"]["sha256"].as_str());
    Some(About {
        what: "image",
        named: named.map(ToOwned::to_owned).collect(),
        expected: subject.trim_start_matches("sha256:").to_owned(),
    })
}

/// Returns why a pull without credentials fails; `None` when it does not.
fn anonymous_refusal(client: &Client, reference: &Reference, digest: &str) -> Option<String> {
    match client.anonymous().repository(reference).head(digest) {
        Ok(Some(_)) => None,
        Ok(None) => Some("without credentials there is no such image".to_owned()),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Requests the image as several kinds of clients do.
fn served_to(repository: &Repository, asked: &str) -> anyhow::Result<Vec<ServedFact>> {
    let today = format!("{DOCKER_INDEX}, {DOCKER_MANIFEST}, {INDEX}, {MANIFEST}");
    let docker = format!("{DOCKER_INDEX}, {DOCKER_MANIFEST}");
    let clients = [
        ("OCI indexes", Some(INDEX), true),
        (
            "the types of current docker and containerd",
            Some(today.as_str()),
            true,
        ),
        ("Docker's older types", Some(docker.as_str()), false),
        ("single images", Some(MANIFEST), false),
        ("anything (*/*)", Some("*/*"), false),
        ("nothing in particular", None, false),
    ];
    let mut served = Vec::new();
    for (client, accept, takes_index) in clients {
        let (answer, document) = repository.document_as(asked, accept)?;
        served.push(ServedFact {
            client,
            takes_index,
            status: answer.status,
            digest: (answer.status == 200).then(|| document.digest()),
        });
    }
    Ok(served)
}

/// Returns the tags of other versions that cannot be pulled, with the reason.
fn missing_releases(
    repository: &Repository,
    all_tags: &[String],
    own: &[String],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut lost = Vec::new();
    let versions = all_tags.iter().filter(|tag| tag::is_version(tag));
    for tag in versions.filter(|tag| !own.contains(tag)) {
        let Some(document) = repository.document(tag)? else {
            lost.push((tag.clone(), "the tag points to nothing".to_owned()));
            continue;
        };
        let index = serde_json::from_slice::<ImageIndex>(&document.bytes).ok();
        for child in index.into_iter().flat_map(|index| index.manifests) {
            if repository.head(&child.digest)?.is_none() {
                let missing = format!("its image {} is missing", child.digest);
                lost.push((tag.clone(), missing));
            }
        }
    }
    Ok(lost)
}

/// Returns the blobs that differ between what was pushed and what was pulled (R11), with the difference.
fn changed_blobs(pushed: &Layout, subject: &Subject<'_>) -> Vec<(String, String)> {
    let pushed: Vec<_> = pushed
        .files
        .keys()
        .filter_map(|name| Some(name.strip_prefix("blobs/")?.replacen('/', ":", 1)))
        .collect();
    let mut changed = Vec::new();
    for digest in &pushed {
        let how = match subject.blobs.get(digest) {
            None => "it was pushed, and is missing in the pulled image",
            Some(blob) if blob.sha256.digest() != *digest => {
                "it has other bytes in the pulled image"
            }
            Some(_) => continue,
        };
        changed.push((digest.clone(), how.to_owned()));
    }
    for digest in subject
        .blobs
        .keys()
        .filter(|digest| !pushed.contains(digest))
    {
        changed.push((
            digest.clone(),
            "it is in the pulled image, and was not pushed".to_owned(),
        ));
    }
    changed
}
