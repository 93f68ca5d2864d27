//! The rules that NoETL's own images are held to besides those of [`noetl_oci::rules`]: the build stamps of the
//! programs, the labels, and building the same image again.

use std::time::SystemTime;

use noetl_oci::annotation::{LICENSES, PREFIX, REVISION, SOURCE, VERSION};
use noetl_oci::rules::catalogue::C3;
use noetl_oci::rules::rule::Accepted;
use noetl_oci::rules::subject::View;
use noetl_oci::rules::{Expectations, Family, Findings, Rule, Severity, Subject};
use noetl_oci::{Annotations, Elf, Machine, Platform, Sha256};

use crate::image::plan::{MAKER, PORT};
use crate::image::{contents, labels};
use crate::release::check::ImageRules;
use crate::release::licenses;
use crate::release::stamp::{self, Stamp};
use crate::release::target::platforms;
use crate::release::version::Release;
use crate::release::workspace::Workspace;

pub(crate) static P10: Rule = Rule::error(
    "P10",
    "the program asks for no more than every such processor has",
    "`Illegal instruction` on an older machine, `exit code 132`",
)
.example("amd64's program uses AVX2", &["P10"], Accepted::Yes);

pub(crate) static P13: Rule = Rule::warning(
    "P13",
    "the program is stripped, of reasonable size, and carries its build stamp",
    "an image ten times as large, of which nobody knows what it is",
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
    "the labels are there and true: source, licence, version, revision",
    "a scanner blames the wrong version; a licence that is not one",
)
.example("the licence is `MIT License`", &["C6"], Accepted::Yes);

pub(crate) static X1: Rule = Rule::error(
    "X1",
    "built again in another folder, umask, time zone, locale and number of threads, the image has the same digest",
    "nobody can tell whether an image was made from the source it names",
);

pub(crate) static X2: Rule = Rule::error(
    "X2",
    "another machine builds the same digest",
    "an image depends on who builds it, and a mended one cannot be compared",
);

pub(crate) static X3: Rule = Rule::warning(
    "X3",
    "since the last release only the program has changed, and what is said of it",
    "a base or a certificate changes, and nobody can tell why",
);

/// Instruction set extensions that every processor of an architecture has.
const BASELINE: &[(Machine, &[&str])] = &[
    (
        Machine::Amd64,
        &["crt-static", "fxsr", "sse", "sse2", "x87"],
    ),
    (Machine::Arm64, &["crt-static", "neon"]),
];

/// The largest program that is not warned of, in bytes: a third more than the largest that was shipped.
const LARGEST_PROGRAM: usize = 64 * 1024 * 1024;

/// Returns every rule: on images of any maker, on NoETL's own, on registries and on building again.
pub(crate) fn all() -> Vec<&'static Rule> {
    let own = [&P10, &P13, &P14, &C6, &X1, &X2, &X3];
    noetl_oci::rules::rule::sorted(noetl_oci::rules::catalogue::all().chain(own))
}

/// What the repository says of an image that was made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// `[workspace.package] version`.
    pub version: String,
    /// Forty hex digits, with `-dirty` when the tree differs from it.
    pub revision: String,
    /// An SPDX expression.
    pub licenses: String,
    /// The repository's https URL.
    pub source: String,
}

/// The rules on NoETL's images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnRules {
    /// What the image is compared with; without it, only the form of what it says is judged.
    pub project: Option<Project>,
}

/// What an image is held to: the expectations of all rules, and NoETL's own rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageStandard {
    /// What is expected of it.
    pub expected: Expectations,
    /// NoETL's own rules.
    pub own: OwnRules,
}

impl ImageStandard {
    /// What any image of NoETL for these platforms is held to, whatever commit it is of.
    pub(crate) fn without_project(platforms: &[Platform]) -> Self {
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

    /// What the image of a dist is held to: the same on every machine, whatever its clock says.
    pub(crate) fn of_dist() -> Self {
        let any = Self::without_project(&platforms());
        Self {
            expected: Expectations {
                now: None,
                ..any.expected
            },
            ..any
        }
    }

    /// Returns it as checks take it.
    pub(crate) fn rules(&self) -> ImageRules<'_> {
        ImageRules {
            expected: &self.expected,
            own: &self.own,
        }
    }

