//! Releases without the image: version and targets, the build, archives, checksums, and their verification.

pub(crate) mod binary;
pub(crate) mod bump;
pub(crate) mod cargo;
pub(crate) mod changelog;
pub(crate) mod check;
pub(crate) mod checksums;
pub(crate) mod compare;
pub(crate) mod crates;
pub(crate) mod dist;
pub(crate) mod dist_manifest;
pub(crate) mod hardening;
pub(crate) mod imports;
pub(crate) mod licenses;
pub(crate) mod packages;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod rules;
pub(crate) mod sbom;
pub(crate) mod shards;
pub(crate) mod stamp;
pub(crate) mod target;
pub(crate) mod third_party;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod workspace;

mod programs;
