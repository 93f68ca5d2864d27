//! Moving tags so that all move or none: immutable ones first, `latest` last, each read back. When one does not
//! move, those that have moved are put back.

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;

use crate::registry::client::{RemoteDocument, Repository};
use crate::registry::upload::Deleted;
use crate::tag::is_immutable;

/// A tag and where it was before the push.
#[derive(Debug, Clone)]
pub(super) struct Move {
    tag: String,
    /// What it pointed to; `None` when there was no such tag.
    before: Option<String>,
}

/// The tags of one push and the one index they are to point to.
#[derive(Debug)]
pub(super) struct Journal {
    repository: Repository,
    digest: String,
    moves: Vec<Move>,
    /// The tags that have moved, each with the document it pointed to, fetched before.
    moved: Vec<(Move, Option<RemoteDocument>)>,
    /// Whether this push brought the index.
    is_new: bool,
}

/// Returns tags in the order in which they move: immutable ones first, `latest` last, so that a release has its
/// own name before a moving tag leads to it.
pub(super) fn in_order(tags: &[String]) -> Vec<String> {
    let mut ordered = Vec::new();
    for tag in tags {
        if !ordered.contains(tag) {
            ordered.push(tag.clone());
        }
    }
    ordered.sort_by_key(|tag| match tag.as_str() {
        "latest" => 2,
        tag if is_immutable(tag) => 0,
        _ => 1,
    });
    ordered
}

impl Journal {
    /// Asks where all tags are: one request for each.
    pub(super) fn open(
        repository: Repository,
        digest: &str,
        tags: &[String],
    ) -> anyhow::Result<Self> {
        let mut moves = Vec::new();
        for tag in in_order(tags) {
            let before = repository.head(&tag)?.map(|head| head.digest);
            moves.push(Move { tag, before });
        }
        Ok(Self {
            repository,
            digest: digest.to_owned(),
            moves,
            moved: Vec::new(),
            is_new: false,
        })
    }

    /// Returns the repository.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tags that moved, each with where it was.
    pub(super) fn moved(&self) -> Vec<(String, Option<String>)> {
        let moved = self.moved.iter();
        moved
            .map(|(entry, _)| (entry.tag.clone(), entry.before.clone()))
            .collect()
    }

    /// Returns the immutable tags that point elsewhere, each with where.
    pub(super) fn overwritten(&self) -> Vec<(&str, &str)> {
        let moved = self.pending().filter(|entry| is_immutable(&entry.tag));
        moved
            .filter_map(|entry| Some((entry.tag.as_str(), entry.before.as_deref()?)))
            .collect()
    }

    /// Returns whether every tag is where it should be.
    pub(super) fn is_done(&self) -> bool {
        self.pending().next().is_none()
    }

    fn pending(&self) -> impl Iterator<Item = &Move> {
        let elsewhere = |entry: &&Move| entry.before.as_deref() != Some(self.digest.as_str());
        self.moves.iter().filter(elsewhere)
    }

    /// Moves the tags to the index whose bytes are given. `is_new` says whether this push brought the index.
    ///
    /// # Errors
    /// When one does not move; then all are where they were, or the error says which are not.
    pub(super) fn move_tags(
        &mut self,
        media_type: &str,
        bytes: &[u8],
        is_new: bool,
    ) -> anyhow::Result<()> {
        self.is_new = is_new;
        let mut pending = Vec::new();
        for entry in self.pending() {
            // Fetched before anything moves: a registry may delete what has no tag.
            let document = entry
                .before
                .as_ref()
                .map(|digest| self.repository.document(digest));
            let document = document.transpose()?.flatten();
            pending.push((entry.clone(), document));
        }
        for (entry, document) in pending {
            let advanced = self.advance(&entry, media_type, bytes);
            let tag = entry.tag.clone();
            self.moved.push((entry, document));
            if let Err(error) = advanced {
                return Err(self.undo(error.context(format!("the tag {tag} did not move"))));
            }
        }
        Ok(())
    }

    /// Puts every tag back that has moved, because of `error`; returns it with the outcome.
    pub(super) fn undo(&self, error: anyhow::Error) -> anyhow::Error {
        let left = self.restore();
        if left.is_empty() {
            error.context("nothing is published: every tag is where it was")
        } else {
            not_restored(error, &left)
        }
    }

    /// Moves one tag and reads it back.
    fn advance(&self, entry: &Move, media_type: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.repository
            .store_document(&entry.tag, media_type, bytes)?;
        let now = self.repository.head(&entry.tag)?.map(|head| head.digest);
        match now {
            Some(now) if now == self.digest => Ok(()),
            now => bail!(
                "the registry took {} for {}, and has {} there",
                self.digest,
                entry.tag,
                now.as_deref().unwrap_or("nothing")
            ),
        }
    }

    /// Puts tags back, the last first; returns those that are not where they were, with why.
    fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (entry, document) in self.moved.iter().rev() {
            let restored = match (&entry.before, document) {
                (Some(before), Some(document)) => self.put_back(entry, before, document),
                (Some(before), None) => Err(anyhow!("{before} could not be fetched")),
                (None, _) => self.delete(entry),
            };
            if let Err(error) = restored {
                left.push(format!("{}: {error:#}", entry.tag));
            }
        }
        left
    }

    fn put_back(
        &self,
        entry: &Move,
        before: &str,
        document: &RemoteDocument,
    ) -> anyhow::Result<()> {
        let now = self.repository.head(&entry.tag)?;
        if now.is_some_and(|now| now.digest == before) {
            return Ok(());
        }
        self.repository
            .store_document(&entry.tag, &document.media_type, &document.bytes)
            .map(|_| ())
            .with_context(|| format!("it was at {before}"))
    }

    /// Deletes a tag that was not there. A registry that deletes no tags may delete the index with them, which is
    /// safe when this push brought it.
    fn delete(&self, entry: &Move) -> anyhow::Result<()> {
        if self.repository.head(&entry.tag)?.is_none() {
            return Ok(());
        }
        if self.repository.delete(&entry.tag)? == Deleted::Unsupported && self.is_new {
            self.repository.delete(&self.digest)?;
        }
        match self.repository.head(&entry.tag)? {
            None => Ok(()),
            Some(now) => bail!(
                "it was not there, is at {} now, and this registry deletes no tags",
                now.digest
            ),
        }
    }
}

fn not_restored(error: anyhow::Error, left: &[String]) -> anyhow::Error {
    let what = format!("these tags are not where they were: {}", left.join("; "));
    error
        .context(what)
        .help("push again once the registry is well: what is there already is not sent twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_moves_last() {
        let tags = ["latest", "1.2", "1.2.3", "latest", "sha-0123456"].map(ToOwned::to_owned);
        assert_eq!(in_order(&tags), ["1.2.3", "sha-0123456", "1.2", "latest"]);
    }
}
