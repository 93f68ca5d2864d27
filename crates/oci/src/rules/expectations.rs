//! What an image is compared with besides itself. A plain value: the caller knows the clock and the project.

use crate::digest::Sha256;
use crate::platform::Platform;

/// What should be true of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// The platforms, exactly.
    pub platforms: Vec<Platform>,
    /// What the lines of history begin with that the caller's own assembly writes. Layers with such a line are
    /// held to every rule; those of a base image are told as infos.
    pub maker: String,
    /// The owners and groups that own layers may have.
    pub owners: Vec<u64>,
    /// Seconds since 1970, after which nothing was made; `None` where there is no clock.
    pub now: Option<u64>,
    /// Seconds since 1970: every mtime of own layers and every `created`; `None` when it is not known.
    pub created: Option<u64>,
    /// The port that the program listens on.
    pub port: Option<u16>,
    /// The hash of the caller's own bundle of root certificates.
    pub ca_sha256: Option<Sha256>,
}

impl Expectations {
    /// An image for these platforms, of which nothing else is known.
    pub fn of(platforms: impl IntoIterator<Item = Platform>) -> Self {
        Self {
            platforms: platforms.into_iter().collect(),
            maker: crate::assemble::MAKER.to_owned(),
            owners: vec![0, 65532],
            now: None,
            created: None,
            port: None,
            ca_sha256: None,
        }
    }
}
