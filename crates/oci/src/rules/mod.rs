//! Rules on images, each with a stable id. A check returns a finding for each thing that breaks a rule.
//!
//! A check does not stop at the first finding. It depends only on the bytes of the image and on the [`Expectations`];
//! nothing here runs a program. Callers can add rules as a [`Family`].

pub mod audit;
pub mod catalogue;
pub mod rule;
pub mod served;
pub mod subject;

mod certificates;
mod config;
mod elf;
mod entrypoint;
mod expectations;
mod filesystem;
mod findings;
mod labels;
mod layers;
mod leaks;
mod names;
mod platform;
mod structure;

pub use expectations::Expectations;
pub use findings::{Finding, Findings};
pub use rule::{Rule, Severity};
pub use subject::Subject;

use crate::known_layers::KnownLayers;
use crate::source::ImageSource;

/// Rules of a caller, which are checked together with those of this crate.
pub trait Family: Sync {
    /// Returns the rules of the family, for lists of rules.
    fn rules(&self) -> &'static [&'static Rule];

    /// Adds a finding for each thing that breaks one of the rules.
    fn check(&self, subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings);
}

/// The checks of this crate.
const CHECKS: &[fn(&Subject<'_>, &Expectations, &mut Findings)] = &[
    structure::check,
    check_platforms,
    check_files,
    check_configs,
];

/// Reads an image, and checks it by the rules of this crate and of `families`. Layers in `known` are hashed, but not
/// unpacked again.
///
/// # Errors
/// When the source cannot be read, for instance because a registry does not answer.
///
/// ```
/// use noetl_oci::rules::{Expectations, check};
/// use noetl_oci::{KnownLayers, Layout, Platform};
///
/// let expected = Expectations::of([Platform::new("linux", "amd64", None)]);
/// let mut empty = Layout::default();
/// empty.files.insert("index.json".to_owned(), br#"{"schemaVersion":2,"manifests":[]}"#.to_vec().into());
/// let findings = check(&empty, &expected, &[], &KnownLayers::default())?;
/// assert_eq!(findings.lines()[0], "error S5 index.json: mediaType is missing");
/// # anyhow::Ok(())
/// ```
pub fn check(
    source: &dyn ImageSource,
    expected: &Expectations,
    families: &[&dyn Family],
    known: &KnownLayers,
) -> anyhow::Result<Findings> {
    let subject = Subject::read(source, expected, known)?;
    Ok(check_subject(&subject, expected, families))
}

/// Checks an image that has been read, by the rules of this crate and of `families`.
pub fn check_subject(
    subject: &Subject<'_>,
    expected: &Expectations,
    families: &[&dyn Family],
) -> Findings {
    let mut findings = Findings::default();
    for check in CHECKS {
        check(subject, expected, &mut findings);
    }
    for family in families {
        family.check(subject, expected, &mut findings);
    }
    findings
}

fn check_platforms(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    platform::check(subject, &expected.platforms, findings);
    entrypoint::check(subject, findings);
    elf::check(subject, findings);
}

fn check_files(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    layers::check(subject, expected, findings);
    filesystem::check(subject, expected, findings);
}

fn check_configs(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    config::check(subject, expected, findings);
    labels::check(subject, expected, findings);
    names::check(subject, findings);
}
