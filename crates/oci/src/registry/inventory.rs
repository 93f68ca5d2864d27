//! Lists what is in a repository: tags, images, attachments and blobs.
//!
//! A registry lists only tags. Images without a tag are found when an index lists them, when they are attached to
//! another image, or when the caller gives their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use noetl_help::Help as _;

use crate::artifact::fallback_subject;
use crate::parallel::{each, map};
use crate::reference::Reference;
use crate::registry::client::{Client, Repository};
use crate::registry::referrers::referrers_in;
use crate::rules::audit::{DocumentLinks, Inventory};

/// Returns everything in the repository of `reference` that can be reached from tags, attachments and `candidates`,
/// which are digests of images. The tag or digest of `reference` is not used.
///
/// # Errors
/// When the registry does not answer or refuses, or there is no such repository.
pub fn take_inventory(
    client: &Client,
    reference: &Reference,
    candidates: &[String],
) -> anyhow::Result<Inventory> {
    let repository = client.repository(reference);
    let mut inventory = Inventory::default();
    let mut next: BTreeSet<String> = candidates.iter().cloned().collect();
    let tags = repository.tags()?;
    if tags.is_none() && candidates.is_empty() {
        let Reference {
            registry,
            repository,
            ..
        } = reference;
        return Err(anyhow!("{registry} has no repository {repository}"))
            .help("check the names of the registry and the repository");
    }
    let tags = tags.unwrap_or_default();
    let tagged = map(&tags, |tag| document(&repository, tag))?;
    let mut found = BTreeMap::new();
    for (tag, document) in tags.into_iter().zip(tagged) {
        next.extend(fallback_subject(&tag));
        let digest = document.map(|(digest, links)| {
            found.insert(digest.clone(), Some(links));
            digest
        });
        inventory.tags.insert(tag, digest);
    }
    // Each turn asks for what the documents of the turn before refer to.
    loop {
        next.extend(add(&repository, &mut inventory, found)?);
        next.retain(|digest| !inventory.documents.contains_key(digest));
        if next.is_empty() {
            break;
        }
        let digests: Vec<_> = std::mem::take(&mut next).into_iter().collect();
        let documents = map(&digests, |digest| document(&repository, digest))?;
        let links = documents.into_iter().map(|it| it.map(|(_, links)| links));
        found = digests.into_iter().zip(links).collect();
    }
    find_missing_blobs(&repository, &mut inventory)?;
    Ok(inventory)
}

/// Returns the digest of a document, and what it refers to; `None` when it is missing.
fn document(
    repository: &Repository,
    name: &str,
) -> anyhow::Result<Option<(String, DocumentLinks)>> {
    let document = repository.document(name)?;
    Ok(document.map(|document| (document.digest(), DocumentLinks::read(&document.bytes))))
}

/// Adds documents, and returns the digests of the documents that they refer to.
fn add(
    repository: &Repository,
    inventory: &mut Inventory,
    found: BTreeMap<String, Option<DocumentLinks>>,
) -> anyhow::Result<Vec<String>> {
    let mut next = Vec::new();
    let found: Vec<_> = found.into_iter().collect();
    let tags = &inventory.tags;
    let attached = map(&found, |(digest, links)| match links {
        // Attachments of attachments are rare, and finding them would take a request for each attachment.
        Some(links) if links.subject.is_none() => {
            referrers_in(repository, digest, |tag| tags.contains_key(tag))
        }
        _ => Ok(Vec::new()),
    })?;
    for ((digest, mut links), attached) in found.into_iter().zip(attached) {
        if let Some(links) = &mut links {
            let attached = attached.into_iter().map(|artifact| artifact.digest);
            links.referrers = attached.collect();
            next.extend(links.children.iter().map(|(digest, _)| digest.clone()));
            next.extend(links.referrers.iter().cloned());
            next.extend(links.subject.clone());
        }
        inventory.documents.insert(digest, links);
    }
    Ok(next)
}

fn find_missing_blobs(repository: &Repository, inventory: &mut Inventory) -> anyhow::Result<()> {
    let documents = inventory.documents.values().flatten();
    let blobs: BTreeSet<_> = documents
        .flat_map(|document| document.blobs.iter().map(|(digest, _)| digest.clone()))
        .collect();
    let blobs: Vec<_> = blobs.into_iter().collect();
    let lost = Mutex::new(BTreeSet::new());
    each(&blobs, |digest| {
        if repository.blob_size(digest)?.is_none() {
            let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.insert(digest.clone());
        }
        Ok(())
    })?;
    inventory.blobs = blobs.len();
    inventory.missing_blobs = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(())
}
