//! Fetching an image with all its platforms into a layout, to be judged like one on disk.

use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::Client;

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

fn put(layout: &mut Layout, digest: &str, bytes: Vec<u8>) {
    layout
        .files
        .insert(format!("blobs/{}", digest.replace(':', "/")), bytes);
}
