//! Looking at an image without its layers: what a name points to, its platforms and their configs.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::ctx::Ctx;
use crate::digest::Sha256;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, INDEX, MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client};

/// Fetches index, image manifests and configs into a layout; what the registry lacks is left out.
///
/// # Errors
/// When the registry does not answer or does not know the name, or gives bytes of another digest.
pub(crate) fn peek(ctx: &Ctx, reference: &Reference) -> anyhow::Result<Layout> {
    let client = Client::new(ctx, reference, &Access::Pull);
    let root = client.document(reference.tag_or_digest())?;
    let root = root.with_context(|| format!("there is no {reference}"))?;
    let found = root.digest();
    let said = reference.digest.as_ref().or(root.given.as_ref());
    ensure!(
        said.is_none_or(|said| *said == found),
        "{reference}: the registry says {}, and its bytes are {found}",
        said.map_or("nothing", String::as_str)
    );
    let document: Value = serde_json::from_slice(&root.bytes)?;
    let is_index = document["manifests"].is_array();
    let media_type = document["mediaType"].as_str();
    let media_type = media_type.unwrap_or(if is_index { INDEX } else { MANIFEST });
    let descriptor = Descriptor::of(media_type, &root.bytes);
    let mut layout = Layout::empty();
    layout.add_blob(root.bytes);
    let mut image_manifests = vec![document.clone()];
    for child in document["manifests"].as_array().into_iter().flatten() {
        let digest = child["digest"].as_str().unwrap_or_default();
        if let Some(child) = client.document(digest)? {
            ensure!(
                Sha256::of(&child.bytes).oci() == digest,
                "{reference}: the bytes of {digest} are others"
            );
            image_manifests.extend(serde_json::from_slice::<Value>(&child.bytes));
            layout.add_blob(child.bytes);
        }
    }
    for image_manifest in image_manifests {
        if let Some(digest) = image_manifest["config"]["digest"].as_str()
            && let Some(bytes) = client.blob(digest)?
        {
            layout.add_blob(bytes);
        }
    }
    layout.name(&descriptor, std::slice::from_ref(reference));
    Ok(layout)
}
