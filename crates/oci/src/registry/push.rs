//! Publishing an image: blobs, then manifests, then the index, all by digest, and the tags last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use std::fmt;

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;

use crate::annotation::{BASE_NAME, REVISION, VERSION};
use crate::image::Image;
use crate::model::{Descriptor, ImageManifest};
use crate::parallel::each;
use crate::reference::Reference;
use crate::registry::client::{Client, Repository};
use crate::registry::progress::Progress;
use crate::registry::tags::Journal;
use crate::registry::upload::Stored;
use crate::rules::catalogue::R4;
use crate::source::ImageSource;
use crate::tag::mismatch;

/// What a push may do beyond the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// What happens to a version or commit tag that points elsewhere.
    pub overwrite: Overwrite,
    /// How much of what the registry has is believed.
    pub trust: Trust,
}

/// What happens to an immutable tag that would move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// It stays, and the push is refused.
    #[default]
    Refused,
    /// It moves.
    Forced,
}

/// Whether an index that is there means that everything below it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Yes: no registry takes an index without its images.
    #[default]
    Index,
    /// No: images below it may have been deleted, so each is asked for.
    Nothing,
}

/// An image that a registry serves under all its names.
#[derive(Debug)]
pub struct Published {
    /// The index that every name points to.
    pub digest: String,
    /// How many bytes of blobs had to be sent.
    pub sent_bytes: u64,
    /// Where the tags were.
    journal: Journal,
}

impl Published {
    /// Returns the tags that moved, each with the digest it had, if there was one.
    pub fn moved(&self) -> Vec<(String, Option<String>)> {
        self.journal.moved()
    }

    /// Leaves the tags where they are when `proof` is that what is served is right, and puts them back otherwise.
    ///
    /// # Errors
    /// The proof's; the tags are then where they were, or the error says which are not.
    pub fn keep_if(&self, proof: anyhow::Result<()>) -> anyhow::Result<()> {
        proof.map_err(|error| self.journal.undo(error))
    }
}

/// Pushes an image to the repository that all `references` name, and moves the tags last. Nothing is checked: a
/// caller checks the image before.
///
/// A cold push of two platforms takes 22 requests, a warm one a request for each tag and nothing else.
///
/// # Errors
/// When the registry refuses anything; the tags are then where they were, or the error says which are not.
pub fn push(
    client: &Client,
    source: &dyn ImageSource,
    references: &[Reference],
    options: PushOptions,
    progress: &dyn Progress,
) -> anyhow::Result<Published> {
    let first = references.first().context("no name to push to")?;
    let is_same = |name: &Reference| {
        (&name.registry, &name.repository) == (&first.registry, &first.repository)
    };
    ensure!(
        references.iter().all(is_same),
        "a push is to one repository, and {references:?} are several"
    );
    let content = ImageToPush::read(source)?;
    content.refuse_misnamed(references)?;
    let repository = client.writable(first, &content.sources(first));
    let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
    let digest = content.root.digest.clone();
    let mut journal = Journal::open(repository, &digest, &tags)?;
    if options.overwrite == Overwrite::Refused {
        refuse_overwriting(first, &digest, &journal.overwritten())?;
    }
    let mut sent_bytes = 0;
    if !journal.is_done() || options.trust == Trust::Nothing {
        let is_there = journal.repository().head(&digest)?.is_some();
        if !is_there || options.trust == Trust::Nothing {
            sent_bytes = content.send(journal.repository(), first, progress)?;
        }
        let bytes = content.document(&content.root)?;
        journal.move_tags(&content.root.media_type, &bytes, !is_there)?;
    }
    Ok(Published {
        digest,
        sent_bytes,
        journal,
    })
}

/// R4, before anything is sent: a version or commit tag never moves.
fn refuse_overwriting(
    image: &Reference,
    digest: &str,
    overwritten: &[(&str, &str)],
) -> anyhow::Result<()> {
    let Some((tag, before)) = overwritten.first() else {
        return Ok(());
    };
    let rest = match overwritten.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let Reference {
        registry,
        repository,
        ..
    } = image;
    let id = R4.id;
    let message = format!(
        "error {id} {registry}/{repository}:{tag}: it is {before} and would become {digest}{rest}"
    );
    Err(TagRefused::Moves { message })
        .help("push under another tag; only a forced push moves a version or commit tag")
}

/// A tag that rule R4 protects, found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagRefused {
    /// A version or commit tag is another image already, and [`Overwrite::Forced`] was not given.
    Moves {
        /// The finding.
        message: String,
    },
    /// A version or commit tag is not that of the image's labels.
    Misnamed {
        /// The finding.
        message: String,
        /// The version in the image's labels.
        version: String,
    },
}

impl fmt::Display for TagRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Moves { message } | Self::Misnamed { message, .. }) = self;
        formatter.write_str(message)
    }
}

impl std::error::Error for TagRefused {}

