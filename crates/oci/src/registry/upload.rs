//! The requests that write to a repository: they store blobs and manifests, and delete tags and manifests.
//!
//! An upload that seems to fail may have succeeded: the answer may get lost, and some registries answer 404 or 5xx
//! although they stored the content. So before an upload counts as failed, the registry is asked for the digest.

use std::time::Duration;

use anyhow::anyhow;
use ureq::http::Method;

use crate::blob::BlobReader;
use crate::digest::Sha256;
use crate::model::Descriptor;
use crate::registry::client::Repository;
use crate::registry::location;
use crate::registry::remedy::Cause;
use crate::registry::session::Attempt;
use crate::registry::transport::{Answer, Request, RequestBody};
use crate::registry::tries::Tries;

/// How a blob was stored in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was there before the push.
    Before,
    /// It was mounted from another repository of the same registry.
    Mounted,
    /// Its bytes were sent.
    Sent,
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    /// It is deleted, or did not exist.
    Gone,
    /// The registry does not support this deletion.
    Unsupported,
}

/// Opens the content to send; called once for each try.
pub(super) type Open<'a> = &'a (dyn Fn() -> anyhow::Result<BlobReader> + Sync);

/// One attempt that did not succeed.
enum Failure {
    /// Another try may succeed; with the time that the server asks to wait.
    Temporary(anyhow::Error, Option<Duration>),
    /// Another try cannot succeed.
    Final(anyhow::Error),
}

impl Failure {
    /// Waits before the next try; returns the error when there is none.
    fn wait(self, tries: &mut Tries) -> anyhow::Result<()> {
        match self {
            Self::Final(error) => Err(error),
            Self::Temporary(error, asked) => {
                let wait = tries.next(asked).ok_or(error)?;
                std::thread::sleep(wait);
                Ok(())
            }
        }
    }
}

impl Repository {
    /// Stores a blob unless it is in the repository. It is mounted from `source`, another repository of the same
    /// registry, if that is given and works, and else sent with `open`.
    ///
    /// # Errors
    /// When the registry refuses it, or it can neither be mounted nor opened.
    pub(super) fn store(
        &self,
        blob: &Descriptor,
        open: Option<Open<'_>>,
        source: Option<&str>,
    ) -> anyhow::Result<Stored> {
        if self.has_blob(blob)? {
            return Ok(Stored::Before);
        }
        let mut tries = Tries::new();
        loop {
            let failure = match self.try_to_store(blob, open, source) {
                Ok(stored) => return Ok(stored),
                Err(failure) => failure,
            };
            if self.has_blob(blob).unwrap_or(false) {
                return Ok(Stored::Sent);
            }
            failure.wait(&mut tries)?;
        }
    }

    fn has_blob(&self, blob: &Descriptor) -> anyhow::Result<bool> {
        let size = self.blob_size(&blob.digest)?;
        Ok(size.is_some_and(|size| size.is_none_or(|size| size == blob.size)))
    }

    /// Sends a POST to begin an upload or to mount the blob, then one PUT with the whole content (distribution-spec,
    /// "POST then PUT"). It is not sent in chunks: GHCR accepts none above 4 MiB, and docker-registry 2.8 cannot resume
    /// them.
    fn try_to_store(
        &self,
        blob: &Descriptor,
        open: Option<Open<'_>>,
        source: Option<&str>,
    ) -> Result<Stored, Failure> {
        let digest = &blob.digest;
        let doing = format!("upload {digest}");
        let mut mounts = source.is_some();
        let mut answer = self.begin(digest, source);
        let is_refused = |answer: &anyhow::Result<Answer>| !matches!(answer, Ok(answer) if matches!(answer.status, 201 | 202));
        if mounts && open.is_some() && is_refused(&answer) {
            // A registry that refuses the mount, for lack of rights or of the repository, may take the bytes.
            mounts = false;
            answer = self.begin(digest, None);
        }
        let answer = answer.map_err(Failure::Final)?;
        match answer.status {
            201 if mounts => return Ok(Stored::Mounted),
            202 => {}
            _ => return Err(Failure::Final(self.session.refused(&answer, &doing))),
        }
        let Some(open) = open else {
            let source = source.unwrap_or("another repository");
            let error = anyhow!(
                "the image does not contain {digest}, and it could not be mounted from {source}"
            );
            return Err(Failure::Final(error));
        };
        let Some(place) = answer.header("location") else {
            let url = location::shown(&answer.url);
            let error = anyhow!("cannot {doing}: {url} answers 202 without a Location header");
            return Err(Failure::Temporary(error, None));
        };
        let place = location::resolve(&answer.url, place).map_err(Failure::Final)?;
        let mark = if place.contains('?') { '&' } else { '?' };
        let request = Request::new(Method::PUT, format!("{place}{mark}digest={digest}"))
            .header("content-type", "application/octet-stream")
            .body(RequestBody::Stream(blob.size, open));
        self.put(&request, digest, &doing).map(|_| Stored::Sent)
    }

