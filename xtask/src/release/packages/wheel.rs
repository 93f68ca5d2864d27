//! Python wheels: distribution `noetlctl`, import package `noetl`. A wheel puts the binary on PATH, and holds the launcher
//! for `python -m noetl`.
//!
//! Follows the binary distribution format of packaging.python.org: Metadata 2.4 (PEP 639 for licences, PEP 770 for the
//! SBOM), and platform tags of PEP 600 (manylinux) and PEP 656 (musllinux).

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use anyhow::{Context as _, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use noetl_help::Help as _;
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use crate::release::binary::Facts;
use crate::release::packages::companions::{Companion, LAUNCHER, THIRD_PARTY};
use crate::release::target::{Arch, Libc, Os, Target};
use crate::release::version::Release;
use crate::release::workspace::{LICENSE, REPOSITORY};

/// The name of the distribution, which `pip install` takes.
pub(crate) const DISTRIBUTION: &str = "noetlctl";
const SUMMARY: &str =
    "NoETL: workflow automation from YAML playbooks, as one command line and server";
/// The oldest Python that the launcher runs on.
const PYTHON: &str = ">=3.9";
/// The glibc of manylinux2014, the oldest that pip knows by two names.
const MANYLINUX_2014: (u32, u32) = (2, 17);
/// Where companions are installed below the prefix of the environment, as (companion, path).
const SHARED: &[(&str, &str)] = &[
    ("completions/_noetl", "share/zsh/site-functions/_noetl"),
    (
        "completions/noetl.bash",
        "share/bash-completion/completions/noetl",
    ),
    (
        "completions/noetl.fish",
        "share/fish/vendor_completions.d/noetl.fish",
    ),
];
const LICENSES: &[&str] = &["LICENSE", THIRD_PARTY];

/// What a wheel is made of.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    pub binary: Blob,
    /// The files of [`LAUNCHER`].
    pub launcher: Vec<Companion>,
    pub companions: Vec<Companion>,
    /// The SBOM in CycloneDX.
    pub sbom: Vec<u8>,
}

/// Returns the version as PEP 440 writes it: `1.2.3-rc.1` is `1.2.3rc1`.
///
/// # Errors
/// When a pre-release is neither alpha, beta, rc nor nightly with a number, since Python has no name for it.
pub(crate) fn pep440(version: &str) -> anyhow::Result<String> {
    let Some((number, pre)) = version.split_once('-') else {
        return Ok(version.to_owned());
    };
    let (word, count) = pre.split_once('.').unwrap_or((pre, "0"));
    let letter = match word {
        "alpha" => "a",
        "beta" => "b",
        "rc" => "rc",
        "nightly" => ".dev",
        _ => "",
    };
    let is_known = !letter.is_empty() && count.parse::<u32>().is_ok();
    if !is_known {
        return Err(anyhow!("the version {version} has no name in Python"))
            .help("end it with -alpha.1, -beta.1, -rc.1 or -nightly.20260131");
    }
    Ok(format!("{number}{letter}{count}"))
}

/// Returns the platform tags of a binary, from what its headers say that it needs.
///
/// # Errors
/// When pip has no tag for it.
pub(crate) fn tags(target: &Target, facts: &Facts) -> anyhow::Result<Vec<String>> {
    let machine = match (target.os, target.arch) {
        (_, Arch::X86_64) => "x86_64",
        (Os::Mac, Arch::Aarch64) => "arm64",
        (_, Arch::Aarch64) => "aarch64",
    };
    let manylinux = |(major, minor)| {
        let tag = format!("manylinux_{major}_{minor}_{machine}");
        let old = ((major, minor) == MANYLINUX_2014).then(|| format!("manylinux2014_{machine}"));
        std::iter::once(tag).chain(old)
    };
    Ok(match target.os {
        // A static binary needs no C library, and runs on musl as well as on glibc.
        Os::Linux if target.libc == Libc::Static => {
            let is_static = facts.glibc.is_none() && facts.libraries.is_empty();
            ensure!(is_static, "the binary of {} loads libraries", target.triple);
            let tags = manylinux(MANYLINUX_2014);
            tags.chain([format!("musllinux_1_1_{machine}")]).collect()
        }
        Os::Linux => {
            let glibc = facts.glibc.context("the binary needs no glibc")?;
            manylinux(glibc.max(MANYLINUX_2014)).collect()
        }
        Os::Mac => {
            let minimum = facts.macos_minimum.context("the binary names no macOS")?;
            // Since macOS 11, pip looks for the major version with .0 alone.
            let (major, minor) = if minimum.0 >= 11 {
                (minimum.0, 0)
            } else {
                minimum
            };
            vec![format!("macosx_{major}_{minor}_{machine}")]
        }
        Os::Windows => vec![match target.arch {
            Arch::X86_64 => "win_amd64".to_owned(),
            Arch::Aarch64 => "win_arm64".to_owned(),
        }],
    })
}

