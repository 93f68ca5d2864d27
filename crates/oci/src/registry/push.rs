//! Pushes an image: first blobs, then manifests and indexes, all by digest, and tags last.

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

/// Options of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// What happens when a version or commit tag points to another image.
    pub overwrite: Overwrite,
    /// What is assumed to be in the registry.
    pub trust: Trust,
}

/// What happens when a version or commit tag points to another image; see
/// [`tag::is_immutable`](crate::tag::is_immutable).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// The push fails, and the tag stays.
    #[default]
    Refused,
    /// The tag moves.
    Forced,
}

/// What is assumed to be in the registry when it has the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// All images and blobs of the index, since registries refuse an index whose images are missing.
    #[default]
    Index,
    /// Nothing: images may have been deleted, so each is requested, and sent if it is missing.
    Nothing,
}

/// The result of a push.
#[derive(Debug)]
pub struct Published {
    /// The digest of the index that all tags point to.
    pub digest: String,
    /// How many bytes of blobs were sent.
    pub sent_bytes: u64,
    /// The tags, with the digests that they pointed to before.
    journal: Journal,
}

impl Published {
    /// Returns the tags that moved, each with the digest that it pointed to before, if there was one.
    pub fn moved(&self) -> Vec<(String, Option<String>)> {
        self.journal.moved()
    }

    /// Puts the tags back when `proof`, the result of checking the published image, is an error.
    ///
    /// # Errors
    /// Returns the error of `proof`. The tags are then put back; the error names those that could not be.
    pub fn keep_if(&self, proof: anyhow::Result<()>) -> anyhow::Result<()> {
        proof.map_err(|error| self.journal.undo(error))
    }
}

/// Pushes an image to one repository, under all names in `references`, and moves the tags last. The image is not
/// checked; call [`rules::check`](crate::rules::check) before.
///
/// The first push of an image for two platforms takes 22 requests. When the registry has the image and its tags, a push
/// takes one request for each tag.
///
/// # Errors
/// When `references` is empty or names several repositories, the source cannot be read, a version or commit tag would
/// be wrong ([`TagRefused`]), or the registry does not answer or refuses a request. Tags that have moved are then put
/// back; the error names those that could not be.
pub fn push(
    client: &Client,
    source: &dyn ImageSource,
    references: &[Reference],
    options: PushOptions,
    progress: &dyn Progress,
) -> anyhow::Result<Published> {
    begin(client, source, references)?.finish(source, options, progress)
}

/// A push of which nothing has been sent: the documents of the image are read, and where its tags point to is known.
#[derive(Debug)]
pub struct Begun {
    first: Reference,
    journal: Journal,
}

/// Begins a push: reads the documents of the image and asks the registry for each tag.
///
/// # Errors
/// As for [`push`], before anything is sent.
pub fn begin(
    client: &Client,
    source: &dyn ImageSource,
    references: &[Reference],
) -> anyhow::Result<Begun> {
    let first = one_repository(references)?.clone();
    let journal = ImageToPush::read(source)?.journal(client, references)?;
    Ok(Begun { first, journal })
}

impl Begun {
    /// Returns whether all tags point to the image already, so that nothing is to be sent.
    pub fn is_published(&self) -> bool {
        self.journal.is_done()
    }