    /// Sends a POST that begins an upload; with a `source`, that mounts the blob from there or begins an upload.
    fn begin(&self, digest: &str, source: Option<&str>) -> anyhow::Result<Answer> {
        let mut url = self.url("blobs/uploads", "");
        if let Some(source) = source {
            url.push_str(&format!("?mount={digest}&from={source}"));
        }
        let request = Request::new(Method::POST, url).body(RequestBody::Bytes(&[]));
        self.session.send(&request)
    }

    /// Checks that the credentials may write to the repository: an upload is begun, and cancelled.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses the upload.
    pub fn check_push(&self) -> anyhow::Result<()> {
        let request = Request::new(Method::POST, self.url("blobs/uploads", ""));
        let answer = self.session.send(&request.body(RequestBody::Bytes(&[])))?;
        if !matches!(answer.status, 201 | 202) {
            return Err(self.session.refused(&answer, "begin an upload"));
        }
        // A registry that cannot cancel it forgets it after a while.
        if let Some(place) = answer.header("location")
            && let Ok(place) = location::resolve(&answer.url, place)
        {
            drop(self.session.once(&Request::new(Method::DELETE, place)));
        }
        Ok(())
    }

    /// Stores a manifest or an index under its digest or a tag. Returns the registry's answer; `None` when it was lost,
    /// but the document is stored.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub(super) fn store_document(
        &self,
        tag_or_digest: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> anyhow::Result<Option<Answer>> {
        let digest = Sha256::of(bytes).digest();
        let request = Request::new(Method::PUT, self.url("manifests", tag_or_digest))
            .header("content-type", media_type)
            .body(RequestBody::Bytes(bytes));
        let mut tries = Tries::new();
        loop {
            let doing = format!("store {digest} as {tag_or_digest}");
            let failure = match self.put(&request, &digest, &doing) {
                Ok(answer) => return Ok(Some(answer)),
                Err(failure) => failure,
            };
            let head = self.head(tag_or_digest).unwrap_or(None);
            if head.is_some_and(|head| head.digest == digest) {
                return Ok(None);
            }
            failure.wait(&mut tries)?;
        }
    }

    /// Deletes a tag; given a digest, deletes the manifest with all its tags.
    pub(super) fn delete(&self, tag_or_digest: &str) -> anyhow::Result<Deleted> {
        let request = Request::new(Method::DELETE, self.url("manifests", tag_or_digest));
        let answer = self.session.send(&request)?;
        match answer.status {
            200 | 202 | 204 | 404 => Ok(Deleted::Gone),
            // 400: docker-registry 2.8 parses the tag as a digest.
            400 | 405 | 501 => Ok(Deleted::Unsupported),
            _ => {
                let doing = format!("delete {tag_or_digest}");
                Err(self.session.refused(&answer, &doing))
            }
        }
    }

    /// Sends a PUT; only status 201 is success.
    fn put(&self, request: &Request<'_>, digest: &str, doing: &str) -> Result<Answer, Failure> {
        let attempt = self.session.once(request).map_err(Failure::Final)?;
        let answer = match attempt {
            Attempt::Answered(answer) => answer,
            Attempt::Lost(error) => {
                let is_final = self.session.is_final(&error);
                let error = self.session.no_answer(error, &request.url);
                return Err(if is_final {
                    Failure::Final(error)
                } else {
                    Failure::Temporary(error, None)
                });
            }
        };
        let refused = || self.session.refused(&answer, doing);
        match answer.status {
            201 => match answer.agrees_on(digest) {
                Ok(()) => Ok(answer),
                Err(error) => Err(Failure::Final(error)),
            },
            401 => Err(Failure::Final(refused())),
            // 404 and other statuses may be a fault of the registry that passes.
            status
                if matches!(
                    Cause::of_answer(status, &answer.message()),
                    Cause::Permission
                        | Cause::ReadOnly
                        | Cause::TooLarge
                        | Cause::Quota
                        | Cause::Redirect
                ) =>
            {
                Err(Failure::Final(refused()))
            }
            // The registry has read the document and refuses it. A blob may have been damaged on the way, and is sent
            // again.
            400 if answer.message().contains("MANIFEST_INVALID") => Err(Failure::Final(refused())),
            _ => Err(Failure::Temporary(refused(), answer.retry_after())),
        }
    }
}
