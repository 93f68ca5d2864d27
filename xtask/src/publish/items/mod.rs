//! What a release publishes, one file for each service.

pub(crate) mod channels;
pub(crate) mod crates;
pub(crate) mod git;
pub(crate) mod github;
pub(crate) mod image;
pub(crate) mod npm;
pub(crate) mod publication;
pub(crate) mod pypi;
