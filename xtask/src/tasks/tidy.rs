//! The job `tidy` of `cargo xtask ci`: checks of the repository, as functions from files to findings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run};
use crate::release::target::{Os, TARGETS};
use crate::release::workspace;

/// The text files of the repository, by path.
type Tree = BTreeMap<String, String>;

/// How many crates xtask may consist of: every contributor compiles them first.
const XTASK_CRATES: usize = 95;

/// A separate workspace, for tests.
const FIXTURE: &str = "xtask/tests/fixture/";

/// How many lines a source file may have.
const LINES: usize = 400;

/// A source file that is generated, whatever its length.
const GENERATED: &str = "ui-src/src/api/schema.ts";

/// Prints every finding as `path:line: message`, and fails when there is one.
pub(super) fn run(ctx: &Ctx) -> anyhow::Result<()> {
    let mut tree = Tree::new();
    for path in git::list(ctx, ".")? {
        if let Ok(text) = files::read_to_string(&ctx.root.join(&path)) {
            tree.insert(path, text);
        }
    }
    let mut findings = Vec::new();
    for (path, text) in &tree {
        findings.extend(check_source(path, text));
    }
    findings.extend(check_versions(&tree, &workspace::version(ctx)?));
    findings.extend(check_budget(crates(ctx, &["--package", "xtask"])?.len()));
    findings.extend(check_crates(ctx)?);
    findings.iter().for_each(|finding| output::finding(finding));
    let count = findings.len();
    anyhow::ensure!(count == 0, "{count} findings in the repository");
    Ok(())
}

/// Returns the crates that cargo would compile, with their features.
fn crates(ctx: &Ctx, args: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let sh = &ctx.shell;
    let tree = cmd!(sh, "cargo tree --locked --edges normal,build --prefix none");
    let listing = run::read(ctx, tree.args(["--format", "{p} {f}"]).args(args))?;
    let crates = listing.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(crates.map(ToOwned::to_owned).collect())
}

/// Checks that the crates of each target have the same features whatever is built with them, since they would give
/// another binary, and that those of the Mac targets link without an SDK.
fn check_crates(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut all = vec!["--package", "noetlctl"];
    for target in TARGETS {
        all.extend(["--target", target.triple]);
    }
    let together = crates(ctx, &all)?;
    let mut findings = Vec::new();
    for target in TARGETS {
        let triple = target.triple;
        let single = crates(ctx, &["--package", "noetlctl", "--target", triple])?;
        let differences = single.difference(&together);
        findings.extend(differences.map(|name| {
            format!("Cargo.toml:1: {triple} built with other targets has other features: {name}")
        }));
        if target.os == Os::Mac {
            findings.extend(check_frameworks(&single));
        }
    }
    Ok(findings)
}

fn check_budget(count: usize) -> Option<String> {
    let finding = || format!("xtask/Cargo.toml:1: {count} crates; {XTASK_CRATES} is the limit");
    (count > XTASK_CRATES).then(finding)
}

/// Finds crates that link a macOS framework, which needs Apple's SDK.
fn check_frameworks(crates: &BTreeSet<String>) -> Vec<String> {
    const MARKS: &[&str] = &[
        "apple-",
        "block2",
        "cocoa",
        "core-foundation",
        "core-graphics",
        "core-services",
        "dispatch2",
        "fsevent",
        "io-kit",
        "mach2",
        "objc",
        "security-framework",
        "system-configuration",
        // Version 2 links one only with a feature that is not enabled here.
        "whoami v1",
    ];
    let links = |name: &&String| MARKS.iter().any(|mark| name.starts_with(mark));
    let finding =
        |name| format!("Cargo.lock:1: {name} links a macOS framework, which needs Apple's SDK");
    crates.iter().filter(links).map(finding).collect()
}

/// Checks that a source file starts with a comment on what it contains, is not too long, and is finished.
fn check_source(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let comments: &[&str] = match path.rsplit('.').next() {
        Some("rs") => &["//!"],
        Some("ts" | "tsx") => &["//", "/*"],
        _ => return findings,
    };
    if !comments.iter().any(|comment| text.starts_with(comment)) {
        findings.push(format!("{path}:1: it does not start with a comment"));
    }
    let count = text.lines().count();
    if count > LINES && path != GENERATED {
        findings.push(format!(
            "{path}:{LINES}: {count} lines; {LINES} is the limit"
        ));
    }
    // The names are put together here, so that this file is not a finding itself.
    let marks = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    for (number, line) in (1..).zip(text.lines()) {
        if marks.iter().any(|mark| line.contains(mark)) {
            findings.push(format!("{path}:{number}: unfinished"));
        }
    }
    findings
}

/// Checks that the web page's package and every crate have the version of the workspace.
fn check_versions(tree: &Tree, version: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for path in ["ui-src/package.json", "ui-src/package-lock.json"] {
        let text = tree.get(path).map(String::as_str).unwrap_or_default();
        let package: Value = serde_json::from_str(text).unwrap_or_default();
        if package["version"] != version {
            findings.push(format!(
                "{path}:1: its version is not the workspace's, {version}"
            ));
        }
    }
    for (path, text) in tree {
        let is_crate = path.ends_with("/Cargo.toml") && !path.starts_with(FIXTURE);
        if is_crate && !text.contains("\nversion.workspace = true") {
            findings.push(format!("{path}:1: its version is not the workspace's"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_without_header_too_long_or_unfinished_are_found() {
        let lines = |count| format!("//!{}", "\n".repeat(count));
        for (path, text, count) in [
            ("a.rs", "//! Owns a.\n", 0),
            ("a.rs", "fn main() {}\n", 1),
            ("a.tsx", "// Owns a.\n", 0),
            ("a.tsx", "import a\n", 1),
            ("a.rs", &lines(LINES), 0),
            ("a.rs", &lines(LINES + 1), 1),
            ("a.rs", &format!("//!\n{}!()", "todo"), 1),
            ("a.rs", "//!\nfn todo() {}", 0),
        ] {
            assert_eq!(check_source(path, text).len(), count, "{path}: {text}");
        }
    }

    #[test]
    fn too_many_crates_and_macos_frameworks_are_found() {
        let found = |names: [&str; 2]| check_frameworks(&names.map(str::to_owned).into()).len();
        assert_eq!(found(["tokio v1.0.0", "libc v0.2.0"]), 0);
        assert_eq!(found(["core-foundation-sys v0.8.0", "whoami v1.0.0"]), 2);
        assert!(check_budget(XTASK_CRATES).is_none());
        assert!(check_budget(XTASK_CRATES + 1).is_some());
    }

    #[test]
    fn versions_that_differ_are_found() {
        let findings = |page: &str, version: &str| {
            let json = format!("{{\"version\": \"{page}\"}}");
            let tree = Tree::from([
                ("ui-src/package.json".to_owned(), json.clone()),
                ("ui-src/package-lock.json".to_owned(), json),
                (
                    "xtask/Cargo.toml".to_owned(),
                    format!("[package]\n{version}\n"),
                ),
            ]);
            check_versions(&tree, "1.2.3").len()
        };
        assert_eq!(findings("1.2.3", "version.workspace = true"), 0);
        assert_eq!(findings("1.2.4", "version = \"1.2.3\""), 3);
    }
}
