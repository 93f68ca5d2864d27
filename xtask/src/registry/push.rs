//! Publishing an image: blobs, then images, then the index, then one tag after the other, each read back.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::Client;
use crate::release::Release;
use crate::sh;
use crate::verify::Verified;

/// An image that a registry serves under all its names.
#[derive(Debug)]
pub(crate) struct Published {
    /// The image index that every name points to.
    pub digest: String,
    /// How many bytes had to be sent.
    pub sent_bytes: u64,
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

/// Pushes a verified image to the registry that all `references` name, and moves the tags last.
///
/// # Errors
/// When the registry refuses anything; tags that were not reached are where they were.
pub(crate) fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
) -> anyhow::Result<Published> {
    let first = references.first().context("no name to push to")?;
    let layout = image.value();
    let client = Client::new(first);
    let root = layout.image_index()?;
    let index: ImageIndex = document(layout, &root)?;
    let mut sent_bytes = 0;
    if client.manifest_digest(&root.digest, INDEX)?.is_none() {
        let mut blobs = BTreeMap::new();
        for child in &index.manifests {
            let manifest: ImageManifest = document(layout, child)?;
            blobs.extend(
                manifest
                    .layers
                    .into_iter()
                    .chain([manifest.config])
                    .map(|blob| (blob.digest.clone(), blob)),
            );
        }
        let mut blobs: Vec<_> = blobs.into_values().collect();
        // The largest first: a push that must fail for room or time does so early.
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        let progress = sh::progress(ctx, blobs.iter().map(|blob| blob.size).sum(), "push");
        for blob in blobs {
            if !client.has_blob(&blob.digest)? {
                client.upload_blob(&blob.digest, bytes(layout, &blob)?)?;
                sent_bytes += blob.size;
            }
            progress.inc(blob.size);
        }
        progress.finish_and_clear();
        for child in &index.manifests {
            client.put_manifest(&child.digest, MANIFEST, bytes(layout, child)?)?;
        }
        client.put_manifest(&root.digest, INDEX, bytes(layout, &root)?)?;
    }
    for reference in references {
        if client.manifest_digest(&reference.tag, INDEX)?.as_ref() != Some(&root.digest) {
            client.put_manifest(&reference.tag, INDEX, bytes(layout, &root)?)?;
        }
        let (read_back, _) = client.manifest(&reference.tag, INDEX)?;
        ensure!(
            read_back == bytes(layout, &root)?,
            "{reference} does not give back what was pushed"
        );
    }
    Ok(Published {
        digest: root.digest,
        sent_bytes,
    })
}

fn document<T: serde::de::DeserializeOwned>(
    layout: &Layout,
    descriptor: &Descriptor,
) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(bytes(layout, descriptor)?)?)
}

fn bytes<'a>(layout: &'a Layout, descriptor: &Descriptor) -> anyhow::Result<&'a [u8]> {
    layout
        .blob(&descriptor.digest)
        .with_context(|| format!("the layout lacks {}", descriptor.digest))
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
}
