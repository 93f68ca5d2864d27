//! Repository checks, as the job `tidy` of `cargo xtask ci`: pure functions from files to findings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run};
use crate::release::target::{Os, TARGETS};
use crate::release::workspace;
use crate::tasks;

/// The text files that git knows, by path.
type Tree = BTreeMap<String, String>;

/// How many crates xtask may be made of: everybody compiles it before anything else.
const XTASK_CRATES: usize = 95;

/// A workspace of its own, for tests.
const FIXTURE: &str = "xtask/tests/fixture/";

/// The longest a source file may be.
const LINES: usize = 400;

/// Reads the tree, prints every finding as `path:line: message`, and fails once.
pub(crate) fn run(ctx: &Ctx) -> anyhow::Result<()> {
    let mut tree = Tree::new();
    for path in git::list(ctx, ".")? {
        if let Ok(text) = files::read_to_string(&ctx.root.join(&path)) {
            tree.insert(path, text);
        }
    }
    let checks = [check_headers, check_sizes, check_leftovers];
    let mut findings: Vec<String> = checks.iter().flat_map(|check| check(&tree)).collect();
    let version = workspace::read(ctx)?.version;
    findings.extend(check_versions(&tree, &version));
    findings.extend(check_features(ctx)?);
    findings.extend(check_budget(&crates(ctx, &["--package", "xtask"])?));
    for triple in mac_triples() {
        findings.extend(check_frameworks(&crates(
            ctx,
            &["--package", "noetlctl", "--target", triple],
        )?));
    }
    findings.extend(tasks::ci::drift(ctx)?);
    findings.iter().for_each(|finding| output::finding(finding));
    anyhow::ensure!(
        findings.is_empty(),
        "{} findings in the repository",
        findings.len()
    );
    Ok(())
}

/// The crates that cargo would compile, with their features, once each.
fn crates(ctx: &Ctx, args: &[&str]) -> anyhow::Result<Vec<String>> {
    let tree = [
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p} {f}",
    ];
    let listing = run::read(
        ctx,
        &CommandLine::new("cargo")
            .args(tree)
            .args(args.iter().copied()),
    )?;
    let mut crates: Vec<_> = listing
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect();
    crates.sort();
    crates.dedup();
    Ok(crates)
}

/// A target's binary is the same whatever is built beside it, so its crates must have the same features.
fn check_features(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut together = vec!["--package", "noetlctl"];
    together.extend(
        TARGETS
            .iter()
            .flat_map(|target| ["--target", target.triple]),
    );
    let together = crates(ctx, &together)?;
    let mut findings = Vec::new();
    for target in TARGETS {
        let alone = crates(ctx, &["--package", "noetlctl", "--target", target.triple])?;
        let differs = alone.iter().filter(|one| !together.contains(one));
        findings.extend(differs.map(|one| {
            format!(
                "Cargo.toml:1: {} alone has other features than beside other targets: {one}",
                target.triple
            )
        }));
    }
    Ok(findings)
}

fn mac_triples() -> impl Iterator<Item = &'static str> {
    TARGETS
        .iter()
        .filter(|target| target.os == Os::Mac)
        .map(|target| target.triple)
}

fn check_budget(crates: &[String]) -> Vec<String> {
    let over = crates.len() > XTASK_CRATES;
    let finding = || {
        format!(
            "xtask/Cargo.toml:1: {} crates; {XTASK_CRATES} is the budget",
            crates.len()
        )
    };
    over.then(finding).into_iter().collect()
}

/// A crate that links a macOS framework cannot be linked without Apple's SDK.
fn check_frameworks(crates: &[String]) -> Vec<String> {
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
        // Its second version asks the system only with a feature that nobody here wants.
        "whoami v1",
    ];
    let links = |name: &&String| MARKS.iter().any(|mark| name.starts_with(mark));
    let found = crates.iter().filter(links);
    found
        .map(|name| {
            format!("Cargo.lock:1: {name} links a macOS framework, and there is no SDK to link it")
        })
        .collect()
}

fn sources(tree: &Tree) -> impl Iterator<Item = (&String, &String)> {
    tree.iter()
        .filter(|(path, _)| [".rs", ".ts", ".tsx"].iter().any(|end| path.ends_with(end)))
}

