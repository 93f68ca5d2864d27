//! Releases without the image: version and targets, the build, archives, checksums, and their verification.

pub(crate) mod apt;
pub(crate) mod archives;
pub(crate) mod binary;
pub(crate) mod cargo;
pub(crate) mod check;
pub(crate) mod checksums;
pub(crate) mod companions;
pub(crate) mod compare;
pub(crate) mod deb;
pub(crate) mod dist_manifest;
pub(crate) mod dnf;
pub(crate) mod hardening;
pub(crate) mod installers;
pub(crate) mod licenses;
pub(crate) mod npm;
pub(crate) mod package;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod recipes;
pub(crate) mod repositories;
pub(crate) mod rpm;
pub(crate) mod rules;
pub(crate) mod sbom;
pub(crate) mod shards;
pub(crate) mod signer;
pub(crate) mod stamp;
pub(crate) mod system;
pub(crate) mod target;
pub(crate) mod third_party;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod wheel;
pub(crate) mod workspace;
pub(crate) mod zip;

mod programs;
