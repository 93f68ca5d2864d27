//! Looking at an image without its layers: what a name points to, its platforms and their configs.

use anyhow::ensure;
use serde_json::Value;

use crate::digest::Sha256;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, MANIFEST};
use crate::oci::opened::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::Client;

/// Fetches index, image manifests and configs into a layout; what the registry lacks is left out.
///
/// # Errors
/// When the registry does not answer or does not know the name, or gives bytes of another digest.
pub(crate) fn peek(reference: &Reference) -> anyhow::Result<Layout> {
    let client = Client::new(reference);
    let accept = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ");
    let (root, digest) = client.manifest(reference.tag_or_digest(), &accept)?;
    let found = Sha256::of(&root).oci();
    ensure!(
        found == digest,
        "{reference}: the registry says {digest}, and its bytes are {found}"
    );
    let document: Value = serde_json::from_slice(&root)?;
    let is_index = document["manifests"].is_array();
    let media_type = document["mediaType"].as_str();
    let media_type = media_type.unwrap_or(if is_index { INDEX } else { MANIFEST });
    let descriptor = Descriptor::of(media_type, &root);
    let mut layout = Layout::empty();
    layout.add_blob(root);
    let mut image_manifests = vec![document.clone()];
    for child in document["manifests"].as_array().into_iter().flatten() {
        let digest = child["digest"].as_str().unwrap_or_default();
        if let Some(bytes) = client.find("manifests", digest, &accept)? {
            ensure!(
                Sha256::of(&bytes).oci() == digest,
                "{reference}: the bytes of {digest} are others"
            );
            image_manifests.extend(serde_json::from_slice::<Value>(&bytes));
            layout.add_blob(bytes);
        }
    }
    for image_manifest in image_manifests {
        if let Some(digest) = image_manifest["config"]["digest"].as_str()
            && let Some(bytes) = client.find("blobs", digest, "*/*")?
        {
            layout.add_blob(bytes);
        }
    }
    layout.name(&descriptor, std::slice::from_ref(reference));
    Ok(layout)
}
