//! What an image is compared with besides itself: the platforms that were asked for, the clock, and
//! what the repository says of it. A plain value; whoever has a repository or a clock fills it.

use crate::target::Platform;

/// What should be true of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expectations {
    /// The platforms, exactly.
    pub platforms: Vec<Platform>,
    /// Seconds since 1970, after which nothing was made; `None` where there is no clock.
    pub now: Option<u64>,
    /// What our own image of this commit says; `None` for an image of somebody else or of another
    /// commit, of which only the form is judged.
    pub project: Option<Project>,
}

/// What the repository says of an image made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// `[workspace.package] version`.
    pub version: String,
    /// Forty hex digits, with `-dirty` when the tree differs from it.
    pub revision: String,
    /// An SPDX expression.
    pub licenses: String,
    /// The repository's https URL.
    pub source: String,
    /// The port that the server listens on unless told otherwise.
    pub port: u16,
    /// Seconds since 1970: every mtime and every `created`.
    pub commit_time: u64,
    /// SHA-256 of our bundle of root certificates, in hex.
    pub ca_sha256: String,
}

impl Expectations {
    /// An image for these platforms, of which nothing else is known.
    pub(crate) fn of(platforms: &[Platform]) -> Self {
        Self {
            platforms: platforms.to_vec(),
            now: None,
            project: None,
        }
    }
}
