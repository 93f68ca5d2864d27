//! Lists what is in a repository: tags, images, attachments and blobs.
//!
//! A registry lists only tags. Images without a tag are found when an index lists them, when they are attached to
//! another image, or when the caller gives their digests.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use noetl_help::Help as _;

use crate::artifact::fallback_subject;
use crate::parallel::each;
use crate::reference::Reference;
use crate::registry::client::{Client, Repository};
use crate::registry::referrers::referrers;
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
    let mut next: Vec<String> = candidates.to_vec();
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
    for tag in tags.unwrap_or_default() {
        let document = repository.document(&tag)?;
        let digest = document.as_ref().map(|document| document.digest());
        if let (Some(document), Some(digest)) = (document, &digest)
            && !inventory.documents.contains_key(digest)
        {
            next.extend(add(&repository, &mut inventory, digest, &document.bytes)?);
        }
        next.extend(fallback_subject(&tag));
        inventory.tags.insert(tag, digest);
    }
    while let Some(digest) = next.pop() {
        if inventory.documents.contains_key(&digest) {
            continue;
        }
        match repository.document(&digest)? {
            Some(document) => {
                next.extend(add(&repository, &mut inventory, &digest, &document.bytes)?);
            }
            None => drop(inventory.documents.insert(digest, None)),
        }
    }
    find_missing_blobs(&repository, &mut inventory)?;
    Ok(inventory)
}

/// Adds a document, and returns the digests of the documents that it refers to.
fn add(
    repository: &Repository,
    inventory: &mut Inventory,
    digest: &str,
    bytes: &[u8],
) -> anyhow::Result<Vec<String>> {
    let mut document = DocumentLinks::read(bytes);
    // Attachments of attachments are rare, and finding them would take a request for each attachment.
    if document.subject.is_none() {
        let attached = referrers(repository, digest)?;
        document.referrers = attached
            .into_iter()
            .map(|artifact| artifact.digest)
            .collect();
    }
    let children = document.children.iter().map(|(digest, _)| digest.clone());
    let next = children
        .chain(document.referrers.clone())
        .chain(document.subject.clone());
    let next = next.collect();
    inventory
        .documents
        .insert(digest.to_owned(), Some(document));
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
