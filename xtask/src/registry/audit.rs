//! Walking a whole repository, from its tags to blobs and attachments, to find what is missing and what nobody needs.
//!
//! A registry lists tags and nothing else: untagged images are known as parts of tagged ones, as attachments, or
//! because somebody names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client};
use crate::registry::push::each;
use crate::registry::referrers;

/// What is in a repository, as far as names lead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// Where each tag points to; `None` when it is listed and leads nowhere.
    pub tags: BTreeMap<String, Option<String>>,
    /// Images, indexes and attachments by digest; `None` for those that are missing.
    pub documents: BTreeMap<String, Option<Document>>,
    /// Blobs that are missing.
    pub lost_blobs: BTreeSet<String>,
    /// How many blobs there are, with those that are missing.
    pub blobs: usize,
}

/// An image, an index or an attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Digest and name of each document below it, such as `linux/arm64/v8`.
    pub children: Vec<(String, String)>,
    /// Digest and name of each blob, such as `layer 2`.
    pub blobs: Vec<(String, String)>,
    /// What is attached to it.
    pub referrers: Vec<String>,
    /// What it is attached to.
    pub subject: Option<String>,
}

/// What an audit comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Audit {
    /// `registry/repository`.
    pub repository: String,
    pub tags: usize,
    pub documents: usize,
    pub blobs: usize,
    /// What tags lead to and the registry lacks.
    pub dangling: Vec<Remark>,
    /// Untagged digests that tags need.
    pub keep: Vec<Remark>,
    /// Digests that no tag needs, in the order in which to delete them.
    pub deletable: Vec<Remark>,
}

/// One digest and what is to be known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remark {
    pub digest: String,
    pub because: String,
}

/// Looks at everything that tags, attachments and `candidates` lead to.
///
/// # Errors
/// When the registry does not answer, or there is no such repository.
pub(crate) fn walk(
    ctx: &Ctx,
    reference: &Reference,
    candidates: &[String],
) -> anyhow::Result<Repository> {
    let client = Client::new(ctx, reference, &Access::Pull);
    let mut repository = Repository::default();
    let mut next: Vec<String> = candidates.to_vec();
    let tags = client.tags()?;
    if tags.is_none() && candidates.is_empty() {
        let Reference {
            registry,
            repository,
            ..
        } = reference;
        return Err(anyhow!("{registry} has no repository {repository}"))
            .help("`cargo xtask image audit --help` shows how a repository is named");
    }
    for tag in tags.unwrap_or_default() {
        let document = client.document(&tag)?;
        let digest = document.as_ref().map(|document| document.digest());
        if let (Some(document), Some(digest)) = (document, &digest)
            && !repository.documents.contains_key(digest)
        {
            next.extend(take(&client, &mut repository, digest, &document.bytes)?);
        }
        next.extend(referrers::fallback_subject(&tag));
        repository.tags.insert(tag, digest);
    }
    while let Some(digest) = next.pop() {
        if repository.documents.contains_key(&digest) {
            continue;
        }
        match client.document(&digest)? {
            Some(document) => {
                next.extend(take(&client, &mut repository, &digest, &document.bytes)?)
            }
            None => drop(repository.documents.insert(digest, None)),
        }
    }
    look_for_blobs(&client, &mut repository)?;
    Ok(repository)
}

/// Remembers a document, and gives the digests of those that it leads to.
fn take(
    client: &Client,
    repository: &mut Repository,
    digest: &str,
    bytes: &[u8],
) -> anyhow::Result<Vec<String>> {
    let mut document = Document::read(bytes);
    // An attachment has none of its own as a rule; asking costs a request for each.
    if document.subject.is_none() {
        let attached = referrers::listed(client, digest)?;
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
    repository
        .documents
        .insert(digest.to_owned(), Some(document));
    Ok(next)
}

fn look_for_blobs(client: &Client, repository: &mut Repository) -> anyhow::Result<()> {
    let documents = repository.documents.values().flatten();
    let blobs: BTreeSet<_> = documents
        .flat_map(|document| document.blobs.iter().map(|(digest, _)| digest.clone()))
        .collect();
    let blobs: Vec<_> = blobs.into_iter().collect();
    let lost = Mutex::new(BTreeSet::new());
    each(&blobs, |digest| {
        if client.blob_size(digest)?.is_none() {
            let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.insert(digest.clone());
        }
        Ok(())
    })?;
    repository.blobs = blobs.len();
    repository.lost_blobs = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(())
}

impl Document {
    /// Reads anybody's image, index or attachment, OCI's or Docker's, as far as it leads on.
    fn read(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let digest = |json: &Value| json["digest"].as_str().map(ToOwned::to_owned);
        let list = |name: &str| json[name].as_array().into_iter().flatten();
        let child = |child: &Value| Some((digest(child)?, platform(child)));
        let config = json.get("config").and_then(digest);
        let layers = list("layers").enumerate().filter_map(|(number, layer)| {
            // Layers that lie elsewhere are no business of this registry.
            let elsewhere = layer["urls"]
                .as_array()
                .is_some_and(|urls| !urls.is_empty());
            let name = format!("layer {}", number + 1);
            (!elsewhere).then(|| Some((digest(layer)?, name)))?
        });
        let config = config
            .into_iter()
            .map(|digest| (digest, "config".to_owned()));
        Self {
            children: list("manifests").filter_map(child).collect(),
            blobs: config.chain(layers).collect(),
            referrers: Vec::new(),
            subject: json.get("subject").and_then(digest),
        }
    }
}

/// The name of a child in its index: where it runs, or what it is.
fn platform(child: &Value) -> String {
    let platform = &child["platform"];
    let part = |name: &str| platform[name].as_str();
    let parts = [part("os"), part("architecture"), part("variant")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        let what = child["artifactType"].as_str();
        return what.unwrap_or("image").to_owned();
    }
    parts.join("/")
}
