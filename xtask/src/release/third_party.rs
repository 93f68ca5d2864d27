//! The licences of everything that is compiled into `noetl`: crates, and the npm packages of its web page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::cargo::Host;
use crate::release::page::Npm;
use crate::release::sbom::graph::Graph;
use crate::release::sbom::{crates, npm};
use crate::release::target::Target;

/// Beginnings of the names of files that hold licences and notices, in upper case.
const NAMES: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];
/// Folders of packages that are not compiled.
const SKIPPED: &[&str] = &[
    "benches",
    "examples",
    "fuzz",
    "node_modules",
    "target",
    "test",
    "tests",
];
/// The line before and after the packages that have a licence.
const RULE: &str =
    "--------------------------------------------------------------------------------";

/// The text before the list.
pub(crate) const HEADER: &str = "noetl contains the packages below, each under the licence beside it, and Rust's standard library\n\
    (MIT OR Apache-2.0). The texts of the licences follow, as the packages have them.\n\n";

/// A package with the texts of its licences.
#[derive(Debug)]
struct Notice {
    /// Name and version.
    package: String,
    /// The SPDX expression that it declares.
    license: String,
    texts: BTreeSet<String>,
}

/// Returns the text of `THIRD-PARTY-LICENSES` for the binaries of these targets.
///
/// # Errors
/// When cargo or npm fails, or the source of a package is not on this machine.
pub(crate) fn licenses(ctx: &Ctx, targets: &[&Target]) -> anyhow::Result<String> {
    let host = Host::read(ctx)?;
    let mut notices = BTreeMap::new();
    for target in targets {
        let graph = crates::resolve(ctx, target)?;
        add(&mut notices, &graph, |name, version| {
            let mut folders = host.package_folders.iter();
            folders.find_map(|folder| {
                let folder = folder.join(format!("{name}-{version}"));
                folder.is_dir().then_some(folder)
            })
        })?;
    }
    // Installs the packages, unless they are there.
    Npm::ready(ctx)?;
    let lock = files::read_to_string(&ctx.root.join("ui-src/package-lock.json"))?;
    let modules = ctx.root.join("ui-src/node_modules");
    add(&mut notices, &npm::parse(&lock)?, |name, _| {
        Some(modules.join(name)).filter(|folder| folder.is_dir())
    })?;
    Ok(write(notices.values()))
}

/// Adds the notices of packages that are downloaded; those of this repository have its own licence.
fn add(
    notices: &mut BTreeMap<String, Notice>,
    graph: &Graph,
    folder: impl Fn(&str, &str) -> Option<Utf8PathBuf>,
) -> anyhow::Result<()> {
    for (purl, package) in graph.packages.iter().filter(|(_, it)| it.hash.is_some()) {
        if notices.contains_key(purl) {
            continue;
        }
        let (name, version) = (&package.name, &package.version);
        let source = folder(name, version)
            .with_context(|| format!("the source of {name} {version} is not on this machine"))?;
        let mut texts = BTreeSet::new();
        collect(&source, &mut texts)?;
        let license = package.license.clone();
        notices.insert(
            purl.clone(),
            Notice {
                package: format!("{name} {version}"),
                license: license.with_context(|| format!("{name} declares no licence"))?,
                texts,
            },
        );
    }
    Ok(())
}

/// Collects the licences in a folder and in those below it, which hold libraries of other languages.
fn collect(folder: &Utf8Path, texts: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let cannot = || format!("cannot list {folder}");
    for entry in folder.read_dir_utf8().with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let (name, kind) = (entry.file_name(), entry.file_type().with_context(cannot)?);
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name) {
            collect(entry.path(), texts)?;
        } else if kind.is_file() && is_license(name) {
            let bytes = files::read(entry.path())?;
            texts.insert(normal(&String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(())
}

fn is_license(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_source = [".RS", ".H", ".C", ".JS", ".TOML", ".JSON"]
        .iter()
        .any(|end| upper.ends_with(end));
    !is_source && NAMES.iter().any(|begin| upper.starts_with(begin))
}

/// Returns a text without trailing spaces and with line feeds alone, so that equal licences are equal texts.
fn normal(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Returns a list of packages, and each licence once with the packages that have it.
fn write<'a>(notices: impl Iterator<Item = &'a Notice> + Clone) -> String {
    let mut out = HEADER.to_owned();
    let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Notice {
        package,
        license,
        texts,
    } in notices.clone()
    {
        let none = if texts.is_empty() {
            ", without a text"
        } else {
            ""
        };
        writeln!(out, "{package}: {license}{none}").expect("a string grows");
        for text in texts {
            by_text.entry(text).or_default().push(package);
        }
    }
    let mut all: Vec<_> = by_text
        .into_iter()
        .map(|(text, packages)| (packages, text))
        .collect();
    all.sort();
    for (packages, text) in all {
        let packages = packages.join(", ");
        write!(out, "\n{RULE}\n{packages}\n{RULE}\n\n{text}\n").expect("a string grows");
    }
    out
}

/// Checks that a text is one that [`licenses`] may have written.
///
/// # Errors
/// When it is cut short or of another kind.
pub(crate) fn check(text: &str) -> anyhow::Result<()> {
    let rules = text.lines().filter(|line| *line == RULE).count();
    // A program may have no dependency; what comes before the list is always there.
    let is_whole = rules.is_multiple_of(2) && text.starts_with(HEADER) && text.ends_with('\n');
    ensure!(is_whole, "it is not the list of licences");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_licences_are_written_once() {
        let notice = |package: &str, texts: &[&str]| Notice {
            package: package.to_owned(),
            license: "MIT".to_owned(),
            texts: texts.iter().map(|text| normal(text)).collect(),
        };
        let notices = [
            notice("a 1.0.0", &["MIT of a  \r\n\r\n"]),
            notice("b 1.0.0", &["shared\n", "own"]),
            notice("c 1.0.0", &["shared"]),
            notice("d 1.0.0", &[]),
        ];
        let text = write(notices.iter());
        check(&text).unwrap();
        assert!(check(&text[..100]).is_err());
        let text = text.replace(RULE, "--");
        insta::assert_snapshot!(text, @"
        noetl contains the packages below, each under the licence beside it, and Rust's standard library
        (MIT OR Apache-2.0). The texts of the licences follow, as the packages have them.

        a 1.0.0: MIT
        b 1.0.0: MIT
        c 1.0.0: MIT
        d 1.0.0: MIT, without a text

        --
        a 1.0.0
        --

        MIT of a

        --
        b 1.0.0
        --

        own

        --
        b 1.0.0, c 1.0.0
        --

        shared
        ");
    }

    #[test]
    fn licences_are_found_by_their_names() {
        let found = [
            "LICENSE-MIT",
            "license.txt",
            "COPYING",
            "Unlicense",
            "NOTICE.md",
        ];
        assert!(found.iter().all(|name| is_license(name)));
        let others = ["README.md", "license.rs", "MIT.txt"];
        assert!(!others.iter().any(|name| is_license(name)));
    }
}
