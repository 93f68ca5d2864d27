//! The parts of README.md that follow from the list of targets and the formats of each.

use std::fmt::Write as _;

use anyhow::Context as _;
use noetl_help::Help as _;

use crate::release::packages::{apt, dnf, installers};
use crate::release::target::{Format, GLIBC_FLOOR, Libc, MACOS_MINIMUM, Os, TARGETS, Target, Tier};
use crate::release::workspace::{self, PACKAGES, REPOSITORY};

/// The bucket with the manifest for Scoop.
const SCOOP: &str = "https://github.com/noetl/scoop-bucket";

/// The document.
pub(crate) const README: &str = "README.md";

/// Returns README.md with its generated parts as they should be.
///
/// # Errors
/// When a part is missing.
pub(crate) fn readme(found: &str) -> anyhow::Result<String> {
    let text = replace(README, found, "targets", &targets())?;
    replace(README, &text, "install", &install())
}

/// Replaces what is between `<!-- NAME -->` and `<!-- /NAME -->` in a document.
///
/// # Errors
/// When the document has no such part.
pub(crate) fn replace(
    document: &str,
    text: &str,
    name: &str,
    part: &str,
) -> anyhow::Result<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let parts = text.split_once(&start).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts
        .with_context(|| format!("{document} has no part {name}"))
        .help(format!(
            "put the lines {} and {end} where it belongs",
            start.trim()
        ))?;
    Ok(format!("{before}{start}{part}{end}{after}"))
}

/// Returns the table of the targets, those that only differ in their instruction set in one row.
fn targets() -> String {
    let mut text = "| target | runs on | comes as |\n|---|---|---|\n".to_owned();
    let mut rows: Vec<(String, Vec<&Target>)> = Vec::new();
    for target in TARGETS {
        let row = format!("{} | {}", runs_on(target), comes_as(target));
        match rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, targets)) => targets.push(target),
            None => rows.push((row, vec![target])),
        }
    }
    for (row, targets) in rows {
        let names = targets.iter().map(|target| format!("`{}`", target.triple));
        let names = names.collect::<Vec<_>>().join(", ");
        writeln!(text, "| {names} | {row} |").expect("a string takes it");
    }
    text
}

fn runs_on(target: &Target) -> String {
    match (target.os, target.libc) {
        (Os::Linux, Libc::Glibc) => format!("glibc {}.{} and newer", GLIBC_FLOOR.0, GLIBC_FLOOR.1),
        (Os::Linux, _) => "any Linux, static".to_owned(),
        (Os::Mac, _) => format!("macOS {} and newer", MACOS_MINIMUM.0),
        (Os::Windows, _) => "Windows 10 and newer".to_owned(),
    }
}

fn comes_as(target: &Target) -> String {
    let formats = target.formats().iter().filter_map(|format| match format {
        Format::Archive => Some(target.archive_extension()),
        Format::Wheel => Some("wheel"),
        Format::Npm => Some("npm"),
        Format::Deb => Some("deb"),
        Format::Rpm => Some("rpm"),
        Format::Sbom => None,
    });
    let mut words: Vec<_> = formats.collect();
    words.extend(target.platform().map(|_| "image"));
    words.extend((target.tier == Tier::OnRequest).then_some("with `--targets all`"));
    words.join(", ")
}

/// Returns the ways to install it, one per habit, as (what people use, what they type).
fn ways() -> Vec<(&'static str, String)> {
    let has = |format: Format| TARGETS.iter().any(|it| it.formats().contains(&format));
    let on = |os: Os| TARGETS.iter().any(|it| it.os == os && it.is_default());
    let latest = format!("{REPOSITORY}/releases/latest/download");
    let mut ways = Vec::new();
    let mut add = |exists: bool, who: &'static str, what: &str| {
        ways.extend(exists.then(|| (who, what.to_owned())));
    };
    let shell = format!("curl -fsSL {latest}/{} \\| sh", installers::SHELL);
    let powershell = format!("irm {latest}/{} \\| iex", installers::POWERSHELL);
    add(on(Os::Linux) && on(Os::Mac), "a shell", &shell);
    add(on(Os::Windows), "PowerShell", &powershell);
    add(on(Os::Mac), "Homebrew", "brew install noetl/tap/noetl");
    add(
        has(Format::Deb),
        "apt",
        "sudo apt-get update && sudo apt-get install noetl",
    );
    add(has(Format::Rpm), "dnf", "sudo dnf install noetl");
    add(has(Format::Wheel), "Python", "pip install noetlctl");
    add(has(Format::Wheel), "", "pipx install noetlctl");
    add(has(Format::Wheel), "", "uv tool install noetlctl");
    add(has(Format::Npm), "Node", "npm install --global noetl");
    add(has(Format::Npm), "", "npx noetl");
    add(has(Format::Archive), "Rust", "cargo binstall noetlctl");
    add(on(Os::Windows), "Scoop", "scoop install noetl/noetl");
    add(on(Os::Windows), "winget", "winget install NoETL.NoETL");
    add(on(Os::Linux), "Arch Linux", "yay -S noetl-bin");
    let image = format!("{}/{}:latest", workspace::registry(), workspace::image());
    add(true, "containers", &format!("docker run {image}"));
    ways
}

/// Returns the table of the ways to install it.
fn install() -> String {
    let mut text = "| with | type |\n|---|---|\n".to_owned();
    for (who, what) in ways() {
        writeln!(text, "| {who} | `{what}` |").expect("a string takes it");
    }
    let (apt, dnf) = (apt::FOLDER, dnf::FOLDER);
    text + &format!(
        "\napt wants the repository and its key first; besides `stable`, it has the suites `jammy` and `noble`. dnf and \
         Scoop want theirs:\n\n```text\n\
         curl -fsSL {PACKAGES}/{apt}/noetl.asc | sudo tee /etc/apt/keyrings/noetl.asc\n\
         curl -fsSL {PACKAGES}/{apt}/noetl.sources | sudo tee /etc/apt/sources.list.d/noetl.sources\n\
         curl -fsSL {PACKAGES}/{dnf}/noetl.repo | sudo tee /etc/yum.repos.d/noetl.repo\n\
         scoop bucket add noetl {SCOOP}\n```\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_replaced_and_must_exist() {
        let text =
            "a\n<!-- targets -->\nold\n<!-- /targets -->\nb\n<!-- install -->\n<!-- /install -->\n";
        let text = readme(text).unwrap();
        assert!(!text.contains("old") && text.contains("brew install"));
        assert_eq!(readme(&text).unwrap(), text);
        assert!(readme("a").is_err());
    }

    #[test]
    fn targets_that_differ_in_their_instruction_set_share_a_row() {
        insta::assert_snapshot!(targets(), @r"
        | target | runs on | comes as |
        |---|---|---|
        | `x86_64-unknown-linux-musl`, `aarch64-unknown-linux-musl` | any Linux, static | tar.gz, wheel, npm, deb, rpm, image |
        | `x86_64-apple-darwin`, `aarch64-apple-darwin` | macOS 11 and newer | tar.gz, wheel, npm |
        | `x86_64-pc-windows-gnu`, `aarch64-pc-windows-gnullvm` | Windows 10 and newer | zip, wheel, npm |
        | `x86_64-unknown-linux-gnu`, `aarch64-unknown-linux-gnu` | glibc 2.17 and newer | tar.gz, with `--targets all` |
        ");
    }
}
