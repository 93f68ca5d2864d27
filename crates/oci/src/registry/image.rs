//! An image in a registry as a source; documents and blobs are fetched when they are needed.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use noetl_help::Help as _;
use serde::Deserialize;

use crate::blob::{Blob, BlobReader};
use crate::cache::BlobCache;
use crate::layout::named;
use crate::media_type::{INDEX, MANIFEST};
use crate::model::{Descriptor, encode};
use crate::reference::Reference;
use crate::registry::client::{Client, Repository};
use crate::source::ImageSource;

/// The longest index or manifest that is read from the cache, in bytes; registries accept up to 4 MiB.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// An image in a registry.
#[derive(Debug)]
pub struct RegistryImage {
    reference: Reference,
    repository: Arc<Repository>,
    /// The descriptor of the index or manifest that the name points to.
    root: Descriptor,
    root_bytes: Vec<u8>,
    cache: Option<BlobCache>,
}

impl RegistryImage {
    /// Finds the index or manifest that a name points to. Documents and blobs are read from the registry, and not kept.
    ///
    /// # Errors
    /// When the registry does not answer or refuses, or there is no such image.
    pub fn open(client: &Client, reference: &Reference) -> anyhow::Result<Self> {
        let repository = client.repository(reference);
        let found = repository.document(reference.tag_or_digest())?;
        let found = found
            .with_context(|| format!("there is no {reference}"))
            .help(format!(
                "list the tags with `crane ls {}/{}`",
                reference.registry, reference.repository
            ))?;
        // A name with a digest keeps that digest, so that rules find bytes with another one.
        let digest = match &reference.digest {
            Some(digest) => digest.clone(),
            None => found.given.clone().unwrap_or_else(|| found.digest()),
        };
        let root = Descriptor {
            digest,
            ..Descriptor::of(&found.media_type, &found.bytes)
        };
        Ok(Self {
            reference: reference.clone(),
            repository: Arc::new(repository),
            root,
            root_bytes: found.bytes,
            cache: None,
        })
    }

    /// Finds the index or manifest that a name points to, as [`open`](Self::open) does, and keeps all that is fetched
    /// in `cache`. Everything is checked against its digest. A name with a digest whose image is in the cache takes no
    /// request.
    ///
    /// # Errors
    /// When the registry does not answer or refuses, there is no such image, bytes have another digest, or the cache
    /// cannot be written.
    pub fn open_cached(
        client: &Client,
        reference: &Reference,
        cache: &BlobCache,
    ) -> anyhow::Result<Self> {
        let kept = reference
            .digest
            .as_ref()
            .and_then(|digest| cache.get(digest));
        if let (Some(digest), Some(blob)) = (&reference.digest, kept) {
            let bytes = blob.read()?;
            return Ok(Self {
                reference: reference.clone(),
                repository: Arc::new(client.repository(reference)),
                root: Descriptor {
                    digest: digest.clone(),
                    ..Descriptor::of(&media_type(&bytes), &bytes)
                },
                root_bytes: bytes,
                cache: Some(cache.clone()),
            });
        }
        let image = Self::open(client, reference)?;
        cache.put(&image.root.digest, image.root_bytes.as_slice())?;
        Ok(Self {
            cache: Some(cache.clone()),
            ..image
        })
    }

    /// Returns the name of the image.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Returns the descriptor of the index or manifest that the name points to.
    pub fn root(&self) -> &Descriptor {
        &self.root
    }

    /// Returns the repository that it is in.
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }
}

/// Returns the media type in a document; when there is none, that of an index or a manifest by its fields.
fn media_type(bytes: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Head {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let head: Head = serde_json::from_slice(bytes).unwrap_or_default();
    let usual = if head.manifests.is_some() {
        INDEX
    } else {
        MANIFEST
    };
    head.media_type.unwrap_or_else(|| usual.to_owned())
}

impl ImageSource for RegistryImage {
    fn index_json(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let names = std::slice::from_ref(&self.reference);
        Ok(Some(encode(&named(&self.root, names))))
    }

    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Vec<u8>>> {
        let digest = &descriptor.digest;
        if *digest == self.root.digest {
            return Ok(Some(self.root_bytes.clone()));
        }
        let kept = self.cache.as_ref().and_then(|cache| cache.get(digest));
        if let Some(blob) = kept.filter(|blob| blob.length() <= LONGEST_DOCUMENT) {
            return blob.read().map(Some);
        }
        let Some(document) = self.repository.document(digest)? else {
            return Ok(None);
        };
        if let Some(cache) = &self.cache {
            cache.put(digest, document.bytes.as_slice())?;
        }
        Ok(Some(document.bytes))
    }

    fn open(&self, descriptor: &Descriptor) -> anyhow::Result<Option<BlobReader>> {
        if self.cache.is_some() {
            return self.blob(descriptor)?.map(|blob| blob.open()).transpose();
        }
        self.repository.blob(&descriptor.digest)
    }

    fn blob(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Blob>> {
        let digest = &descriptor.digest;
        let Some(cache) = &self.cache else {
            bail!(
                "{} was opened without a cache for its blobs",
                self.reference
            );
        };
        if let Some(blob) = cache.get(digest) {
            return Ok(Some(blob));
        }
        let reader = self.repository.blob(digest)?;
        let blob = reader.map(|reader| cache.put(digest, reader));
        blob.transpose()
            .with_context(|| format!("cannot fetch {digest} of {}", self.reference))
    }
}

#[cfg(test)]
mod tests {
    use super::media_type;
    use crate::media_type::{DOCKER_INDEX, INDEX, MANIFEST};

    #[test]
    fn a_media_type_is_read_or_derived_from_the_fields() {
        for (json, expected) in [
            (r#"{"manifests": []}"#, INDEX),
            (r#"{"layers": []}"#, MANIFEST),
            ("rubbish", MANIFEST),
        ] {
            assert_eq!(media_type(json.as_bytes()), expected);
        }
        let docker = format!(r#"{{"mediaType": "{DOCKER_INDEX}", "manifests": []}}"#);
        assert_eq!(media_type(docker.as_bytes()), DOCKER_INDEX);
    }
}
