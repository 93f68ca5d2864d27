//! Evidence attached to images: by the referrers API, or under the fallback tag where a registry has none
//! (distribution-spec, "Referrers Tag Schema").

use anyhow::{Context as _, ensure};

use crate::ctx::Ctx;
use crate::oci::artifact::{Artifact, EMPTY, EMPTY_BYTES};
use crate::oci::model::{
    Annotations, Descriptor, INDEX, ImageIndex, ImageManifest, MANIFEST, encode,
};
use crate::oci::reference::Reference;
use crate::registry::client::{Access, Client};

/// How often the fallback tag is written when somebody else writes it at the same moment.
const ROUNDS: usize = 5;

/// The tag under which a registry without the API keeps what is attached to `subject`.
pub(crate) fn fallback_tag(subject: &str) -> String {
    subject.replacen(':', "-", 1)
}

/// The digest of the image that a tag keeps attachments of, when it is a fallback tag.
pub(crate) fn fallback_subject(tag: &str) -> Option<String> {
    let hex = tag.strip_prefix("sha256-")?;
    hex.parse::<crate::digest::Sha256>().ok()?;
    Some(format!("sha256:{hex}"))
}

/// Pushes artifacts to the repository of `image`, whose images they speak of, and gives their descriptors. What
/// others have attached stays; what is attached already is not attached twice.
///
/// # Errors
/// When the registry refuses anything.
pub(crate) fn attach(
    ctx: &Ctx,
    image: &Reference,
    artifacts: &[Artifact],
) -> anyhow::Result<Vec<Descriptor>> {
    let client = Client::new(ctx, image, &Access::Push(Vec::new()));
    let mut attached = Vec::new();
    for artifact in artifacts {
        let descriptor = attach_one(&client, artifact).with_context(|| {
            format!(
                "cannot attach {} to {}",
                artifact.media_type, artifact.subject.digest
            )
        })?;
        attached.push(descriptor);
    }
    Ok(attached)
}

/// Everything that is attached to the image or index with the digest `subject`, in the registry's order.
///
/// # Errors
/// When the registry does not answer.
pub(super) fn listed(client: &Client, subject: &str) -> anyhow::Result<Vec<Descriptor>> {
    if let Some(referrers) = client.referrers(subject)? {
        return Ok(referrers);
    }
    let index = fallback_index(client, &fallback_tag(subject))?;
    Ok(index.map(|index| index.manifests).unwrap_or_default())
}

fn attach_one(client: &Client, artifact: &Artifact) -> anyhow::Result<Descriptor> {
    let manifest = artifact.manifest();
    let descriptor = Descriptor {
        artifact_type: Some(artifact.media_type.clone()),
        annotations: artifact.annotations.clone(),
        ..Descriptor::of(MANIFEST, &manifest)
    };
    let document = Descriptor::of(&artifact.media_type, &artifact.document);
    client.store(&document, Some(&artifact.document), None)?;
    client.store(&Descriptor::of(EMPTY, EMPTY_BYTES), Some(EMPTY_BYTES), None)?;
    let answer = client.store_document(&descriptor.digest, MANIFEST, &manifest)?;
    let subject = &artifact.subject.digest;
    // The header says that the registry will list it; a lost answer is replaced by asking for the list.
    let kept = match answer {
        Some(answer) => answer.header("oci-subject") == Some(subject),
        None => client
            .referrers(subject)?
            .is_some_and(|all| all.iter().any(|other| other.digest == descriptor.digest)),
    };
    if !kept {
        add_to_fallback(client, subject, &descriptor)?;
    }
    Ok(descriptor)
}

/// Reads, adds, writes and reads again, since two may write at once and the last one wins.
fn add_to_fallback(client: &Client, subject: &str, artifact: &Descriptor) -> anyhow::Result<()> {
    let tag = fallback_tag(subject);
    for _ in 0..ROUNDS {
        let before = fallback_index(client, &tag)?;
        let Some(index) = with(before, artifact) else {
            return Ok(());
        };
        client.store_document(&tag, INDEX, &encode(&index))?;
    }
    let last = fallback_index(client, &tag)?;
    ensure!(
        with(last, artifact).is_none(),
        "somebody else keeps writing {tag}; attach it again later"
    );
    Ok(())
}

/// The index with one artifact more; `None` when it is there already.
fn with(index: Option<ImageIndex>, artifact: &Descriptor) -> Option<ImageIndex> {
    let mut index = index.unwrap_or_else(|| ImageIndex {
        schema_version: 2,
        media_type: Some(INDEX.to_owned()),
        artifact_type: None,
        manifests: Vec::new(),
        subject: None,
        annotations: Annotations::new(),
    });
    let known = |other: &Descriptor| other.digest == artifact.digest;
    if index.manifests.iter().any(known) {
        return None;
    }
    index.manifests.push(artifact.clone());
    Some(index)
}

/// The index under a fallback tag.
///
/// # Errors
/// When something else is there, which must not be overwritten.
fn fallback_index(client: &Client, tag: &str) -> anyhow::Result<Option<ImageIndex>> {
    let Some(document) = client.document(tag)? else {
        return Ok(None);
    };
    let index = serde_json::from_slice(&document.bytes)
        .with_context(|| format!("the tag {tag} is not an index of artifacts"))?;
    Ok(Some(index))
}

/// The manifest of something attached, with its documents; `None` where the registry lacks it.
pub(super) fn fetch(
    client: &Client,
    artifact: &Descriptor,
) -> anyhow::Result<Option<(ImageManifest, Vec<Vec<u8>>)>> {
    let Some(document) = client.document(&artifact.digest)? else {
        return Ok(None);
    };
    let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&document.bytes) else {
        return Ok(None);
    };
    let mut documents = Vec::new();
    for layer in &manifest.layers {
        match client.blob(&layer.digest)? {
            Some(bytes) => documents.push(bytes),
            None => return Ok(None),
        }
    }
    Ok(Some((manifest, documents)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_attached_stays_and_nothing_is_there_twice() {
        let one = Descriptor::of(MANIFEST, b"one");
        let two = Descriptor::of(MANIFEST, b"two");
        let first = with(None, &one).unwrap();
        let both = with(Some(first.clone()), &two).unwrap();
        assert_eq!(both.manifests, [one.clone(), two]);
        assert_eq!(with(Some(both), &one), None);
    }

    #[test]
    fn a_fallback_tag_names_its_subject() {
        let digest = crate::digest::Sha256::of(b"x").oci();
        let tag = fallback_tag(&digest);
        assert_eq!(fallback_subject(&tag), Some(digest));
        for tag in ["latest", "sha256-abc", "1.2.3"] {
            assert_eq!(fallback_subject(tag), None, "{tag}");
        }
    }
}
