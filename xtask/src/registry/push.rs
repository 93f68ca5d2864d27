//! Publishing an image: blobs, then images, then the index, then one tag after the other, each read back.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::registry::client::{self, Client};
use crate::registry::reference::Reference;
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

/// Pushes a verified image to the registry that all `references` name, and moves the tags last.
///
/// # Errors
/// When the registry refuses anything; tags that were not reached are where they were.
pub(crate) fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
    dirty: bool,
) -> anyhow::Result<Published> {
    let first = references.first().context("no name to push to")?;
    client::ensure_allowed(first, dirty)
        .help("commit first; a registry on this machine takes dirty trees as well")?;
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
        let read_back = client.get("manifests", &reference.tag, INDEX)?;
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

/// Fetches an image with all its platforms into a layout.
pub(crate) fn pull(reference: &Reference) -> anyhow::Result<Layout> {
    let client = Client::new(reference);
    let mut layout = Layout::empty();
    let any = format!("{INDEX}, {MANIFEST}");
    let root = client.get("manifests", reference.version(), &any)?;
    let media_type = if serde_json::from_slice::<ImageIndex>(&root).is_ok() {
        INDEX
    } else {
        MANIFEST
    };
    let descriptor = Descriptor::of(media_type, &root);
    let children = match serde_json::from_slice::<ImageIndex>(&root) {
        Ok(index) => index.manifests,
        Err(_) => Vec::new(),
    };
    let mut manifests = vec![root.clone()];
    for child in &children {
        let manifest = client.get("manifests", &child.digest, &any)?;
        layout.files.insert(
            format!("blobs/{}", child.digest.replace(':', "/")),
            manifest.clone(),
        );
        manifests.push(manifest);
    }
    for manifest in manifests
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
    {
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            if layout.blob(&blob.digest).is_none() {
                let bytes = client.get("blobs", &blob.digest, "*/*")?;
                layout
                    .files
                    .insert(format!("blobs/{}", blob.digest.replace(':', "/")), bytes);
            }
        }
    }
    layout.add_blob(root);
    layout.name(&descriptor, std::slice::from_ref(reference));
    Ok(layout)
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
