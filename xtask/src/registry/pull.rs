//! Fetching an image with all its platforms into a layout, to be judged like one on disk.

use anyhow::Context as _;

use crate::oci::base::serves;
use crate::oci::blobs::BlobCache;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::Client;
use crate::target::Platform;

/// Docker's media types of an index and a manifest, which bases still have.
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Fetches what a name points to. What the registry does not have is left out of the layout, where
/// the rules find that it is missing; everything is stored under the digest it was asked for by.
///
/// # Errors
/// When the registry does not answer, or does not know the name.
pub(crate) fn pull(reference: &Reference) -> anyhow::Result<Layout> {
    let client = Client::new(reference);
    let mut layout = Layout::empty();
    let any = format!("{INDEX}, {MANIFEST}");
    let (root, digest) = client.manifest(reference.tag_or_digest(), &any)?;
    let index = serde_json::from_slice::<ImageIndex>(&root).ok();
    let media_type = if index.is_some() { INDEX } else { MANIFEST };
    let descriptor = Descriptor {
        digest: digest.clone(),
        ..Descriptor::of(media_type, &root)
    };
    let mut manifests = vec![root.clone()];
    put(&mut layout, &digest, root);
    for child in index.into_iter().flat_map(|index| index.manifests) {
        if let Some(bytes) = client.find("manifests", &child.digest, &any)? {
            manifests.push(bytes.clone());
            put(&mut layout, &child.digest, bytes);
        }
    }
    for image_manifest in manifests
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
    {
        for blob in image_manifest.layers.iter().chain([&image_manifest.config]) {
            if layout.blob(&blob.digest).is_none()
                && let Some(bytes) = client.find("blobs", &blob.digest, "*/*")?
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
    reference: &Reference,
    platforms: &[Platform],
    cache: &BlobCache,
) -> anyhow::Result<Layout> {
    let client = Client::new(reference);
    let any = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST].join(", ");
    let fetch = |kind: &str, digest: &str, accept: &str| {
        if let Some(bytes) = cache.get(digest) {
            return Ok(bytes);
        }
        let found = client.find(kind, digest, accept)?;
        let bytes = found.with_context(|| format!("{reference} lacks {digest}"))?;
        cache.put(digest, &bytes)?;
        anyhow::Ok(bytes)
    };
    let (root, digest) = match &reference.digest {
        Some(digest) => (fetch("manifests", digest, &any)?, digest.clone()),
        None => client.manifest(&reference.tag, &any)?,
    };
    cache.put(&digest, &root)?;
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
        let bytes = fetch("manifests", &child.digest, &any)?;
        manifests.push(bytes.clone());
        layout.add_blob(bytes);
    }
    for image_manifest in manifests
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<ImageManifest>(bytes).ok())
    {
        for blob in image_manifest.layers.iter().chain([&image_manifest.config]) {
            layout.add_blob(fetch("blobs", &blob.digest, "*/*")?);
        }
    }
    Ok(layout)
}

fn put(layout: &mut Layout, digest: &str, bytes: Vec<u8>) {
    layout
        .files
        .insert(format!("blobs/{}", digest.replace(':', "/")), bytes);
}
