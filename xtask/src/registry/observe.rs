//! Asking a registry for what the R rules judge. It decides nothing: see [`crate::check::registry`].

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::check::image;
use crate::check::registry::{About, Facts, PartFact, ReferrerFact, ServedFact, TagFact};
use crate::ctx::Ctx;
use crate::digest::Sha256;
use crate::oci::layout::Layout;
use crate::oci::model::{
    Annotations, Descriptor, INDEX, ImageConfig, ImageIndex, ImageManifest, MANIFEST,
    PlatformFields,
};
use crate::oci::opened::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client, Document};
use crate::registry::{referrers, tags};

/// Looks at the image that `reference` names and at its repository. `served` is what was pulled from there, `pushed`
/// what was pushed to there by all of `tags`, when that is known.
///
/// # Errors
/// When the registry does not answer.
pub(crate) fn observe(
    ctx: &Ctx,
    reference: &Reference,
    served: &Layout,
    pushed: Option<(&Layout, &[String])>,
) -> anyhow::Result<Facts> {
    let client = Client::new(ctx, reference, &Access::Pull);
    let asked = reference.tag_or_digest();
    let root = client.document(asked)?;
    let root = root.with_context(|| format!("there is no {reference}"))?;
    let digest = root.digest();
    let all_tags = client.tags()?.unwrap_or_default();
    let annotations = annotations(&root);
    let names = match pushed {
        Some((_, tags)) => tags::in_order(tags),
        None if reference.digest.is_some() => Vec::new(),
        None => release(&reference.tag, &annotations, &all_tags),
    };
    let mut facts = Facts {
        repository: format!("{}/{}", reference.registry, reference.repository),
        index: serde_json::from_slice(&root.bytes).ok(),
        lost_releases: lost(&client, &all_tags, &names)?,
        stranger: stranger(reference, &digest),
        served: served_to(&client, asked)?,
        all_tags,
        ..Facts::default()
    };
    for name in names {
        facts.tags.push(tag(&client, &name)?);
    }
    if let Some((layout, _)) = pushed {
        facts.pushed = Some(layout.image_index()?.digest);
        facts.changed = changed(layout, served);
    }
    below(&client, served, &mut facts)?;
    let children = facts.index.iter().flat_map(|index| &index.manifests);
    let subjects: Vec<_> = children
        .map(|child| child.digest.clone())
        .chain([digest])
        .collect();
    let programs = programs(served, &facts);
    for subject in subjects {
        for descriptor in referrers::listed(&client, &subject)? {
            facts
                .referrers
                .push(referrer(&client, &subject, descriptor, &programs)?);
        }
    }
    Ok(facts)
}

/// The tags that a release's image should have, of those that are there: its version, its commit, and what was asked for.
fn release(asked: &str, annotations: &Annotations, all_tags: &[String]) -> Vec<String> {
    let said = |key: &str| annotations.get(&format!("org.opencontainers.image.{key}"));
    let (version, revision) = (said("version"), said("revision"));
    let flavour = version.and_then(|version| {
        let tag = asked.strip_prefix('v').unwrap_or(asked);
        tag.strip_prefix(version.as_str())
            .filter(|rest| rest.starts_with('-'))
    });
    let flavour = flavour.unwrap_or_default();
    let plain = version.into_iter().chain(revision).cloned();
    let names = plain.chain(version.map(|version| format!("v{version}")));
    let names = names.map(|name| format!("{name}{flavour}"));
    // `latest-python` is another flavour than `latest`, and says so in its name alone: its release is not guessed.
    let known = tags::is_immutable(asked) || asked == "latest";
    let names = names.filter(|name| known && name != asked && all_tags.contains(name));
    std::iter::once(asked.to_owned()).chain(names).collect()
}

fn annotations(document: &Document) -> Annotations {
    let json = serde_json::from_slice::<serde_json::Value>(&document.bytes).ok();
    let annotations =
        json.and_then(|mut json| serde_json::from_value(json["annotations"].take()).ok());
    annotations.unwrap_or_default()
}

fn tag(client: &Client, name: &str) -> anyhow::Result<TagFact> {
    let document = client.document(name)?;
    let annotations = document.as_ref().map(annotations).unwrap_or_default();
    let said = |key: &str| {
        annotations
            .get(&format!("org.opencontainers.image.{key}"))
            .cloned()
    };
    Ok(TagFact {
        tag: name.to_owned(),
        head: client.head(name)?.map(|head| head.digest),
        get: document
            .as_ref()
            .and_then(|document| document.given.clone()),
        computed: document.as_ref().map(Document::digest),
        version: said("version"),
        revision: said("revision"),
    })
}

