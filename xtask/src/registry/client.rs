//! The requests of the distribution API that reading a repository takes (distribution-spec); [`super::upload`] writes.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use ureq::http::Method;

use crate::ctx::Ctx;
use crate::digest::Sha256;
use crate::oci::model::{Descriptor, INDEX, ImageIndex, MANIFEST};
use crate::oci::opened::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::oci::reference::Reference;
use crate::registry::location;
use crate::registry::session::Session;
use crate::registry::transport::{Answer, Request};

/// How much of a listing is asked for at once; GHCR gives no more.
const PAGE: usize = 100;

/// One repository of a registry.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    repository: String,
}

/// What is done with a repository, which decides what tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// Reading.
    Pull,
    /// Writing, and mounting from these repositories of the same registry.
    Push(Vec<String>),
}

/// What a registry says of a manifest without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) digest: String,
    /// Its `Content-Length`, in bytes.
    pub(super) size: Option<u64>,
}

/// A manifest or an index as a registry gives it.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: String,
    /// `Docker-Content-Digest`, when it is there.
    pub(super) given: Option<String>,
}

impl Document {
    /// The digest of the bytes themselves.
    pub(super) fn digest(&self) -> String {
        Sha256::of(&self.bytes).oci()
    }
}

impl Client {
    /// A repository as `ctx`'s sign-ins see it.
    pub(super) fn new(ctx: &Ctx, reference: &Reference, access: &Access) -> Self {
        Self::with(Some(ctx), reference, access)
    }

    /// A repository as everybody sees it.
    pub(super) fn stranger(reference: &Reference) -> Self {
        Self::with(None, reference, &Access::Pull)
    }

    fn with(ctx: Option<&Ctx>, reference: &Reference, access: &Access) -> Self {
        let repository = match (reference.registry.as_str(), &reference.repository) {
            ("docker.io", name) if !name.contains('/') => format!("library/{name}"),
            (_, name) => name.clone(),
        };
        let scope = |name: &str, actions: &str| format!("repository:{name}:{actions}");
        let scopes = match access {
            Access::Pull => vec![scope(&repository, "pull")],
            Access::Push(sources) => std::iter::once(scope(&repository, "pull,push"))
                .chain(sources.iter().map(|source| scope(source, "pull")))
                .collect(),
        };
        Self {
            session: Session::new(ctx, &reference.registry, &repository, scopes),
            repository,
        }
    }

