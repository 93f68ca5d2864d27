//! Publishing an image: blobs, then images, then the index, all by digest, and the tags last.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, anyhow, ensure};

use crate::check::registry::other_name;
use crate::check::{self, Findings};
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client};
use crate::registry::tags::Journal;
use crate::registry::upload::Stored;
use crate::release::Release;
use crate::sh;
use crate::verify::Verified;

/// How many blobs are sent at once.
const THREADS: usize = 4;

/// The manifest annotation with the name of the image that the lower layers are from.
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// The manifest annotation with the version that the image is of.
const VERSION: &str = "org.opencontainers.image.version";

/// The manifest annotation with the commit that the image is of.
const REVISION: &str = "org.opencontainers.image.revision";

/// What a push may do beyond the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// What becomes of a version or commit tag that points elsewhere.
    pub moved: Moved,
    /// How much of what the registry has is believed.
    pub trust: Trust,
}

/// What becomes of an immutable tag that would move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It stays, and the push is refused.
    #[default]
    Refused,
    /// It moves.
    Forced,
}

/// Whether an index that is there means that all below it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Yes: no registry takes an index without its images.
    #[default]
    Index,
    /// No: somebody may have deleted images below it, so each is looked for.
    Nothing,
}

/// An image that a registry serves under all its names.
#[derive(Debug)]
pub(crate) struct Published {
    /// The image index that every name points to.
    pub digest: String,
    /// How many bytes of blobs had to be sent.
    pub sent_bytes: u64,
    /// Where the tags were.
    journal: Journal,
}

impl Published {
    /// Tags that moved, each with the digest it had, if there was one.
    pub(crate) fn moved(&self) -> Vec<(String, Option<String>)> {
        self.journal.moved()
    }

    /// Lets the tags stay where they are when what is served was proved, and puts them back when it was not.
    ///
    /// # Errors
    /// The proof's; the tags are then where they were, or the error says which are not.
    pub(crate) fn keep_if(&self, proof: anyhow::Result<()>) -> anyhow::Result<()> {
        proof.map_err(|error| self.journal.undo(error))
    }
}

/// Refuses what must not be published, before anything is built for it.
pub(crate) fn preflight(release: &Release, references: &[Reference]) -> anyhow::Result<()> {
    let elsewhere = references.iter().find(|reference| !reference.is_loopback());
    if let (true, Some(elsewhere)) = (release.is_dirty(), elsewhere) {
        let registry = &elsewhere.registry;
        return Err(anyhow!(
            "the tree differs from its commit, and {registry} is not on this machine"
        ))
        .help("commit first; a registry on this machine takes dirty trees as well");
    }
    Ok(())
}

/// Pushes a verified image to the repository that all `references` name, and moves the tags last.
///
/// A cold push of two platforms takes 22 requests, a warm one a request for each tag and nothing else.
///
/// # Errors
/// When the registry refuses anything; the tags are then where they were, or the error says which are not.
pub(crate) fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
    options: Options,
) -> anyhow::Result<Published> {
    let first = references.first().context("no name to push to")?;
    let one = |name: &Reference| {
        (&name.registry, &name.repository) == (&first.registry, &first.repository)
    };
    ensure!(
        references.iter().all(one),
        "a push is to one repository, and {references:?} are several"
    );
    let content = Content::read(image.value())?;
    content.refuse_dirty(first)?;
    content.refuse_misnamed(references)?;
    let sources = content.sources(first);
    let client = Client::new(ctx, first, &Access::Push(sources));
    let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
    let digest = &content.root.digest;
    let mut journal = Journal::open(client, digest, &tags)?;
    if options.moved == Moved::Refused {
        refuse_overwriting(first, digest, &journal.overwritten())?;
    }
    let mut sent_bytes = 0;
    if !journal.is_done() || options.trust == Trust::Nothing {
        let is_there = journal.client().head(digest)?.is_some();
        if !is_there || options.trust == Trust::Nothing {
            sent_bytes = content.send(ctx, journal.client(), first)?;
        }
        journal.carry_out(INDEX, content.bytes(&content.root)?, !is_there)?;
    }
    Ok(Published {
        digest: digest.clone(),
        sent_bytes,
        journal,
    })
}

/// A version that people have pulled stays what it is: rule R4, before anything is sent.
fn refuse_overwriting(
    image: &Reference,
    digest: &str,
    overwritten: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    for (tag, before) in overwritten {
        let object = format!("{}/{}:{tag}", image.registry, image.repository);
        findings.add(
            "R4",
            object,
            format!("it is {before} and would become {digest}"),
        );
    }
    let Some(first) = check::Findings::lines(&findings).into_iter().next() else {
        return Ok(());
    };
    let more = overwritten.len() - 1;
    let rest = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    Err(anyhow!("{first}{rest}"))
        .help("push under another --tag; --force-retag moves a version or commit tag that nobody uses yet")
}

/// What is to be in the repository, by digest.
struct Content<'a> {
    layout: &'a Layout,
    root: Descriptor,
    /// The images of the index, once each.
    children: Vec<(Descriptor, ImageManifest)>,
}

/// A blob to store, and where it may be mounted from.
struct Blob {
    descriptor: Descriptor,
    source: Option<String>,
}