/// Every image, config and layer, each asked for by HEAD once; and the platform that each config names.
fn below(client: &Client, served: &Layout, facts: &mut Facts) -> anyhow::Result<()> {
    let children = facts.index.iter().flat_map(|index| index.manifests.clone());
    for child in children.collect::<Vec<_>>() {
        let name = match &child.platform {
            Some(platform) => platform.to_string(),
            None => child.digest.clone(),
        };
        let found = client.head(&child.digest)?.map(|head| head.size);
        part(facts, format!("image for {name}"), &child, found);
        let manifest = served.blob(&child.digest);
        let Some(manifest) =
            manifest.and_then(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
        else {
            continue;
        };
        for layer in &manifest.layers {
            if facts
                .parts
                .iter()
                .all(|part| part.descriptor.digest != layer.digest)
            {
                let found = client.blob_size(&layer.digest)?;
                part(facts, format!("layer of {name}"), layer, found);
            }
        }
        let found = client.blob_size(&manifest.config.digest)?;
        part(facts, format!("config of {name}"), &manifest.config, found);
        let config = served.blob(&manifest.config.digest);
        if let Some(config) =
            config.and_then(|bytes| serde_json::from_slice::<ImageConfig>(bytes).ok())
        {
            facts.platforms.push((
                child.digest.clone(),
                PlatformFields {
                    architecture: config.architecture,
                    os: config.os,
                    variant: config.variant,
                    os_version: None,
                    os_features: Vec::new(),
                },
            ));
        }
    }
    Ok(())
}

fn part(facts: &mut Facts, name: String, descriptor: &Descriptor, found: Option<Option<u64>>) {
    facts.parts.push(PartFact {
        name,
        descriptor: descriptor.clone(),
        found,
    });
}

/// The SHA-256 of what each image starts, by the image's digest.
fn programs(served: &Layout, facts: &Facts) -> BTreeMap<String, String> {
    let programs = image::programs(served);
    let own = facts.platforms.iter().filter_map(|(digest, platform)| {
        let name = format!("{}/{}", platform.os, platform.architecture);
        Some((digest.clone(), Sha256::of(programs.get(&name)?).to_string()))
    });
    own.collect()
}

/// `programs` are the SHA-256 of what each image starts, by the image's digest.
fn referrer(
    client: &Client,
    subject: &str,
    descriptor: Descriptor,
    programs: &BTreeMap<String, String>,
) -> anyhow::Result<ReferrerFact> {
    let fetched = referrers::fetch(client, &descriptor)?;
    let (manifest, documents) = fetched.unzip();
    let program = programs.get(subject);
    let abouts = documents.iter().flatten();
    Ok(ReferrerFact {
        about: abouts
            .filter_map(|bytes| about(bytes, subject, program))
            .next(),
        listed_under: subject.to_owned(),
        descriptor,
        manifest,
    })
}

/// What an in-toto statement or a CycloneDX document speaks of.
fn about(document: &[u8], subject: &str, program: Option<&String>) -> Option<About> {
    let json: serde_json::Value = serde_json::from_slice(document).ok()?;
    if json["bomFormat"] == "CycloneDX" {
        let hashes = json["metadata"]["component"]["hashes"].as_array()?;
        let ours = hashes.iter().filter(|hash| hash["alg"] == "SHA-256");
        let said = ours.filter_map(|hash| hash["content"].as_str().map(ToOwned::to_owned));
        return Some(About {
            what: "program",
            said: said.collect(),
            expected: program?.clone(),
        });
    }
    let subjects = json.get("_type").and(json["subject"].as_array())?;
    let said = subjects
        .iter()
        .filter_map(|subject| subject["digest"]["sha256"].as_str());
    Some(About {
        what: "image",
        said: said.map(ToOwned::to_owned).collect(),
        expected: subject.trim_start_matches("sha256:").to_owned(),
    })
}

/// What a pull without credentials fails with.
fn stranger(reference: &Reference, digest: &str) -> Option<String> {
    match Client::stranger(reference).head(digest) {
        Ok(Some(_)) => None,
        Ok(None) => Some("there is nothing for a stranger".to_owned()),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// What clients of each kind are served.
fn served_to(client: &Client, asked: &str) -> anyhow::Result<Vec<ServedFact>> {
    let today = format!("{DOCKER_LIST}, {DOCKER_MANIFEST}, {INDEX}, {MANIFEST}");
    let docker = format!("{DOCKER_LIST}, {DOCKER_MANIFEST}");
    let clients = [
        ("OCI indexes", Some(INDEX), true),
        (
            "what docker and containerd take today",
            Some(today.as_str()),
            true,
        ),
        ("Docker's older types", Some(docker.as_str()), false),
        ("single images", Some(MANIFEST), false),
        ("anything (*/*)", Some("*/*"), false),
        ("nothing in particular", None, false),
    ];
    let mut served = Vec::new();
    for (client_name, accept, takes_index) in clients {
        let (answer, document) = client.document_as(asked, accept)?;
        served.push(ServedFact {
            client: client_name,
            takes_index,
            status: answer.status,
            digest: (answer.status == 200).then(|| document.digest()),
        });
    }
    Ok(served)
}

/// Versions other than this one's that cannot be pulled any more.
fn lost(
    client: &Client,
    all_tags: &[String],
    own: &[String],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut lost = Vec::new();
    for tag in all_tags
        .iter()
        .filter(|tag| tags::is_version(tag) && !own.contains(tag))
    {
        let Some(document) = client.document(tag)? else {
            lost.push((tag.clone(), "the tag points to nothing".to_owned()));
            continue;
        };
        let index = serde_json::from_slice::<ImageIndex>(&document.bytes).ok();
        for child in index.into_iter().flat_map(|index| index.manifests) {
            if client.head(&child.digest)?.is_none() {
                lost.push((
                    tag.clone(),
                    format!("its image {} is missing", child.digest),
                ));
            }
        }
    }
    Ok(lost)
}

/// Blobs of the pushed layout that came back missing or otherwise.
fn changed(pushed: &Layout, served: &Layout) -> Vec<(String, String)> {
    let blobs = |layout: &'_ Layout| {
        let named = layout
            .files
            .iter()
            .filter(|(name, _)| name.starts_with("blobs/"));
        named
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (pushed, served) = (blobs(pushed), blobs(served));
    let missing = pushed
        .iter()
        .filter_map(|(name, bytes)| match served.get(name) {
            None => Some((
                name.clone(),
                "it was pushed and did not come back".to_owned(),
            )),
            Some(other) if other != bytes => {
                Some((name.clone(), "it came back with other bytes".to_owned()))
            }
            Some(_) => None,
        });
    let added = served.keys().filter(|name| !pushed.contains_key(*name));
    missing
        .chain(added.map(|name| (name.clone(), "it was never pushed".to_owned())))
        .collect()
}