    /// Sends what the registry lacks and moves the tags. `source` has the image that the push began with; it may have been
    /// checked meanwhile.
    ///
    /// # Errors
    /// As for [`push`], and when `source` has another image.
    pub fn finish(
        self,
        source: &dyn ImageSource,
        options: PushOptions,
        progress: &dyn Progress,
    ) -> anyhow::Result<Published> {
        let Self { first, mut journal } = self;
        let content = ImageToPush::read(source)?;
        let digest = content.root.digest.clone();
        ensure!(
            digest == journal.digest(),
            "the image was replaced by {digest} while it was pushed"
        );
        if options.overwrite == Overwrite::Refused {
            refuse_overwriting(&first, &digest, &journal.overwritten())?;
        }
        let mut sent_bytes = 0;
        if !journal.is_done() || options.trust == Trust::Nothing {
            let is_there = journal.repository().head(&digest)?.is_some();
            if !is_there || options.trust == Trust::Nothing {
                sent_bytes = content.send(journal.repository(), &first, progress)?;
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
}

/// Returns the first of names in one repository.
fn one_repository(references: &[Reference]) -> anyhow::Result<&Reference> {
    let first = references.first().context("no name to push to")?;
    let is_same = |name: &Reference| {
        (&name.registry, &name.repository) == (&first.registry, &first.repository)
    };
    ensure!(
        references.iter().all(is_same),
        "all names of a push must be in one repository: {references:?}"
    );
    Ok(first)
}

/// Fails when a version or commit tag would move (R4). This is checked before anything is sent.
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
        "error {id} {registry}/{repository}:{tag}: it points to {before}, and would point to {digest}{rest}"
    );
    Err(TagRefused::Moves { message })
        .help("push under another tag, or force the push: only a forced push moves a version or commit tag")
}

/// The error of a push that would break rule R4 on version and commit tags; nothing has been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagRefused {
    /// A version or commit tag points to another image, and [`Overwrite::Forced`] was not given.
    Moves {
        /// The message, in the form of a finding.
        message: String,
    },
    /// A version or commit tag differs from the version or commit in the image's annotations.
    Misnamed {
        /// The message, in the form of a finding.
        message: String,
        /// The version in the image's annotations.
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

/// The image to push.
struct ImageToPush<'a> {
    source: &'a dyn ImageSource,
    image: Image,
    root: Descriptor,
}

/// A blob to store, and the repository from which it may be mounted.
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

    /// Reads where the tags point to.
    fn journal(&self, client: &Client, references: &[Reference]) -> anyhow::Result<Journal> {
        self.refuse_misnamed(references)?;
        let first = one_repository(references)?;
        let repository = client.writable(first, &self.sources(first));
        let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
        Journal::open(repository, &self.root.digest, &tags)
    }

    fn manifests(&self) -> impl Iterator<Item = &ImageManifest> {
        let images = self.image.platforms.iter();
        images.filter_map(|image| image.manifest.as_ref().map(|document| &document.value))
    }

    /// Fails when a version or commit tag differs from the image's annotations (R4). This is checked before anything is
    /// sent.
    fn refuse_misnamed(&self, references: &[Reference]) -> anyhow::Result<()> {
        let annotations = self
            .manifests()
            .next()
            .map(|manifest| &manifest.annotations);
        let annotation = |key: &str| annotations.and_then(|annotations| annotations.get(key));
        let (Some(version), Some(revision)) = (annotation(VERSION), annotation(REVISION)) else {
            return Ok(());
        };
        let mut misnamed = references
            .iter()
            .filter_map(|name| Some((name, mismatch(&name.tag, version, revision)?)));
        match misnamed.next() {
            None => Ok(()),
            Some((name, own)) => {
                let id = R4.id;
                Err(TagRefused::Misnamed {
                    message: format!("error {id} {name}: the image is labelled {own}"),
                    version: version.clone(),
                })
                .help(format!("push it under its own tag {version}"))
            }
        }
    }

    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Vec<u8>> {
        let bytes = self.source.document(descriptor)?;
        bytes.with_context(|| format!("the image does not contain {}", descriptor.digest))
    }

    /// Returns the repositories of the same registry that contain the layers of base images.
    fn sources(&self, target: &Reference) -> Vec<String> {
        let mut sources: Vec<_> = self
            .manifests()
            .filter_map(|manifest| base_repository(manifest, target))
            .collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// Returns every blob once, the largest first, so that a push that is too large for the registry fails early.
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

    /// Stores blobs, manifests and indexes; returns how many bytes of blobs were sent.
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
                reader.with_context(|| format!("the image does not contain {}", descriptor.digest))
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
        // Nested indexes first, since registries refuse an index whose children are missing.
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

/// Returns the repository of a manifest's base image, when it is another one in the same registry.
fn base_repository(manifest: &ImageManifest, target: &Reference) -> Option<String> {
    let base = manifest.annotations.get(BASE_NAME)?;
    let base: Reference = base.parse().ok()?;
    let mountable = base.registry == target.registry && base.repository != target.repository;
    mountable.then_some(base.repository)
}
