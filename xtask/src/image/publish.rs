//! Publishing an image: only what was verified, and what is served afterwards is checked as well.

use anyhow::anyhow;
use indicatif::ProgressBar;
use noetl_help::Help as _;
use noetl_oci::annotation::REVISION;
use noetl_oci::registry::{
    Client, Progress, Published, PushOptions, Pushed, RegistryImage, Stored, observe, push,
};
use noetl_oci::rules::{self, Findings, Subject, served};
use noetl_oci::{Descriptor, Image, KnownLayers, Layout, Reference};

use crate::host::ctx::{Ctx, Verbosity};
use crate::host::{output, sign_ins};
use crate::image::rules::ImageStandard;
use crate::release::verify::{self, Verified};
use crate::release::version::Release;

/// Refuses what must not be published, before anything is built for it.
///
/// # Errors
/// When the tree differs from its commit and the registry is not on this machine.
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
/// # Errors
/// When the image is of a dirty tree, or the registry refuses anything; the tags are then where they were, or the error
/// says which are not.
pub(crate) fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
    options: PushOptions,
) -> anyhow::Result<Published> {
    if let Some(first) = references.first() {
        refuse_dirty(&Image::read(image.value())?, first)?;
    }
    let bar = Bar {
        bar: output::progress(ctx, 0, "push"),
        is_verbose: ctx.verbosity == Verbosity::Verbose,
    };
    push(
        &sign_ins::client(ctx),
        image.value(),
        references,
        options,
        &bar,
    )
}

/// An image of a tree that differs from its commit, of which the revision tells, stays on this machine.
fn refuse_dirty(image: &Image, target: &Reference) -> anyhow::Result<()> {
    let manifests = image
        .platforms
        .iter()
        .filter_map(|image| image.manifest.as_ref());
    let mut revisions = manifests.filter_map(|it| it.value.annotations.get(REVISION));
    let is_dirty = revisions.any(|revision| revision.ends_with("-dirty"));
    if !is_dirty || target.is_loopback() {
        return Ok(());
    }
    let registry = &target.registry;
    Err(anyhow!(
        "the image is of a tree that differs from its commit, and {registry} is not on this machine"
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

/// Reads back what was pushed, and fails unless it is that, by every rule on images and registries.
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

/// Checks an image of a registry by every rule on images and registries.
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
    let mut findings = rules::judge(&subject, &standard.expected, &[&standard.own]);
    let facts = observe(client, source.reference(), &subject, pushed)?;
    served::check(&facts, &mut findings);
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn name(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn a_dirty_tree_is_published_on_this_machine_only() {
        let clean = fixtures::release();
        let dirty = Release {
            commit: format!("{}-dirty", clean.commit),
            ..clean.clone()
        };
        let github = [name("ghcr.io/noetl/noetl:1")];
        assert!(preflight(&clean, &github).is_ok());
        assert!(preflight(&dirty, &[name("127.0.0.1:5000/noetl:1")]).is_ok());
        assert!(preflight(&dirty, &github).is_err());
    }

    #[test]
    fn an_image_of_a_dirty_tree_stays_on_this_machine() {
        let mut image = Image::read(&fixtures::image()).unwrap();
        let (github, local) = (
            name("ghcr.io/noetl/noetl:1"),
            name("127.0.0.1:5000/noetl:1"),
        );
        assert!(refuse_dirty(&image, &github).is_ok());
        let manifest = image.platforms[0].manifest.as_mut().unwrap();
        let annotations = &mut manifest.value.annotations;
        annotations.insert(REVISION.to_owned(), "0123-dirty".to_owned());
        assert!(refuse_dirty(&image, &github).is_err());
        assert!(refuse_dirty(&image, &local).is_ok());
    }
}
