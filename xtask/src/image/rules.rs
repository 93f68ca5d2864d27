//! The rules on NoETL's own images besides those of [`noetl_oci::rules`]: build stamps of the programs, labels, and
//! building the same image again.

use std::time::SystemTime;

use noetl_oci::annotation::{LICENSES, PREFIX, REVISION, SOURCE, VERSION};
use noetl_oci::rules::catalogue::C3;
use noetl_oci::rules::rule::Accepted;
use noetl_oci::rules::subject::ImageView;
use noetl_oci::rules::{Expectations, Family, Findings, Rule, Severity, Subject};
use noetl_oci::{Annotations, Elf, Machine, Platform, Sha256};

use crate::image::plan::{MAKER, PORT};
use crate::image::{contents, labels};
use crate::release::check::ImageRules;
use crate::release::licenses;
use crate::release::stamp::{self, Stamp};
use crate::release::target::platforms;
use crate::release::version::Release;
use crate::release::workspace::{LICENSE, REPOSITORY};

pub(crate) static P10: Rule = Rule::error(
    "P10",
    "the program needs no more than every processor of its architecture has",
    "`Illegal instruction` on an older machine, `exit code 132`",
)
.example("amd64's program uses AVX2", &["P10"], Accepted::Yes);

pub(crate) static P13: Rule = Rule::warning(
    "P13",
    "the program is stripped, of reasonable size, and carries its build stamp",
    "an image that is ten times as large and whose source is not known",
)
.example(
    "the stamp's section has another name",
    &["P13"],
    Accepted::Yes,
);

pub(crate) static P14: Rule = Rule::error(
    "P14",
    "the build stamps agree on version, commit and page, with each other and with the labels",
    "arm64 users run last week's commit under today's tag",
)
.example(
    "arm64's program is of another commit",
    &["P14"],
    Accepted::Yes,
);

pub(crate) static C6: Rule = Rule::error(
    "C6",
    "the labels are present and correct: source, licence, version, revision",
    "a scanner reports the wrong version; a licence that does not exist",
)
.example("the licence is `MIT License`", &["C6"], Accepted::Yes);

pub(crate) static X1: Rule = Rule::error(
    "X1",
    "built again in another folder, umask, time zone, locale and number of threads, the image has the same digest",
    "it cannot be checked that an image was made from the source it names",
);

pub(crate) static X2: Rule = Rule::error(
    "X2",
    "another machine builds the same digest",
    "an image depends on the machine that builds it, and cannot be compared with that of another",
);

pub(crate) static X3: Rule = Rule::warning(
    "X3",
    "since the last release only the program and its description have changed",
    "a base or a certificate changes for an unknown reason",
);

/// Target features that every amd64 processor has.
const AMD64: &[&str] = &["crt-static", "fxsr", "sse", "sse2", "x87"];
/// Target features that every arm64 processor has.
const ARM64: &[&str] = &["crt-static", "neon"];

/// The largest program without a warning, in bytes: a third more than the largest that was shipped.
const LARGEST_PROGRAM: usize = 64 * 1024 * 1024;

/// Returns every rule: on images of any maker, on NoETL's own, on registries and on building again.
pub(crate) fn all() -> Vec<&'static Rule> {
    let own = [&P10, &P13, &P14, &C6, &X1, &X2, &X3];
    noetl_oci::rules::rule::sorted(noetl_oci::rules::catalogue::all().chain(own))
}

/// The rules on NoETL's images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnRules {
    /// The release that the image must be of; without it, only the form of its labels is checked.
    pub release: Option<Release>,
}

/// The rules on an image: the expectations of all of them, and NoETL's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageStandard {
    /// What the image is compared with.
    pub expected: Expectations,
    /// NoETL's own rules.
    pub own: OwnRules,
}

impl ImageStandard {
    /// Returns the rules on an image of NoETL for these platforms and of any commit.
    pub(crate) fn any_release(platforms: &[Platform]) -> Self {
        Self {
            expected: Expectations {
                maker: MAKER.to_owned(),
                owners: vec![0, contents::USER.into()],
                now: Some(now()),
                ..Expectations::of(platforms.iter().cloned())
            },
            own: OwnRules::default(),
        }
    }

    /// Returns the rules on the image of a dist, which do not depend on the clock.
    pub(crate) fn of_dist() -> Self {
        let mut standard = Self::any_release(&platforms());
        standard.expected.now = None;
        standard
    }

    /// Returns the rules on an image that is made from this checkout.
    pub(crate) fn of_release(release: &Release, platforms: &[Platform]) -> Self {
        let Self { expected, .. } = Self::any_release(platforms);
        let expected = Expectations {
            now: Some(now().max(release.commit_time)),
            created: Some(release.commit_time),
            port: Some(PORT),
            ca_sha256: Some(Sha256::of(contents::ca_bundle().as_bytes())),
            ..expected
        };
        let release = Some(release.clone());
        let own = OwnRules { release };
        Self { expected, own }
    }