/// Returns the name of the wheels of a release, with a `*` for their tags.
pub(crate) fn pattern(release: &Release) -> String {
    let version = pep440(&release.version).unwrap_or_else(|_| release.version.clone());
    format!("{DISTRIBUTION}-{version}-py3-none-*.whl")
}

/// Returns the file name.
pub(crate) fn file_name(release: &Release, tags: &[String]) -> anyhow::Result<String> {
    let version = pep440(&release.version)?;
    Ok(format!(
        "{DISTRIBUTION}-{version}-py3-none-{}.whl",
        tags.join(".")
    ))
}

/// Returns the entries, in the order of the file: RECORD, which lists the others, is the last.
pub(crate) fn entries(
    release: &Release,
    target: &Target,
    tags: &[String],
    contents: &Contents,
) -> anyhow::Result<Vec<Entry>> {
    let stem = format!("{DISTRIBUTION}-{}", pep440(&release.version)?);
    let (data, info) = (format!("{stem}.data"), format!("{stem}.dist-info"));
    let mut entries = Vec::new();
    let mut add = |path: &str, bytes: &[u8]| entries.push(Entry::file(path, 0o644, bytes.to_vec()));
    for file in &contents.launcher {
        add(&file.path, &file.bytes);
    }
    for companion in &contents.companions {
        if let Some(path) = shared_path(&companion.path) {
            add(&format!("{data}/data/{path}"), &companion.bytes);
        }
        if LICENSES.contains(&companion.path.as_str()) {
            add(
                &format!("{info}/licenses/{}", companion.path),
                &companion.bytes,
            );
        }
    }
    let readme = contents.companions.iter().find(|it| it.path == "README.md");
    let readme = std::str::from_utf8(&readme.context("README.md is missing")?.bytes)?;
    add(
        &format!("{info}/METADATA"),
        metadata(release, readme)?.as_bytes(),
    );
    add(&format!("{info}/WHEEL"), wheel(release, tags).as_bytes());
    add(&format!("{info}/sboms/noetl.cdx.json"), &contents.sbom);
    let script = format!("{data}/scripts/{}", target.binary_name());
    entries.push(Entry::file(&script, 0o755, contents.binary.clone()));
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let path = format!("{info}/RECORD");
    let record = record(&entries, &path)?;
    entries.push(Entry::file(&path, 0o644, record.into_bytes()));
    Ok(entries)
}

/// Returns the path below the environment's prefix of a companion that is installed there.
fn shared_path(companion: &str) -> Option<String> {
    if let Some(page) = companion.strip_prefix("man/") {
        return Some(format!("share/man/man1/{page}"));
    }
    let mut shared = SHARED.iter();
    shared.find_map(|(from, to)| (*from == companion).then(|| (*to).to_owned()))
}

/// Returns the metadata of the distribution, with README.md as its text.
///
/// # Errors
/// When the version has no name in Python.
pub(crate) fn metadata(release: &Release, readme: &str) -> anyhow::Result<String> {
    let version = pep440(&release.version)?;
    let mut text = format!(
        "Metadata-Version: 2.4\nName: {DISTRIBUTION}\nVersion: {version}\nSummary: {SUMMARY}\n\
         Keywords: workflow,automation,etl,playbook\nLicense-Expression: {LICENSE}\n"
    );
    for license in LICENSES {
        writeln!(text, "License-File: {license}")?;
    }
    write!(
        text,
        "Project-URL: Repository, {REPOSITORY}\nProject-URL: Changelog, {REPOSITORY}/releases\n\
         Requires-Python: {PYTHON}\nDescription-Content-Type: text/markdown\n\n{readme}"
    )?;
    Ok(text)
}

