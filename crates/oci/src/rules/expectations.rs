//! What a caller expects of an image. Checks use no other input, not even the clock.

use crate::digest::Sha256;
use crate::platform::Platform;

/// What is expected of an image. Fields that are `None` are not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// The platforms that the image must be for; it must have no others.
    pub platforms: Vec<Platform>,
    /// The maker in the lines of history of the caller's own layers; see [`ImageSpec::maker`](crate::ImageSpec::maker).
    /// All rules apply to these layers; for layers of a base image, rules on how layers are written give findings of
    /// severity info.
    pub maker: String,
    /// The numeric owners and groups that entries of own layers may have.
    pub owners: Vec<u64>,
    /// The present time in seconds since 1970; nothing may have been made later.
    pub now: Option<u64>,
    /// The time of all entries of own layers and of every `created`, in seconds since 1970. When it is `None`, entries
    /// must have the time of the first entry.
    pub created: Option<u64>,
    /// The port that the program listens on.
    pub port: Option<u16>,
    /// The SHA-256 of the bundle of root certificates that own layers must contain.
    pub ca_sha256: Option<Sha256>,
}

impl Expectations {
    /// Returns expectations with these platforms, the maker [`MAKER`](crate::MAKER) and the owners 0 and 65532. All
    /// other fields are `None`.
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
