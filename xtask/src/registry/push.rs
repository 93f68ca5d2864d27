//! Publishing an image: blobs, then images, then the index, all by digest, and the tags last.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, anyhow, ensure};

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
    /// Tags that moved, each with the digest it had, if there was one.
    pub moved: Vec<(String, Option<String>)>,
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
    let sources = content.sources(first);
    let client = Client::new(ctx, first, &Access::Push(sources));
    let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
    let digest = &content.root.digest;
    let journal = Journal::open(&client, digest, &tags)?;
    if options.moved == Moved::Refused {
        refuse_overwriting(first, digest, &journal.overwritten())?;
    }
    let mut published = Published {
        digest: digest.clone(),
        sent_bytes: 0,
        moved: Vec::new(),
    };
    if journal.is_done() && options.trust == Trust::Index {
        return Ok(published);
    }
    let is_there = client.head(digest)?.is_some();
    if !is_there || options.trust == Trust::Nothing {
        published.sent_bytes = content.send(ctx, &client, first)?;
    }
    let bytes = content.bytes(&content.root)?;
    published.moved = journal.carry_out(INDEX, bytes, !is_there)?;
    Ok(published)
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
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_dirty_tree_is_published_on_this_machine_only() {
        let names = |name: &str| vec![name.parse::<Reference>().unwrap()];
        let clean = fixtures::release();
        let dirty = Release {
            commit: format!("{}-dirty", clean.commit),
            ..clean.clone()
        };
        assert!(preflight(&clean, &names("ghcr.io/noetl/noetl:1")).is_ok());
        assert!(preflight(&dirty, &names("127.0.0.1:5000/noetl:1")).is_ok());
        assert!(preflight(&dirty, &names("ghcr.io/noetl/noetl:1")).is_err());
    }

    #[test]
    fn an_image_of_a_dirty_tree_stays_on_this_machine() {
        let mut content = Content {
            layout: &Layout::empty(),
            root: Descriptor::of(INDEX, b""),
            children: Vec::new(),
        };
        let mut manifest: ImageManifest = serde_json::from_value(serde_json::json!({
            "schemaVersion": 2, "config": {"mediaType": "x", "digest": "y", "size": 0}, "layers": [],
        }))
        .unwrap();
        manifest
            .annotations
            .insert(REVISION.to_owned(), "0123-dirty".to_owned());
        content
            .children
            .push((Descriptor::of(MANIFEST, b""), manifest));
        let name = |name: &str| name.parse::<Reference>().unwrap();
        assert!(
            content
                .refuse_dirty(&name("ghcr.io/noetl/noetl:1"))
                .is_err()
        );
        assert!(
            content
                .refuse_dirty(&name("127.0.0.1:5000/noetl:1"))
                .is_ok()
        );
        content.children[0].1.annotations.clear();
        assert!(content.refuse_dirty(&name("ghcr.io/noetl/noetl:1")).is_ok());
    }

    #[test]
    fn the_first_error_stops_what_has_not_begun() {
        let items: Vec<u32> = (0..1000).collect();
        let done = AtomicUsize::new(0);
        let result = each(&items, |item| {
            ensure!(*item != 5, "five");
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "five");
        assert!(done.into_inner() < 1000);
        assert!(each(&items, |_| Ok(())).is_ok());
    }
}