fn wheel(release: &Release, tags: &[String]) -> String {
    let generator = format!("noetl-xtask {}", release.version);
    let lines = tags.iter().map(|tag| format!("Tag: py3-none-{tag}\n"));
    let tags: String = lines.collect();
    format!("Wheel-Version: 1.0\nGenerator: {generator}\nRoot-Is-Purelib: false\n{tags}")
}

/// Returns RECORD: each file with its hash and its size; the last line is its own, without either.
fn record(entries: &[Entry], own: &str) -> anyhow::Result<String> {
    let mut lines = String::new();
    for entry in entries {
        let bytes = entry.content.read()?;
        let hash = URL_SAFE_NO_PAD.encode(Sha256::of(&bytes).bytes());
        writeln!(lines, "{},sha256={hash},{}", entry.path, bytes.len())?;
    }
    writeln!(lines, "{own},,")?;
    Ok(lines)
}

/// Returns the contents of a wheel as [`entries`] was given them: of companions, those that a wheel holds.
///
/// # Errors
/// When the binary, the SBOM or a file of the launcher is missing, or an entry is none of a wheel.
pub(crate) fn contents(
    release: &Release,
    target: &Target,
    entries: Vec<Entry>,
) -> anyhow::Result<Contents> {
    let stem = format!("{DISTRIBUTION}-{}", pep440(&release.version)?);
    let (data, info) = (format!("{stem}.data/"), format!("{stem}.dist-info/"));
    let (mut binary, mut sbom) = (None, None);
    let (mut launcher, mut companions) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.path.as_str();
        if LAUNCHER.contains(&path) {
            launcher.push(Companion::new(path, entry.content.read()?));
        } else if let Some(name) = path.strip_prefix(&format!("{data}scripts/")) {
            ensure!(name == target.binary_name(), "{path} is not the binary");
            binary = Some(entry.content);
        } else if let Some(shared) = path.strip_prefix(&format!("{data}data/")) {
            let companion = companion_at(shared);
            let companion = companion.with_context(|| format!("{path} is not a companion"))?;
            companions.push(Companion::new(companion, entry.content.read()?));
        } else {
            let own = path
                .strip_prefix(&info)
                .with_context(|| format!("{path} is not of a wheel"))?;
            match own.strip_prefix("licenses/") {
                Some(license) => companions.push(Companion::new(license, entry.content.read()?)),
                None if own == "sboms/noetl.cdx.json" => sbom = Some(entry.content.read()?),
                None if own == "METADATA" => {
                    let text = String::from_utf8(entry.content.read()?)?;
                    let (_, readme) = text.split_once("\n\n").context("METADATA has no text")?;
                    companions.push(Companion::new("README.md", readme));
                }
                None => ensure!(
                    ["WHEEL", "RECORD"].contains(&own),
                    "{path} is not of a wheel"
                ),
            }
        }
    }
    let is_whole = launcher
        .iter()
        .map(|file| file.path.as_str())
        .eq(LAUNCHER.iter().copied());
    ensure!(is_whole, "the launcher is not complete");
    companions.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Contents {
        binary: binary.context("the binary is missing")?,
        launcher,
        companions,
        sbom: sbom.context("the SBOM is missing")?,
    })
}

/// Whether a wheel holds a companion.
pub(crate) fn holds(companion: &str) -> bool {
    companion == "README.md" || LICENSES.contains(&companion) || shared_path(companion).is_some()
}

fn companion_at(shared: &str) -> Option<String> {
    if let Some(page) = shared.strip_prefix("share/man/man1/") {
        return Some(format!("man/{page}"));
    }
    let mut all = SHARED.iter();
    all.find_map(|(from, to)| (*to == shared).then(|| (*from).to_owned()))
}