/// What is to be in the repository, by digest.
struct ImageToPush<'a> {
    source: &'a dyn ImageSource,
    image: Image,
    root: Descriptor,
}

/// A blob to store, and where it may be mounted from.
struct Upload {
    descriptor: Descriptor,
    source: Option<String>,
}

impl<'a> ImageToPush<'a> {
    fn read(source: &'a dyn ImageSource) -> anyhow::Result<Self> {
        let image = Image::read(source)?;
        if let Some(unreadable) = image.unreadable.first() {
            return Err(anyhow!(
                "{} cannot be read: {}",
                unreadable.name,
                unreadable.why
            ));
        }
        let root = image.root()?.clone();
        Ok(Self {
            source,
            image,
            root,
        })
    }

    fn manifests(&self) -> impl Iterator<Item = &ImageManifest> {
        let images = self.image.platforms.iter();
        images.filter_map(|image| image.manifest.as_ref().map(|document| &document.value))
    }

    /// R4, before anything is sent: a version or commit tag says what the image says of itself.
    fn refuse_misnamed(&self, references: &[Reference]) -> anyhow::Result<()> {
        let annotations = self
            .manifests()
            .next()
            .map(|manifest| &manifest.annotations);
        let said = |key: &str| annotations.and_then(|annotations| annotations.get(key));
        let (Some(version), Some(revision)) = (said(VERSION), said(REVISION)) else {
            return Ok(());
        };
        let mut misnamed = references
            .iter()
            .filter_map(|name| Some((name, mismatch(&name.tag, version, revision)?)));
        match misnamed.next() {
            None => Ok(()),
            Some((name, says)) => {
                let id = R4.id;
                Err(TagRefused::Misnamed {
                    message: format!("error {id} {name}: the image says that it is {says}"),
                    version: version.clone(),
                })
                .help(format!("push it under its own tag {version}"))
            }
        }
    }

    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Vec<u8>> {
        let bytes = self.source.document(descriptor)?;
        bytes.with_context(|| format!("the image lacks {}", descriptor.digest))
    }

    /// Returns the repositories of the same registry that base layers are from.
    fn sources(&self, target: &Reference) -> Vec<String> {
        let mut sources: Vec<_> = self
            .manifests()
            .filter_map(|manifest| base_repository(manifest, target))
            .collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// Returns every blob once, the largest first: a push that must fail for room or time does so early.
    fn blobs(&self, target: &Reference) -> Vec<Upload> {
        let mut blobs = BTreeMap::new();
        for manifest in self.manifests() {
            let source = base_repository(manifest, target);
            for layer in &manifest.layers {
                let upload = Upload {
                    descriptor: layer.clone(),
                    source: source.clone(),
                };
                blobs.insert(layer.digest.clone(), upload);
            }
            let config = Upload {
                descriptor: manifest.config.clone(),
                source: None,
            };
            blobs.insert(manifest.config.digest.clone(), config);
        }
        let mut blobs: Vec<_> = blobs.into_values().collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.descriptor.size));
        blobs
    }

    /// Stores everything but the tags; returns how many bytes of blobs were sent.
    fn send(
        &self,
        repository: &Repository,
        target: &Reference,
        progress: &dyn Progress,
    ) -> anyhow::Result<u64> {
        let blobs = self.blobs(target);
        progress.start(blobs.iter().map(|blob| blob.descriptor.size).sum());
        let sent = AtomicU64::new(0);
        each(&blobs, |Upload { descriptor, source }| {
            let is_here = self.source.open(descriptor)?.is_some();
            let open = || {
                let reader = self.source.open(descriptor)?;
                reader.with_context(|| format!("the image lacks {}", descriptor.digest))
            };
            let open: Option<&(dyn Fn() -> _ + Sync)> = if is_here { Some(&open) } else { None };
            let stored = repository.store(descriptor, open, source.as_deref())?;
            if stored == Stored::Sent {
                sent.fetch_add(descriptor.size, Ordering::Relaxed);
            }
            progress.stored(descriptor, stored);
            Ok(())
        })?;
        progress.finish();
        for image in &self.image.platforms {
            self.store_document(repository, &image.descriptor)?;
        }
        // The innermost indexes first; the last one is the root.
        for index in self.image.indexes.iter().rev() {
            self.store_document(repository, &index.descriptor)?;
        }
        Ok(sent.into_inner())
    }

    fn store_document(&self, repository: &Repository, it: &Descriptor) -> anyhow::Result<()> {
        let bytes = self.document(it)?;
        repository.store_document(&it.digest, &it.media_type, &bytes)?;
        Ok(())
    }
}

/// Returns the repository that a manifest's base image is in, when it is another one of the same registry.
fn base_repository(manifest: &ImageManifest, target: &Reference) -> Option<String> {
    let base = manifest.annotations.get(BASE_NAME)?;
    let base: Reference = base.parse().ok()?;
    let mountable = base.registry == target.registry && base.repository != target.repository;
    mountable.then_some(base.repository)
}
