//! What a release consists of beside the image, one file for each format: its name, its entries, its bytes, and how it is
//! read back. Nothing here writes to dist/ or judges.

pub(crate) mod apt;
pub(crate) mod archives;
pub(crate) mod companions;
pub(crate) mod deb;
pub(crate) mod dnf;
pub(crate) mod installers;
pub(crate) mod npm;
pub(crate) mod recipes;
pub(crate) mod repositories;
pub(crate) mod rpm;
pub(crate) mod sdist;
pub(crate) mod signer;
pub(crate) mod system;
pub(crate) mod universal;
pub(crate) mod wheel;
pub(crate) mod zip;
