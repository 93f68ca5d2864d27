//! Publishing a verified image, and checking what the registry then serves.

use anyhow::anyhow;
use indicatif::ProgressBar;
use noetl_help::Help as _;
use noetl_oci::annotation::REVISION;
use noetl_oci::registry::{
    self, Begun, Client, Progress, Published, PushOptions, Pushed, RegistryImage, Stored,
    TagRefused, observe,
};
use noetl_oci::rules::{self, Findings, Subject, served};
use noetl_oci::{Descriptor, Image, KnownLayers, Layout, Reference};

use crate::host::ctx::{Ctx, Verbosity};
use crate::host::{output, sign_ins};
use crate::image::rules::ImageStandard;
use crate::release::verify::{self, Verified};
use crate::release::version::Release;

/// Fails when an image of `release` must not be published under `references`.
///
/// # Errors
/// When the tree differs from its commit and a registry is not on this machine.
pub(crate) fn preflight(release: &Release, references: &[Reference]) -> anyhow::Result<()> {
    match references.iter().find(|name| !name.is_loopback()) {
        Some(Reference { registry, .. }) if release.is_dirty() => Err(anyhow!(
            "the tree differs from its commit, and {registry} is not on this machine"
        ))
        .help("commit first; a registry on this machine takes dirty trees as well"),
        _ => Ok(()),
    }
}

/// Pushes a verified image to the repository that all `references` name, and moves the tags last.
///
/// # Errors
/// When the image is of a dirty tree, or the registry refuses anything; the tags are then where they were, or the error
/// names those that are not.
pub(crate) fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
    options: PushOptions,
) -> anyhow::Result<Published> {
    finish(ctx, image, begin(ctx, image.value(), references)?, options)
}

/// Reads the documents of an image and asks the registry for its tags; nothing is sent.
///
/// # Errors
/// When the image is of a dirty tree, or the registry does not answer.
pub(crate) fn begin(ctx: &Ctx, layout: &Layout, references: &[Reference]) -> anyhow::Result<Begun> {
    if let Some(first) = references.first() {
        refuse_dirty(&Image::read(layout)?, first)?;
    }
    registry::begin(&sign_ins::client(ctx), layout, references).map_err(with_flags)
}

/// Sends what the registry lacks of an image that was verified after the push had begun.
///
/// # Errors
/// As for [`publish`].
pub(crate) fn finish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    begun: Begun,
    options: PushOptions,
) -> anyhow::Result<Published> {
    let bar = Bar {
        bar: output::progress(ctx, 0, "push"),
        is_verbose: ctx.verbosity == Verbosity::Verbose,
    };
    let pushed = begun.finish(image.value(), options, &bar);
    pushed.map_err(with_flags)
}

/// Adds the flags that avoid a refusal of a tag.
fn with_flags(error: anyhow::Error) -> anyhow::Error {
    match flags_for(&error) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Returns the flags that avoid a refusal of a tag.
fn flags_for(error: &anyhow::Error) -> Option<String> {
    Some(match noetl_help::find::<TagRefused>(error)? {
        TagRefused::Moves { .. } => {
            "push under another --tag; --force-retag moves a version or commit tag \
            that is not used yet"
                .to_owned()
        }
        TagRefused::Misnamed { version, .. } => {
            format!("push it under its own tag: --tag {version}")
        }
    })
}

/// Fails when the image is of a tree that differs from its commit and the registry is not on this machine.
fn refuse_dirty(image: &Image, target: &Reference) -> anyhow::Result<()> {
    let mut manifests = image.platforms.iter().filter_map(|it| it.manifest.as_ref());
    let is_dirty = manifests.any(|manifest| {
        let revision = manifest.value.annotations.get(REVISION);
        revision.is_some_and(|revision| revision.ends_with("-dirty"))
    });
    if !is_dirty || target.is_loopback() {
        return Ok(());
    }
    Err(anyhow!(
        "the image is of a tree that differs from its commit, and {} is not on this machine",
        target.registry
    ))
    .help("commit, make the image again, and push that")
}

/// Prints the progress of a push.
struct Bar {
    bar: ProgressBar,
    is_verbose: bool,
}

impl Progress for Bar {
    fn start(&self, total: u64) {
        self.bar.set_length(total);
    }

    fn stored(&self, blob: &Descriptor, how: Stored) {
        if self.is_verbose {
            let Descriptor { digest, size, .. } = blob;
            output::finding(&format!("    {digest} {size} bytes: {how:?}"));
        }
        self.bar.inc(blob.size);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Reads back what was pushed, and fails unless it is the same and breaks no rule on images and registries.
///
/// # Errors
/// When the registry does not answer, or a rule is broken.
pub(crate) fn prove(
    ctx: &Ctx,
    pushed: &Layout,
    references: &[Reference],
    standard: &ImageStandard,
    known: &KnownLayers,
) -> anyhow::Result<()> {
    let Some(reference) = references.first() else {
        return Ok(());
    };
    let client = sign_ins::client(ctx);
    let source = RegistryImage::open(&client, reference)?;
    let image = Image::read(pushed)?;
    let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
    let pushed = Pushed {
        layout: pushed,
        digest: &image.root()?.digest,
        tags: &tags,
    };
    let findings = check(&client, &source, standard, Some(pushed), known)?;
    verify::conclude(&findings, &reference.to_string())
}

/// Checks an image in a registry by every rule on images and registries.
///
/// # Errors
/// When the registry does not answer.
pub(crate) fn check(
    client: &Client,
    source: &RegistryImage,
    standard: &ImageStandard,
    pushed: Option<Pushed<'_>>,
    known: &KnownLayers,
) -> anyhow::Result<Findings> {
    let subject = Subject::read(source, &standard.expected, known)?;
    let mut findings = rules::check_subject(&subject, &standard.expected, &[&standard.own]);
    let facts = observe(client, source.reference(), &subject, pushed)?;
    served::check(&facts, &mut findings);
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn images_of_dirty_trees_are_published_on_this_machine_only() {
        let github = &["ghcr.io/noetl/noetl:1".parse().unwrap()];
        let local = &["127.0.0.1:5000/noetl:1".parse().unwrap()];
        let mut release = fixtures::release();
        let mut image = Image::read(&fixtures::image()).unwrap();
        assert!(preflight(&release, github).is_ok());
        assert!(refuse_dirty(&image, &github[0]).is_ok());
        release.commit.push_str("-dirty");
        let manifest = &mut image.platforms[0].manifest.as_mut().unwrap().value;
        let annotations = &mut manifest.annotations;
        annotations.insert(REVISION.to_owned(), release.commit.clone());
        assert!(preflight(&release, github).is_err());
        assert!(refuse_dirty(&image, &github[0]).is_err());
        assert!(preflight(&release, local).is_ok());
        assert!(refuse_dirty(&image, &local[0]).is_ok());
    }
}
