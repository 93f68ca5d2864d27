//! Images as values: built from bytes, held as a layout, written as a folder or one tar.

pub(crate) mod artifact;
pub(crate) mod base;
pub(crate) mod blobs;
mod config;
pub(crate) mod flavour;
pub(crate) mod image;
pub(crate) mod layer;
pub(crate) mod layout;
pub(crate) mod model;
pub(crate) mod opened;
pub(crate) mod reference;
pub(crate) mod rootfs;
