//! For each rule on images an image that breaks it, made from a clean one by one change.
//!
//! Everything else is put in order again, up to the digest in `index.json`: what is left to find is the change.
//! What the change is, and which rules it breaks, stands with the rule ([`Rule::example`]); this module makes it.

mod config;
mod filesystem;
mod parts;
mod platform;
mod structure;

pub mod elf;
pub mod records;

use anyhow::Context as _;

use crate::layout::Layout;
use crate::rules::Rule;

pub use parts::{AMD64, ARM64, PackedLayer, Parts};

/// How to break an image.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// The rule that it is for.
    pub rule: &'static Rule,
    /// What is done.
    pub edit: Edit,
}

/// What a mutant changes.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// Documents and layers, which get digests that fit.
    Parts(fn(&mut Parts) -> anyhow::Result<()>),
    /// The program of one image.
    Program(usize, fn(&mut Vec<u8>) -> anyhow::Result<()>),
    /// One entry more at a path, beside /etc/passwd in every image.
    Added(&'static str, fn(&mut records::RawEntry)),
    /// Files of the layout, as they are.
    Files(fn(&mut Layout) -> anyhow::Result<()>),
}

/// The rules of this crate that have an example, in their order.
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
    /// Makes a mutant of a rule.
    pub const fn new(rule: &'static Rule, edit: Edit) -> Self {
        Self { rule, edit }
    }

    /// Breaks a copy of a clean image for two platforms.
    ///
    /// # Errors
    /// When the image lacks what the mutant changes.
    pub fn of(&self, clean: &Layout) -> anyhow::Result<Layout> {
        let broken = self.edit.of(clean);
        broken.with_context(|| format!("cannot break {}", self.rule.id))
    }
}

impl Edit {
    /// Returns a changed copy of a clean image for two platforms.
    ///
    /// # Errors
    /// When the image lacks what is to be changed.
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