    /// What a tag or digest points to; `None` when there is no such thing.
    pub(super) fn head(&self, tag_or_digest: &str) -> anyhow::Result<Option<Head>> {
        let request = Request::new(Method::HEAD, self.url("manifests", tag_or_digest))
            .header("accept", every_type());
        let answer = self.session.send(&request)?;
        match answer.status {
            200 => match answer.header("docker-content-digest") {
                Some(digest) => Ok(Some(Head {
                    digest: digest.to_owned(),
                    size: length(&answer),
                })),
                // Some registries leave it out, and then the bytes have to say.
                None => Ok(self.document(tag_or_digest)?.map(|document| Head {
                    digest: document.digest(),
                    size: Some(document.bytes.len() as u64),
                })),
            },
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "look for an image")),
        }
    }

    /// A manifest or an index in full; `None` when there is none.
    pub(super) fn document(&self, tag_or_digest: &str) -> anyhow::Result<Option<Document>> {
        let (answer, document) = self.document_as(tag_or_digest, Some(&every_type()))?;
        match answer.status {
            200 => Ok(Some(document)),
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "fetch an image")),
        }
    }

    /// The answer to a client that takes only `accept`, or says nothing of what it takes.
    pub(super) fn document_as(
        &self,
        tag_or_digest: &str,
        accept: Option<&str>,
    ) -> anyhow::Result<(Answer, Document)> {
        let mut request = Request::new(Method::GET, self.url("manifests", tag_or_digest));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let mut answer = self.session.send(&request)?;
        let given = |name| answer.header(name).map(ToOwned::to_owned);
        let document = Document {
            media_type: given("content-type").unwrap_or_default(),
            given: given("docker-content-digest"),
            bytes: Vec::new(),
        };
        let bytes = match answer.status {
            200 => std::mem::take(&mut answer.body),
            _ => Vec::new(),
        };
        Ok((answer, Document { bytes, ..document }))
    }

    /// How long a blob is, which some registries do not say; `None` when there is none.
    pub(super) fn blob_size(&self, digest: &str) -> anyhow::Result<Option<Option<u64>>> {
        let request = Request::new(Method::HEAD, self.url("blobs", digest));
        let answer = self.session.send(&request)?;
        match answer.status {
            200 => Ok(Some(length(&answer))),
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "look for a blob")),
        }
    }

    /// A blob in full; `None` when there is none.
    pub(super) fn blob(&self, digest: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let request = Request::new(Method::GET, self.url("blobs", digest));
        let answer = self.session.send(&request)?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "fetch a blob")),
        }
    }

    /// All tags; `None` when there is no such repository.
    pub(super) fn tags(&self) -> anyhow::Result<Option<Vec<String>>> {
        #[derive(Deserialize)]
        struct Listing {
            tags: Option<Vec<String>>,
        }
        let url = format!("{}?n={PAGE}", self.url("tags", "list"));
        let Some(pages) = self.pages(url, "list the tags")? else {
            return Ok(None);
        };
        let mut tags = Vec::new();
        for page in pages {
            let listing: Listing =
                serde_json::from_slice(&page).context("the list of tags is damaged")?;
            tags.extend(listing.tags.into_iter().flatten());
        }
        Ok(Some(tags))
    }

    /// What is attached to an image by the referrers API; `None` where the registry has none.
    pub(super) fn referrers(&self, subject: &str) -> anyhow::Result<Option<Vec<Descriptor>>> {
        let Some(pages) = self.pages(self.url("referrers", subject), "list referrers")? else {
            return Ok(None);
        };
        let mut referrers = Vec::new();
        for page in pages {
            // A web page with status 200 is what a proxy without the API answers.
            let Ok(index) = serde_json::from_slice::<ImageIndex>(&page) else {
                return Ok(None);
            };
            referrers.extend(index.manifests);
        }
        Ok(Some(referrers))
    }

    /// Follows a listing from page to page by its `Link` headers; `None` when there is no such list.
    fn pages(&self, first: String, doing: &str) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let mut pages = Vec::new();
        let mut seen = Vec::new();
        let mut next = Some(first);
        while let Some(url) = next {
            ensure!(
                !seen.contains(&url),
                "cannot {doing}: {} leads in circles",
                location::shown(&url)
            );
            let answer = self.session.send(&Request::new(Method::GET, url.clone()))?;
            match answer.status {
                200 => {}
                404 | 405 => return Ok(None),
                _ => return Err(self.session.refused(&answer, doing)),
            }
            let link = answer.header("link").and_then(next_page);
            next = link.map(|link| location::resolve(&url, link)).transpose()?;
            seen.push(url);
            pages.push(answer.body);
        }
        Ok(Some(pages))
    }

    /// `kind` is `manifests`, `blobs`, `blobs/uploads`, `tags` or `referrers`.
    pub(super) fn url(&self, kind: &str, last: &str) -> String {
        let origin = self.session.origin();
        format!("{origin}/v2/{}/{kind}/{last}", self.repository)
    }
}

/// Everything that a name may point to, ours first.
pub(super) fn every_type() -> String {
    [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ")
}

fn length(answer: &Answer) -> Option<u64> {
    answer.header("content-length")?.trim().parse().ok()
}

/// The target of `<…>; rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    let mut links = link
        .split('<')
        .skip(1)
        .filter_map(|link| link.split_once('>'));
    let next = links.find(|(_, parameters)| {
        let parameters = parameters.to_ascii_lowercase();
        parameters.contains("rel=\"next\"") || parameters.contains("rel=next")
    });
    next.map(|(target, _)| target)
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn pages_are_followed_by_their_relation() {
        for (link, next) in [
            (
                r#"</v2/a/tags/list?last=x&n=2>; rel="next""#,
                Some("/v2/a/tags/list?last=x&n=2"),
            ),
            (r#"</first>; rel="first", </b,c>; REL=next"#, Some("/b,c")),
            (r#"</first>; rel="prev""#, None),
            ("rubbish", None),
        ] {
            assert_eq!(next_page(link), next, "{link}");
        }
    }
}
