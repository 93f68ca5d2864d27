//! OCI images without a daemon: reading, making, checking, comparing and publishing them.
//!
//! - [`Image::read`] reads the documents of an image from an [`ImageSource`]: a [`Layout`], which is a folder or a
//!   tar, or a [`registry::RegistryImage`]. It accepts OCI's and Docker's media types, and an index or a single image.
//!   Layers are read later, by the functions that need them. [`Location::parse`] distinguishes paths and names.
//! - [`assemble()`] makes an image from an [`ImageSpec`], with or without a [`Base`] image. The same spec gives the
//!   same bytes on every machine.
//! - [`rules::check`] checks an image by rules with stable ids; callers can add rules as a [`rules::Family`].
//! - [`diff::images`] lists the differences of two images, and [`inspect::Summary`] summarizes one image.
//! - [`registry`] is the client of the distribution API: it pushes images (all tags move or none), attaches artifacts,
//!   and reads what a registry serves.
//!
//! The feature `image` contains everything that reads or writes the bytes of images, and `registry`, which is on by
//! default, adds the client. Without both there are only names, platforms, digests and media types.
//!
//! Blobs are streamed: no layer is read into memory as a whole, except one that [`LayerCache::none`] makes. Nothing
//! here prints, reads environment variables or runs programs. Errors are [`anyhow::Error`]s, many with a help line
//! ([`noetl_help`]).
//!
//! ```
//! # #[cfg(feature = "image")] {
//! use noetl_oci::rules::{Expectations, check};
//! use noetl_oci::{Image, ImageSpec, KnownLayers, LayerCache, MAKER, Platform, assemble};
//!
//! let spec = ImageSpec {
//!     maker: MAKER.to_owned(),
//!     created: 1_767_225_600,
//!     annotations: Default::default(),
//!     names: vec!["ghcr.io/some/image:1".parse()?],
//!     base: None,
//!     platforms: Vec::new(),
//! };
//! let layout = assemble(&spec, &LayerCache::none())?;
//! let image = Image::read(&layout)?;
//! assert_eq!(image.full_names(), ["ghcr.io/some/image:1"]);
//!
//! let expected = Expectations::of([Platform::new("linux", "amd64", None)]);
//! let findings = check(&layout, &expected, &[], &KnownLayers::default())?;
//! assert!(findings.ids().contains(&"P1"), "the expected platform is missing");
//! # }
//! # anyhow::Ok(())
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod digest;
mod name;
mod platform;
mod reference;

pub mod annotation;
pub mod media_type;
pub mod tag;

pub use digest::{Hasher, Hashing, Sha256};
pub use name::ImageName;
pub use platform::Platform;
pub use reference::Reference;

#[cfg(feature = "image")]
mod artifact;
#[cfg(feature = "image")]
mod assemble;
#[cfg(feature = "image")]
mod base;
#[cfg(feature = "image")]
mod blob;
#[cfg(feature = "image")]
mod cache;
#[cfg(feature = "image")]
mod contents;
#[cfg(feature = "image")]
mod document;
#[cfg(feature = "image")]
mod elf;
#[cfg(feature = "image")]
mod files;
#[cfg(feature = "image")]
mod filesystem;
#[cfg(feature = "image")]
mod image;
#[cfg(feature = "image")]
mod known_layers;
#[cfg(feature = "image")]
mod layer;
#[cfg(feature = "image")]
mod leaks;
#[cfg(feature = "image")]
mod member;
#[cfg(feature = "image")]
mod model;
#[cfg(feature = "image")]
pub mod parallel;
#[cfg(feature = "image")]
mod platform_image;
#[cfg(feature = "image")]
mod source;

#[cfg(feature = "image")]
pub mod diff;
#[cfg(feature = "image")]
pub mod inspect;
#[cfg(feature = "image")]
pub mod layout;
#[cfg(feature = "registry")]
pub mod registry;
#[cfg(feature = "image")]
pub mod rules;
#[cfg(feature = "image")]
pub mod tar;

#[cfg(feature = "image")]
pub use noetl_gzip as gzip;

#[cfg(feature = "image")]
pub use {
    artifact::{Artifact, fallback_subject, fallback_tag},
    assemble::{ImageSpec, LayerSpec, MAKER, PlatformSpec, assemble},
    base::{Base, BaseImage},
    blob::{Blob, BlobReader},
    cache::BlobCache,
    contents::{LayerContents, LayerProblem},
    document::Document,
    elf::{Elf, Machine, machine_path},
    filesystem::{FileContent, FileSystem, Node, NodeKind},
    image::{Image, Index, Link, Unreadable},
    known_layers::KnownLayers,
    layer::{Layer, LayerCache},
    layout::{DockerImage, Layout},
    leaks::Leaks,
    member::Member,
    model::*,
    platform_image::PlatformImage,
    source::{ImageSource, Location},
};
