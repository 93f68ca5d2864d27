//! For each rule an image that breaks it, made from a clean one, and exactly what that trips.
//!
//! A mutant changes one thing and puts everything else in order again, up to the digest in
//! `index.json`: what is left to find is the change. The matrix of rules and mutants is tested, and
//! stands in docker/multi-arch-builds.md.

mod config;
mod elf;
mod filesystem;
mod parts;
mod platform;
mod records;
mod structure;

use anyhow::Context as _;

use crate::check::rules::{self, Rule};
use crate::oci::layout::Layout;
pub(crate) use parts::Parts;

/// How to break an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutant {
    /// The rules it trips, the one that it is for first.
    pub trips: &'static [&'static str],
    /// What is done.
    pub change: &'static str,
    /// Whether docker-registry 2.8 takes it; measured by a test.
    pub accepted: bool,
    edit: Edit,
}

/// What a mutant changes.
#[derive(Debug, Clone, Copy)]
enum Edit {
    /// Documents and layers, which get digests that fit.
    Parts(fn(&mut Parts) -> anyhow::Result<()>),
    /// The program of one image.
    Program(usize, fn(&mut Vec<u8>) -> anyhow::Result<()>),
    /// One entry more at a path, beside /etc/passwd in every image.
    Added(&'static str, fn(&mut records::Entry)),
    /// Files of the layout, as they are.
    Files(fn(&mut Layout) -> anyhow::Result<()>),
}

/// The families in the order of the rules.
const FAMILIES: &[&[Mutant]] = &[
    structure::MUTANTS,
    platform::MUTANTS,
    filesystem::MUTANTS,
    config::MUTANTS,
];

/// Every mutant, in the order of the rules.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    FAMILIES.iter().copied().flatten()
}

/// The mutant of a rule; rules on registries and downloads have none.
pub(crate) fn find(id: &str) -> Option<&'static Mutant> {
    all().find(|mutant| mutant.rule() == id)
}

impl Mutant {
    /// The rule that it is for.
    pub(crate) fn rule(&self) -> &'static str {
        self.trips.first().copied().unwrap_or_default()
    }

    /// Breaks a copy of a clean image for two platforms.
    ///
    /// # Errors
    /// When the image lacks what the mutant changes.
    pub(crate) fn of(&self, clean: &Layout) -> anyhow::Result<Layout> {
        self.make(clean)
            .with_context(|| format!("cannot make the mutant of {}", self.rule()))
    }

    fn make(&self, clean: &Layout) -> anyhow::Result<Layout> {
        let mut parts = Parts::of(clean)?;
        match self.edit {
            Edit::Parts(edit) => edit(&mut parts)?,
            Edit::Program(image, edit) => platform::edit_program(&mut parts, image, edit)?,
            Edit::Added(path, edit) => filesystem::add(&mut parts, path, edit)?,
            Edit::Files(edit) => {
                let mut layout = clean.clone();
                edit(&mut layout)?;
                return Ok(layout);
            }
        }
        parts.seal()
    }
}

/// The table of rules on images and of what their mutants trip, for docker/multi-arch-builds.md.
pub(crate) fn markdown() -> String {
    let mut table = String::from(
        "| id | severity | what must hold | its mutant | trips | accepted by docker-registry 2.8 |\n\
         |---|---|---|---|---|---|\n",
    );
    let on_images = |rule: &&Rule| !rule.id.starts_with(['A', 'B']);
    for rule in rules::all().filter(on_images) {
        let (change, trips, accepted) = match find(rule.id) {
            Some(mutant) => {
                let accepted = if mutant.accepted { "yes" } else { "no" };
                (mutant.change, mutant.trips.join(", "), accepted)
            }
            None => ("-", "-".to_owned(), "-"),
        };
        let Rule {
            id,
            severity,
            title,
            ..
        } = rule;
        table.push_str(&format!(
            "| {id} | {severity} | {title} | {change} | {trips} | {accepted} |\n"
        ));
    }
    table
}

/// A mutant of documents and layers.
const fn parts(
    trips: &'static [&'static str],
    change: &'static str,
    accepted: bool,
    edit: fn(&mut Parts) -> anyhow::Result<()>,
) -> Mutant {
    Mutant {
        trips,
        change,
        accepted,
        edit: Edit::Parts(edit),
    }
}

/// A mutant of a layout's files.
const fn files(
    trips: &'static [&'static str],
    change: &'static str,
    accepted: bool,
    edit: fn(&mut Layout) -> anyhow::Result<()>,
) -> Mutant {
    Mutant {
        trips,
        change,
        accepted,
        edit: Edit::Files(edit),
    }
}