/// Every source file opens with what it owns.
fn check_headers(tree: &Tree) -> Vec<String> {
    let opens = |path: &str, text: &str| {
        let marks: &[&str] = if path.ends_with(".rs") {
            &["//!"]
        } else {
            &["//", "/*"]
        };
        marks.iter().any(|mark| text.starts_with(mark))
    };
    let without = sources(tree).filter(|(path, text)| !opens(path, text));
    without
        .map(|(path, _)| format!("{path}:1: it does not open with a comment on what it owns"))
        .collect()
}

fn check_sizes(tree: &Tree) -> Vec<String> {
    let long = sources(tree)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES);
    long.map(|(path, lines)| format!("{path}:{LINES}: {lines} lines; {LINES} is the limit"))
        .collect()
}

/// The workspace's version is the only one: the page's package and every crate have it.
fn check_versions(tree: &Tree, version: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for path in ["ui-src/package.json", "ui-src/package-lock.json"] {
        let text = tree.get(path).map(String::as_str).unwrap_or_default();
        let package: Value = serde_json::from_str(text).unwrap_or_default();
        if package["version"] != version {
            findings.push(format!(
                "{path}:1: its version is not {version}, the workspace's"
            ));
        }
    }
    let own = |path: &&String| {
        path.ends_with("Cargo.toml") && path.contains('/') && !path.starts_with(FIXTURE)
    };
    for path in tree.keys().filter(own) {
        if !tree[path].contains("\nversion.workspace = true") {
            findings.push(format!("{path}:1: its version is not the workspace's"));
        }
    }
    findings
}

/// Work that was left unfinished.
fn check_leftovers(tree: &Tree) -> Vec<String> {
    // Put together here, so that this file is not a finding of its own.
    let marks = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    let mut findings = Vec::new();
    for (path, text) in sources(tree) {
        for (number, line) in (1..).zip(text.lines()) {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                findings.push(format!("{path}:{number}: unfinished"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Tree {
        Tree::from([(path.to_owned(), text.to_owned())])
    }

    #[test]
    fn each_check_has_a_tree_that_trips_it_and_one_that_does_not() {
        assert!(check_headers(&tree("a.rs", "//! Owns a.\n")).is_empty());
        assert_eq!(check_headers(&tree("a.rs", "fn main() {}\n")).len(), 1);
        assert_eq!(check_headers(&tree("a.tsx", "import a\n")).len(), 1);
        assert!(check_sizes(&tree("a.rs", &"\n".repeat(LINES))).is_empty());
        assert_eq!(check_sizes(&tree("a.rs", &"\n".repeat(LINES + 1))).len(), 1);
        assert_eq!(
            check_leftovers(&tree("a.rs", &format!("{}!()", "todo"))).len(),
            1
        );
        assert!(check_leftovers(&tree("a.rs", "fn todo() {}")).is_empty());
    }

    #[test]
    fn dependencies_are_counted_and_looked_at() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(check_frameworks(&names(&["tokio v1.0.0", "libc v0.2.0"])).is_empty());
        assert_eq!(
            check_frameworks(&names(&["core-foundation-sys v0.8.0", "whoami v1.0.0"])).len(),
            2
        );
        assert!(check_budget(&vec![String::new(); XTASK_CRATES]).is_empty());
        assert_eq!(
            check_budget(&vec![String::new(); XTASK_CRATES + 1]).len(),
            1
        );
    }

    #[test]
    fn versions_are_equal_everywhere() {
        let mut tree = Tree::new();
        for path in ["ui-src/package.json", "ui-src/package-lock.json"] {
            tree.insert(path.to_owned(), "{\"version\": \"1.2.3\"}".to_owned());
        }
        tree.insert(
            "xtask/Cargo.toml".to_owned(),
            "[package]\nversion.workspace = true\n".to_owned(),
        );
        assert!(check_versions(&tree, "1.2.3").is_empty());
        tree.insert(
            "xtask/Cargo.toml".to_owned(),
            "[package]\nversion = \"1.2.3\"\n".to_owned(),
        );
        tree.insert(
            "ui-src/package.json".to_owned(),
            "{\"version\": \"1.2.4\"}".to_owned(),
        );
        assert_eq!(check_versions(&tree, "1.2.3").len(), 2);
    }
}