impl<'a> Content<'a> {
    fn read(layout: &'a Layout) -> anyhow::Result<Self> {
        let root = layout.image_index()?;
        let mut content = Self {
            layout,
            root,
            children: Vec::new(),
        };
        let index: ImageIndex = serde_json::from_slice(content.bytes(&content.root)?)
            .with_context(|| format!("{} is not an image index", content.root.digest))?;
        for child in index.manifests {
            let known = |(other, _): &(Descriptor, ImageManifest)| other.digest == child.digest;
            if !content.children.iter().any(known) {
                let manifest = serde_json::from_slice(content.bytes(&child)?)
                    .with_context(|| format!("{} is not an image manifest", child.digest))?;
                content.children.push((child, manifest));
            }
        }
        Ok(content)
    }

    /// An image of a tree that differs from its commit, of which the revision tells, stays on this machine.
    fn refuse_dirty(&self, target: &Reference) -> anyhow::Result<()> {
        let manifests = self.children.iter().map(|(_, manifest)| manifest);
        let mut revisions = manifests.filter_map(|manifest| manifest.annotations.get(REVISION));
        let dirty = revisions.any(|revision| revision.ends_with("-dirty"));
        if !dirty || target.is_loopback() {
            return Ok(());
        }
        let registry = &target.registry;
        Err(anyhow!(
            "the image is of a tree that differs from its commit, and {registry} is not on this machine"
        ))
        .help("commit, make the image again, and push that")
    }

    /// A version or commit tag says what the image says of itself: rule R4, before anything is sent.
    fn refuse_misnamed(&self, references: &[Reference]) -> anyhow::Result<()> {
        let Some((_, manifest)) = self.children.first() else {
            return Ok(());
        };
        let said = |name: &str| manifest.annotations.get(name);
        let (Some(version), Some(revision)) = (said(VERSION), said(REVISION)) else {
            return Ok(());
        };
        let other = |name: &Reference| {
            let says = other_name(&name.tag, version, revision)?;
            Some(anyhow!("error R4 {name}: the image says that it is {says}"))
        };
        let refusal = references.iter().find_map(other).map_or(Ok(()), Err);
        refusal.help(format!("push it under its own name: --tag {version}"))
    }

    fn bytes(&self, descriptor: &Descriptor) -> anyhow::Result<&'a [u8]> {
        self.layout
            .blob(&descriptor.digest)
            .with_context(|| format!("the layout lacks {}", descriptor.digest))
    }

    /// The repositories of the same registry that base layers are from.
    fn sources(&self, target: &Reference) -> Vec<String> {
        let children = self.children.iter();
        let sources = children.filter_map(|(_, manifest)| source(manifest, target));
        let mut sources: Vec<_> = sources.collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// Every blob once, the largest first: a push that must fail for room or time does so early.
    fn blobs(&self, target: &Reference) -> Vec<Blob> {
        let mut blobs = BTreeMap::new();
        for (_, manifest) in &self.children {
            let source = source(manifest, target);
            for layer in &manifest.layers {
                let blob = Blob {
                    descriptor: layer.clone(),
                    source: source.clone(),
                };
                blobs.insert(layer.digest.clone(), blob);
            }
            let config = Blob {
                descriptor: manifest.config.clone(),
                source: None,
            };
            blobs.insert(manifest.config.digest.clone(), config);
        }
        let mut blobs: Vec<_> = blobs.into_values().collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.descriptor.size));
        blobs
    }

    /// Stores everything but the tags; gives how many bytes of blobs were sent.
    fn send(&self, ctx: &Ctx, client: &Client, target: &Reference) -> anyhow::Result<u64> {
        let blobs = self.blobs(target);
        let total = blobs.iter().map(|blob| blob.descriptor.size).sum();
        let progress = sh::progress(ctx, total, "push");
        let sent = AtomicU64::new(0);
        each(&blobs, |blob| {
            let size = blob.descriptor.size;
            let bytes = self.layout.blob(&blob.descriptor.digest);
            let stored = client.store(&blob.descriptor, bytes, blob.source.as_deref())?;
            if stored == Stored::Sent {
                sent.fetch_add(size, Ordering::Relaxed);
            }
            sh::detail(
                ctx,
                &format!("{} {size} bytes: {stored:?}", blob.descriptor.digest),
            );
            progress.inc(size);
            Ok(())
        })?;
        progress.finish_and_clear();
        for (child, _) in &self.children {
            client.store_document(&child.digest, MANIFEST, self.bytes(child)?)?;
        }
        client.store_document(&self.root.digest, INDEX, self.bytes(&self.root)?)?;
        Ok(sent.into_inner())
    }
}

/// The repository that a manifest's base image is in, when that is another one of the same registry.
fn source(manifest: &ImageManifest, target: &Reference) -> Option<String> {
    let base = manifest.annotations.get(BASE_NAME)?;
    let base: Reference = base.parse().ok()?;
    let mountable = base.registry == target.registry && base.repository != target.repository;
    mountable.then_some(base.repository)
}

/// Does the work on all items, a few at a time and in their order; the first error stops what has not begun.
pub(super) fn each<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(item) {
                        next.store(items.len(), Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