    /// What an image made from this checkout is held to.
    pub(crate) fn of_project(
        workspace: &Workspace,
        release: &Release,
        platforms: &[Platform],
    ) -> Self {
        let any = Self::without_project(platforms);
        Self {
            expected: Expectations {
                now: Some(now().max(release.commit_time)),
                created: Some(release.commit_time),
                port: Some(PORT),
                ca_sha256: Some(Sha256::of(contents::ca_bundle().as_bytes())),
                ..any.expected
            },
            own: OwnRules {
                project: Some(Project {
                    version: release.version.clone(),
                    revision: release.commit.clone(),
                    licenses: workspace.license.clone(),
                    source: workspace.repository.clone(),
                }),
            },
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
            check_labels(&view, self.project.as_ref(), findings);
        }
        check_stamps_agree(&stamped, findings);
    }
}

/// P10 and P13; returns the program's build stamp.
///
/// The stamp says which instructions the compiler may use: compilers leave no note of it in the file, and searching for
/// opcodes finds those that a library picks at run time.
fn check_program(view: &View<'_>, findings: &mut Findings) -> Option<Stamp> {
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
    let machine = Machine::of(&program.bytes);
    if let Some((machine, baseline)) = BASELINE.iter().find(|(it, _)| Some(*it) == machine) {
        let used = stamp.target_features.split(',').filter(|it| !it.is_empty());
        let more: Vec<_> = used.filter(|it| !baseline.contains(it)).collect();
        if !more.is_empty() {
            let (more, machine) = (more.join(", "), machine.name());
            let message = format!("it was compiled for {more}, which not every {machine} has");
            findings.add(&P10, object, message);
        }
    }
    Some(stamp)
}

/// P14 within one image: what the program says, and what the labels say.
fn check_labels_agree(view: &View<'_>, stamp: &Stamp, findings: &mut Findings) {
    let Some(program) = view.program() else {
        return;
    };
    let labels = labels_of(view);
    for (key, stamped) in [(VERSION, &stamp.version), (REVISION, &stamp.commit)] {
        if let Some(label) = labels.get(key).filter(|label| *label != stamped) {
            let object = format!("{} /{}", view.name(), program.path);
            let key = key.trim_start_matches(PREFIX);
            let message = format!("its stamp says {stamped}, the label {key} {label}");
            findings.add(&P14, object, message);
        }
    }
}

/// P14 between platforms.
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

/// C3 by what the program says of its port.
fn check_port(view: &View<'_>, port: u16, findings: &mut Findings) {
    let ports = view.run().and_then(|run| run.exposed_ports.as_ref());
    let numbers: Vec<_> = ports
        .into_iter()
        .flat_map(|ports| ports.keys())
        .filter_map(|port| port.split('/').next()?.parse::<u16>().ok())
        .collect();
    if numbers != [port] {
        let message = format!("it exposes {numbers:?}, and the program listens on {port}");
        findings.add(&C3, view.name(), message);
    }
}

fn labels_of(view: &View<'_>) -> Annotations {
    let labels = view.run().and_then(|run| run.labels.clone());
    labels.unwrap_or_default()
}

/// C6.
fn check_labels(view: &View<'_>, project: Option<&Project>, findings: &mut Findings) {
    if view.config().is_none() {
        return;
    }
    let labels = labels_of(view);
    let get = |key: &str| labels.get(key).map_or("", String::as_str);
    let missing: Vec<_> = labels::REQUIRED
        .iter()
        .filter(|key| get(&format!("{PREFIX}{key}")).is_empty())
        .copied()
        .collect();
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
        add(format!(
            "revision `{revision}` is not a commit's 40 hex digits"
        ));
    }
    let Some(project) = project else {
        if revision.ends_with("-dirty") {
            let message = "it was made from a tree that differs from its commit";
            findings.add_as(Severity::Warning, &C6, &name, message);
        }
        return;
    };
    // A tree that differs from its commit is pushed to this machine's registries alone, and its image says so.
    let commit = project.revision.trim_end_matches("-dirty");
    for (key, expected) in [
        (VERSION, project.version.as_str()),
        (REVISION, commit),
        (LICENSES, &project.licenses),
        (SOURCE, &project.source),
    ] {
        let found = get(key);
        let is_dirty_tree = key == REVISION && found == project.revision;
        if !found.is_empty() && found != expected && !is_dirty_tree {
            let key = key.trim_start_matches(PREFIX);
            add(format!("{key} is {found}, not {expected}"));
        }
    }
}

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
