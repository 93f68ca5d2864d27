//! npm packages: `noetl`, which starts the program of one optional package per platform. npm installs the package whose
//! `os` and `cpu` are those of the machine; no script runs at the installation.

#[cfg(test)]
mod tests;

use anyhow::{Context as _, ensure};
use noetl_oci::Blob;
use noetl_oci::tar::Entry;
use serde_json::{Map, Value, json};

use crate::release::packages::archives;
use crate::release::packages::companions::{Companion, THIRD_PARTY};
use crate::release::target::{Arch, Format, Os, Target};
use crate::release::version::Release;
use crate::release::workspace::{LICENSE, REPOSITORY};

/// The package that people install.
pub(crate) const NAME: &str = "noetl";
const SUMMARY: &str =
    "NoETL: workflow automation from YAML playbooks, as one command line and server";
/// The oldest Node that the launcher runs on.
const NODE: &str = ">=18";
/// The program that npm puts on PATH. `PACKAGES` stands for the packages by platform.
const LAUNCHER: &str = include_str!("npm/noetl.js");
/// The companions of a platform's package.
const OF_PROGRAM: &[&str] = &["LICENSE", THIRD_PARTY];
/// The companions of the package `noetl`, beside its manual pages.
const OF_NAME: &[&str] = &["CHANGELOG.md", "LICENSE", "README.md"];
/// The folder in every package.
const FOLDER: &str = "package";

/// The program of a platform's package, or the targets whose packages `noetl` names.
#[derive(Debug, Clone)]
pub(crate) enum Contents<'a> {
    Program(&'a Target, Blob),
    Launcher(&'a [&'a Target]),
}

/// Returns npm's name of a platform, such as `linux-x64`.
fn platform(target: &Target) -> (&'static str, &'static str) {
    let os = match target.os {
        Os::Linux => "linux",
        Os::Mac => "darwin",
        Os::Windows => "win32",
    };
    let cpu = match target.arch {
        Arch::X86_64 => "x64",
        Arch::Aarch64 => "arm64",
    };
    (os, cpu)
}

/// Returns the name of a platform's package.
pub(crate) fn package(target: &Target) -> String {
    let (os, cpu) = platform(target);
    format!("@noetl/cli-{os}-{cpu}")
}

/// Returns the targets among these that have a package.
pub(crate) fn targets(all: &[&'static Target]) -> Vec<&'static Target> {
    let targets = all.iter().copied();
    targets
        .filter(|target| target.formats().contains(&Format::Npm))
        .collect()
}

/// Returns the file name of a package, as `npm pack` writes it.
pub(crate) fn file_name(release: &Release, package: &str) -> String {
    let name = package.trim_start_matches('@').replace('/', "-");
    format!("{name}-{}.tgz", release.version)
}

/// Whether the package `noetl`, or else a platform's, holds a companion.
pub(crate) fn holds(contents: &Contents<'_>, companion: &str) -> bool {
    match contents {
        Contents::Program(..) => OF_PROGRAM.contains(&companion),
        Contents::Launcher(_) => OF_NAME.contains(&companion) || companion.starts_with("man/"),
    }
}

/// Returns the entries of a package; of the companions, those that it holds.
pub(crate) fn entries(
    release: &Release,
    contents: &Contents<'_>,
    companions: &[Companion],
) -> anyhow::Result<Vec<Entry>> {
    let held = companions.iter().filter(|it| holds(contents, &it.path));
    let held: Vec<_> = held.collect();
    let files = held
        .iter()
        .map(|it| Entry::file(&it.path, 0o644, it.bytes.clone()));
    let mut files: Vec<_> = files.collect();
    let mut document = json!({
        "version": release.version,
        "description": SUMMARY,
        "license": LICENSE,
        "repository": { "type": "git", "url": format!("git+{REPOSITORY}.git") },
        "type": "commonjs",
        "publishConfig": { "access": "public" },
    });
    match contents {
        Contents::Program(target, binary) => {
            let (os, cpu) = platform(target);
            document["name"] = package(target).into();
            document["os"] = json!([os]);
            document["cpu"] = json!([cpu]);
            // Yarn would leave it in its zip, where it cannot be started.
            document["preferUnplugged"] = true.into();
            let path = format!("bin/{}", target.binary_name());
            files.push(Entry::file(&path, 0o755, binary.clone()));
        }
        Contents::Launcher(targets) => {
            let pages = held.iter().filter(|it| it.path.starts_with("man/"));
            let pages = pages.map(|page| Value::from(format!("./{}", page.path)));
            let packages = targets.iter().map(|target| package(target));
            let packages: Map<_, _> = packages
                .map(|it| (it, release.version.clone().into()))
                .collect();
            document["name"] = NAME.into();
            document["bin"] = json!({ NAME: "bin/noetl.js" });
            document["man"] = pages.collect();
            document["engines"] = json!({ "node": NODE });
            document["keywords"] = json!(["workflow", "automation", "etl", "playbook"]);
            document["optionalDependencies"] = packages.into();
            files.push(Entry::file(
                "bin/noetl.js",
                0o755,
                launcher(targets)?.into_bytes(),
            ));
        }
    }
    let document = format!("{}\n", serde_json::to_string_pretty(&document)?);
    files.push(Entry::file("package.json", 0o644, document.into_bytes()));
    Ok(archives::in_folder(FOLDER, files))
}

fn launcher(targets: &[&Target]) -> anyhow::Result<String> {
    let names = targets.iter().map(|target| {
        let (os, cpu) = platform(target);
        (format!("{os}-{cpu}"), package(target).into())
    });
    let names: Map<String, Value> = names.collect();
    let names = serde_json::to_string_pretty(&names)?;
    Ok(LAUNCHER.replacen("PACKAGES", &names, 1))
}

/// Returns the program of a platform's package, when it is one, and the companions of a package.
///
/// # Errors
/// When a file is not in the package's folder.
pub(crate) fn parts(entries: Vec<Entry>) -> anyhow::Result<(Option<Blob>, Vec<Companion>)> {
    let folder = format!("{FOLDER}/");
    let (mut program, mut companions) = (None, Vec::new());
    for entry in entries
        .into_iter()
        .filter(|entry| !entry.path.ends_with('/'))
    {
        let path = entry.path.strip_prefix(&folder);
        let path = path.with_context(|| format!("{} is not in {folder}", entry.path))?;
        match path {
            "package.json" | "bin/noetl.js" => {}
            "bin/noetl" | "bin/noetl.exe" => program = Some(entry.content),
            _ => {
                let is_known = OF_NAME.contains(&path)
                    || OF_PROGRAM.contains(&path)
                    || path.starts_with("man/");
                ensure!(is_known, "{path} is not of an npm package");
                companions.push(Companion::new(path, entry.content.read()?));
            }
        }
    }
    Ok((program, companions))
}