    /// Returns them as checks take them.
    pub(crate) fn rules(&self) -> ImageRules<'_> {
        ImageRules {
            expected: &self.expected,
            own: &self.own,
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Family for OwnRules {
    fn rules(&self) -> &'static [&'static Rule] {
        const RULES: &[&Rule] = &[&P10, &P13, &P14, &C6];
        RULES
    }

    fn check(&self, subject: &Subject<'_>, _expected: &Expectations, findings: &mut Findings) {
        let mut stamped = Vec::new();
        for view in subject.runnable() {
            if let Some(stamp) = check_program(&view, findings) {
                check_labels_agree(&view, &stamp, findings);
                check_port(&view, stamp.default_port, findings);
                stamped.push((view.name(), stamp));
            }
            check_labels(&view, self, findings);
        }
        check_stamps_agree(&stamped, findings);
    }
}

/// P10 and P13; returns the program's build stamp.
///
/// The stamp has the instructions that the compiler may use: the file itself does not, and a search for opcodes finds
/// those that a library picks at run time.
fn check_program(view: &ImageView<'_>, findings: &mut Findings) -> Option<Stamp> {
    let program = view.program()?;
    let object = format!("{} /{}", view.name(), program.path);
    let stamp = stamp::read(&program.bytes).ok();
    if stamp.is_none() {
        findings.add(&P13, &object, "it has no build stamp");
    }
    if Elf::read(&program.bytes).is_ok_and(|elf| elf.has_symbols) {
        findings.add(&P13, &object, "it is not stripped");
    }
    let size = program.bytes.len();
    if size > LARGEST_PROGRAM {
        let message = format!("{size} bytes, and {LARGEST_PROGRAM} is the limit");
        findings.add(&P13, &object, message);
    }
    let stamp = stamp?;
    let (machine, baseline) = match Machine::of(&program.bytes) {
        Some(machine @ Machine::Amd64) => (machine, AMD64),
        Some(machine @ Machine::Arm64) => (machine, ARM64),
        _ => return Some(stamp),
    };
    let used = stamp.target_features.split(',').filter(|it| !it.is_empty());
    let more: Vec<_> = used.filter(|it| !baseline.contains(it)).collect();
    if !more.is_empty() {
        let (more, machine) = (more.join(", "), machine.name());
        let message = format!("it was compiled for {more}, which not every {machine} has");
        findings.add(&P10, object, message);
    }
    Some(stamp)
}

/// P14 within one image: build stamp and labels.
fn check_labels_agree(view: &ImageView<'_>, stamp: &Stamp, findings: &mut Findings) {
    let Some(program) = view.program() else {
        return;
    };
    let labels = labels_of(view);
    for (key, stamped) in [(VERSION, &stamp.version), (REVISION, &stamp.commit)] {
        if let Some(label) = labels.get(key).filter(|label| *label != stamped) {
            let object = format!("{} /{}", view.name(), program.path);
            let key = key.trim_start_matches(PREFIX);
            let message = format!("its stamp has {stamped}, its label {key} has {label}");
            findings.add(&P14, object, message);
        }
    }
}

/// P14 between platforms: their build stamps.
fn check_stamps_agree(stamped: &[(String, Stamp)], findings: &mut Findings) {
    let Some(((first, expected), others)) = stamped.split_first() else {
        return;
    };
    for (name, stamp) in others {
        for (field, one, other) in [
            ("version", &expected.version, &stamp.version),
            ("commit", &expected.commit, &stamp.commit),
            ("web page", &expected.ui_sha256, &stamp.ui_sha256),
        ] {
            if one != other {
                let message = format!("its {field} is {other}, that of {first} is {one}");
                findings.add(&P14, name, message);
            }
        }
    }
}

/// C3 by the port in the build stamp.
fn check_port(view: &ImageView<'_>, port: u16, findings: &mut Findings) {
    let ports = view.run().and_then(|run| run.exposed_ports.as_ref());
    let ports = ports.into_iter().flat_map(|ports| ports.keys());
    let numbers = ports.filter_map(|port| port.split('/').next()?.parse::<u16>().ok());
    let numbers: Vec<_> = numbers.collect();
    if numbers != [port] {
        let message = format!("it exposes {numbers:?}, and the program listens on {port}");
        findings.add(&C3, view.name(), message);
    }
}

fn labels_of(view: &ImageView<'_>) -> Annotations {
    let labels = view.run().and_then(|run| run.labels.clone());
    labels.unwrap_or_default()
}

/// C6.
fn check_labels(view: &ImageView<'_>, own: &OwnRules, findings: &mut Findings) {
    if view.config().is_none() {
        return;
    }
    let labels = labels_of(view);
    let get = |key: &str| labels.get(key).map_or("", String::as_str);
    let mut missing = labels::REQUIRED.to_vec();
    missing.retain(|key| get(&format!("{PREFIX}{key}")).is_empty());
    let name = view.name();
    let mut add = |message: String| findings.add(&C6, &name, message);
    if !missing.is_empty() {
        add(format!("labels are missing: {}", missing.join(", ")));
    }
    let (source, licenses, revision) = (get(SOURCE), get(LICENSES), get(REVISION));
    if !source.is_empty() && !source.starts_with("https://") {
        add(format!("source `{source}` is not an https URL"));
    }
    if !licenses.is_empty() && !licenses::is_expression(licenses) {
        add(format!("licenses `{licenses}` is not an SPDX expression"));
    }
    let commit = revision.strip_suffix("-dirty").unwrap_or(revision);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !revision.is_empty() && (commit.len() != 40 || !commit.bytes().all(is_hex)) {
        let message = "is not the 40 hex digits of a commit";
        add(format!("revision `{revision}` {message}"));
    }
    let Some(release) = &own.release else {
        if revision.ends_with("-dirty") {
            let message = "it was made from a tree that differs from its commit";
            findings.add_as(Severity::Warning, &C6, &name, message);
        }
        return;
    };
    // A tree that differs from its commit accepts both: images with `-dirty`, and images of the commit itself.
    let commit = release.commit.trim_end_matches("-dirty");
    let is_exact = revision == release.commit;
    for (key, expected) in [
        (VERSION, release.version.as_str()),
        (REVISION, if is_exact { revision } else { commit }),
        (LICENSES, LICENSE),
        (SOURCE, REPOSITORY),
    ] {
        let found = get(key);
        if !found.is_empty() && found != expected {
            let key = key.trim_start_matches(PREFIX);
            add(format!("{key} is {found}, not {expected}"));
        }
    }
}

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
