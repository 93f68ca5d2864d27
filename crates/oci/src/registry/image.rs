//! An image of a registry as a source: documents and blobs are fetched when they are asked for.

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

/// The longest index or manifest that is read, in bytes: registries take 4 MiB.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// An image of a registry.
#[derive(Debug)]
pub struct RegistryImage {
    reference: Reference,
    repository: Arc<Repository>,
    /// What the name points to.
    root: Descriptor,
    root_bytes: Vec<u8>,
    cache: Option<BlobCache>,
}

impl RegistryImage {
    /// Asks what a name points to, and reads everything from the registry.
    ///
    /// # Errors
    /// When the registry does not answer, or does not know the name.
    pub fn open(client: &Client, reference: &Reference) -> anyhow::Result<Self> {
        let repository = client.repository(reference);
        let found = repository.document(reference.tag_or_digest())?;
        let found = found
            .with_context(|| format!("there is no {reference}"))
            .help(format!(
                "`crane ls {}/{}` lists the tags that are there",
                reference.registry, reference.repository
            ))?;
        // A name with a digest means that digest, so that rules see when the bytes are others.
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

    /// The same, with what is fetched kept in `cache`. Everything is checked against its digest, and a name with
    /// a digest whose image is all there takes no request.
    ///
    /// # Errors
    /// When the registry does not answer, does not know the name, or sends other bytes than the digest says.
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

    /// Returns the name that was asked for.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Returns what the name points to.
    pub fn root(&self) -> &Descriptor {
        &self.root
    }

    /// Returns the repository that it is in.
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }
}

/// Returns the media type that a document says it has; an index or a manifest where it says none.
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
                "{} is read from its registry, and kept nowhere",
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
    fn a_document_is_what_it_says_or_looks_like() {
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
