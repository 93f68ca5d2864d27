//! Fetching an image with all its platforms into a layout, to be judged like one on disk.

use anyhow::Context as _;

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::base::serves;
use crate::oci::blobs::BlobCache;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client};
use crate::target::Platform;

/// Fetches what a name points to. What the registry does not have is left out of the layout, where
/// the rules find that it is missing; everything is stored under the digest it was asked for by.
///
/// # Errors
/// When the registry does not answer, or does not know the name.
pub(crate) fn pull(ctx: &Ctx, reference: &Reference) -> anyhow::Result<Layout> {
    let client = Client::new(ctx, reference, &Access::Pull);
    let mut layout = Layout::empty();
    let asked = reference.tag_or_digest();
    let root = client.document(asked)?;
    let root = root
        .with_context(|| format!("there is no {reference}"))
        .help(format!(
            "`cargo xtask image audit {}/{}` lists what is there",
            reference.registry, reference.repository
        ))?;
    // What a digest names is stored as that, so that the rules see when it is something else.
    let digest = match &reference.digest {
        Some(digest) => digest.clone(),
        None => root.given.clone().unwrap_or_else(|| root.digest()),
    };
    let descriptor = Descriptor {
        digest: digest.clone(),
        ..Descriptor::of(&root.media_type, &root.bytes)
    };
    let index = serde_json::from_slice::<ImageIndex>(&root.bytes).ok();
    let mut manifests = vec![root.bytes.clone()];
    put(&mut layout, &digest, root.bytes);
    for child in index.into_iter().flat_map(|index| index.manifests) {
        if let Some(document) = client.document(&child.digest)? {
            manifests.push(document.bytes.clone());
            put(&mut layout, &child.digest, document.bytes);
        }
    }
    for image_manifest in manifests
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
    {
        for blob in image_manifest.layers.iter().chain([&image_manifest.config]) {
            if layout.blob(&blob.digest).is_none()
                && let Some(bytes) = client.blob(&blob.digest)?
            {
                put(&mut layout, &blob.digest, bytes);
            }
        }
    }
    layout.name(&descriptor, std::slice::from_ref(reference));
    Ok(layout)
}

/// Fetches the images for `platforms` of a base, in OCI's format or in Docker's. Every blob is proved
/// by its digest and kept in `cache`; a name with a digest that is all there takes no request.
///
/// # Errors
/// When the registry does not answer, lacks a blob, or sends other bytes than the digest says.
pub(crate) fn pull_base(
    ctx: &Ctx,
    reference: &Reference,
    platforms: &[Platform],
    cache: &BlobCache,
) -> anyhow::Result<Layout> {
    let client = Client::new(ctx, reference, &Access::Pull);
    let kept = |digest: &str, fetch: &dyn Fn() -> anyhow::Result<Option<Vec<u8>>>| {
        if let Some(bytes) = cache.get(digest) {
            return Ok(bytes);
        }
        let bytes = fetch()?.with_context(|| format!("{reference} lacks {digest}"))?;
        cache.put(digest, &bytes)?;
        anyhow::Ok(bytes)
    };
    let document = |digest: &str| {
        let fetch = || Ok(client.document(digest)?.map(|document| document.bytes));
        kept(digest, &fetch)
    };
    let root = match &reference.digest {
        Some(digest) => document(digest)?,
        None => {
            let root = client.document(&reference.tag)?;
            let root = root.with_context(|| format!("there is no {reference}"))?;
            let digest = root.given.clone().unwrap_or_else(|| root.digest());
            cache.put(&digest, &root.bytes)?;
            root.bytes
        }
    };
    let index = serde_json::from_slice::<ImageIndex>(&root).ok();
    let media_type = if index.is_some() { INDEX } else { MANIFEST };
    let mut layout = Layout::empty();
    let mut manifests = vec![root.clone()];
    layout.name(
        &Descriptor::of(media_type, &root),
        std::slice::from_ref(reference),
    );
    layout.add_blob(root);
    let wanted = |child: &Descriptor| {
        let platform = child.platform.as_ref();
        platform.is_some_and(|has| platforms.iter().any(|wanted| serves(has, *wanted)))
    };
    let children = index.into_iter().flat_map(|index| index.manifests);
    for child in children.filter(wanted) {
        let bytes = document(&child.digest)?;
        manifests.push(bytes.clone());
        layout.add_blob(bytes);
    }
    for image_manifest in manifests
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
    {
        for blob in image_manifest.layers.iter().chain([&image_manifest.config]) {
            layout.add_blob(kept(&blob.digest, &|| client.blob(&blob.digest))?);
        }
    }
    Ok(layout)
}

fn put(layout: &mut Layout, digest: &str, bytes: Vec<u8>) {
    layout
        .files
        .insert(format!("blobs/{}", digest.replace(':', "/")), bytes);
}
