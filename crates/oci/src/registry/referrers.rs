//! Attaches artifacts to images and lists them, with the referrers API, or with the fallback tag when a registry does
//! not have the API (distribution-spec, "Referrers Tag Schema").

use std::io::Read as _;
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use crate::artifact::{Artifact, fallback_tag};
use crate::blob::Blob;
use crate::media_type::{EMPTY, EMPTY_BYTES, INDEX, MANIFEST};
use crate::model::{Annotations, Descriptor, ImageIndex, ImageManifest, encode};
use crate::reference::Reference;
use crate::registry::client::{Client, Repository};

/// The longest attached document that is read, in bytes.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// How often the fallback tag is written when other clients write it at the same time.
const ATTEMPTS: usize = 5;

/// Attaches artifacts to images in the repository of `image`, and returns the descriptors of their manifests. Other
/// attachments stay, and an artifact that is attached already is not attached twice.
///
/// # Errors
/// When the registry does not answer or refuses a request, or the fallback tag is not an index.
pub fn attach(
    client: &Client,
    image: &Reference,
    artifacts: &[Artifact],
) -> anyhow::Result<Vec<Descriptor>> {
    let repository = client.writable(image, &[]);
    let mut attached = Vec::new();
    for artifact in artifacts {
        let descriptor = attach_one(&repository, artifact).with_context(|| {
            format!(
                "cannot attach {} to {}",
                artifact.media_type, artifact.subject.digest
            )
        })?;
        attached.push(descriptor);
    }
    Ok(attached)
}

/// Returns the descriptors of the artifacts attached to the image or index with the digest `subject`, in the order of
/// the registry.
///
/// # Errors
/// When the registry does not answer or refuses, or the fallback tag is not an index.
pub fn referrers(repository: &Repository, subject: &str) -> anyhow::Result<Vec<Descriptor>> {
    referrers_in(repository, subject, |_| true)
}

/// The same; in a registry without the referrers API, it asks for the tag of the list of artifacts only if `has_tag`.
pub(super) fn referrers_in(
    repository: &Repository,
    subject: &str,
    has_tag: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Descriptor>> {
    if let Some(referrers) = repository.referrers(subject)? {
        return Ok(referrers);
    }
    let tag = fallback_tag(subject);
    let index = if has_tag(&tag) {
        fallback_index(repository, &tag)?
    } else {
        None
    };
    Ok(index.map(|index| index.manifests).unwrap_or_default())
}

fn attach_one(repository: &Repository, artifact: &Artifact) -> anyhow::Result<Descriptor> {
    let manifest = artifact.manifest();
    let descriptor = Descriptor {
        artifact_type: Some(artifact.media_type.clone()),
        annotations: artifact.annotations.clone(),
        ..Descriptor::of(MANIFEST, &manifest)
    };
    let document = Descriptor::of(&artifact.media_type, &artifact.document);
    let empty = Descriptor::of(EMPTY, EMPTY_BYTES);
    for (blob, bytes) in [
        (&document, artifact.document.as_slice()),
        (&empty, EMPTY_BYTES),
    ] {
        let content = Blob::from(bytes);
        repository.store(blob, Some(&|| content.open()), None)?;
    }
    let answer = repository.store_document(&descriptor.digest, MANIFEST, &manifest)?;
    let subject = &artifact.subject.digest;
    // With this header, the registry lists the artifact itself. When the answer was lost, the list shows that.
    let is_listed = match answer {
        Some(answer) => answer.header("oci-subject") == Some(subject),
        None => repository
            .referrers(subject)?
            .is_some_and(|all| all.iter().any(|other| other.digest == descriptor.digest)),
    };
    if !is_listed {
        add_to_fallback(repository, subject, &descriptor)?;
    }
    Ok(descriptor)
}

/// Adds an artifact to the index of the fallback tag. The index is read again after it was written, since another
/// client may have overwritten it.
fn add_to_fallback(
    repository: &Repository,
    subject: &str,
    artifact: &Descriptor,
) -> anyhow::Result<()> {
    let tag = fallback_tag(subject);
    for _ in 0..ATTEMPTS {
        let before = fallback_index(repository, &tag)?;
        let Some(index) = with_artifact(before, artifact) else {
            return Ok(());
        };
        repository.store_document(&tag, INDEX, &encode(&index))?;
    }
    let last = fallback_index(repository, &tag)?;
    ensure!(
        with_artifact(last, artifact).is_none(),
        "another client keeps writing {tag}; attach it again later"
    );
    Ok(())
}

/// Returns the index with the artifact added; `None` when it is listed already.
fn with_artifact(index: Option<ImageIndex>, artifact: &Descriptor) -> Option<ImageIndex> {
    let mut index = index.unwrap_or_else(|| ImageIndex::new(Vec::new(), Annotations::new()));
    let known = |other: &Descriptor| other.digest == artifact.digest;
    if index.manifests.iter().any(known) {
        return None;
    }
    index.manifests.push(artifact.clone());
    Some(index)
}

/// Returns the index of a fallback tag; `None` when there is no such tag.
///
/// # Errors
/// When the tag points to something else, which must not be overwritten.
fn fallback_index(repository: &Repository, tag: &str) -> anyhow::Result<Option<ImageIndex>> {
    let Some(document) = repository.document(tag)? else {
        return Ok(None);
    };
    let index = serde_json::from_slice(&document.bytes)
        .with_context(|| format!("the tag {tag} is not an index of artifacts"))?;
    Ok(Some(index))
}

/// Fetches the manifest of an artifact and the documents in its layers; `None` when any of them is missing, or the
/// manifest cannot be parsed.
///
/// # Errors
/// When the registry does not answer or refuses.
pub fn fetch_artifact(
    repository: &Arc<Repository>,
    artifact: &Descriptor,
) -> anyhow::Result<Option<(ImageManifest, Vec<Vec<u8>>)>> {
    let Some(document) = repository.document(&artifact.digest)? else {
        return Ok(None);
    };
    let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&document.bytes) else {
        return Ok(None);
    };
    let mut documents = Vec::new();
    for layer in &manifest.layers {
        let Some(reader) = repository.blob(&layer.digest)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        reader
            .take(LONGEST_DOCUMENT)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {}", layer.digest))?;
        documents.push(bytes);
    }
    Ok(Some((manifest, documents)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_artifacts_stay_and_none_is_listed_twice() {
        let one = Descriptor::of(MANIFEST, b"one");
        let two = Descriptor::of(MANIFEST, b"two");
        let first = with_artifact(None, &one).unwrap();
        let both = with_artifact(Some(first.clone()), &two).unwrap();
        assert_eq!(both.manifests, [one.clone(), two]);
        assert_eq!(with_artifact(Some(both), &one), None);
    }
}
