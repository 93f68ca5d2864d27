//! Broken images for tests: for each rule on images a mutant, which is a clean image with one change.
//!
//! All digests are computed again after the change, up to those in `index.json`, so that only the change is found.
//! [`Rule::example`] describes the change, and lists the rules that it breaks.

mod config;
mod filesystem;
mod parts;
mod platform;
mod structure;

pub mod elf;
pub mod records;

use anyhow::Context as _;
use noetl_oci::Layout;
use noetl_oci::rules::Rule;

pub use parts::{AMD64, ARM64, PackedLayer, Parts};

/// A change of an image that breaks a rule.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// The rule that it breaks.
    pub rule: &'static Rule,
    /// The change.
    pub edit: Edit,
}

/// A change of an image.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// Changes documents and layers; digests are computed again.
    Parts(fn(&mut Parts) -> anyhow::Result<()>),
    /// Changes the program of the image at this position of the index.
    Program(usize, fn(&mut Vec<u8>) -> anyhow::Result<()>),
    /// Adds an entry at this path to the layer with /etc/passwd, in every image.
    Added(&'static str, fn(&mut records::RawEntry)),
    /// Changes files of the layout; digests stay as they are.
    Files(fn(&mut Layout) -> anyhow::Result<()>),
}

/// The mutants of each family of rules, in the order of the rules.
const FAMILIES: &[&[Mutant]] = &[
    structure::MUTANTS,
    platform::MUTANTS,
    filesystem::MUTANTS,
    config::MUTANTS,
];

/// Returns every mutant of this crate's rules, in the order of the rules.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    FAMILIES.iter().copied().flatten()
}

impl Mutant {
    /// Returns a mutant of a rule.
    pub const fn new(rule: &'static Rule, edit: Edit) -> Self {
        Self { rule, edit }
    }

    /// Returns a broken copy of a clean image for two platforms.
    ///
    /// # Errors
    /// When the image does not contain what the mutant changes.
    pub fn of(&self, clean: &Layout) -> anyhow::Result<Layout> {
        let broken = self.edit.of(clean);
        broken.with_context(|| format!("cannot break {}", self.rule.id))
    }
}

impl Edit {
    /// Returns a changed copy of a clean image for two platforms.
    ///
    /// # Errors
    /// When the image does not contain what is changed.
    pub fn of(&self, clean: &Layout) -> anyhow::Result<Layout> {
        let mut parts = Parts::of(clean)?;
        match self {
            Self::Parts(edit) => edit(&mut parts)?,
            Self::Program(image, edit) => {
                parts.edit_program(*image, |entry| {
                    edit(&mut entry.content).context("cannot change the program")
                })?;
            }
            Self::Added(path, edit) => filesystem::add(&mut parts, path, *edit)?,
            Self::Files(edit) => {
                let mut layout = clean.clone();
                edit(&mut layout)?;
                return Ok(layout);
            }
        }
        parts.seal()
    }
}
