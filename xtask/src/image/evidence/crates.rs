//! The crates of a binary, as cargo itself resolves them for its target.
//!
//! Normal dependencies alone: build scripts and procedural macros run on the machine that compiles,
//! and of their own code nothing is in the binary.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use crate::host::command::CommandLine;
use crate::image::evidence::graph::{Graph, Package};
use crate::release::target::Target;

/// The command that prints the tree that [`parse`] reads.
pub(crate) fn plan_tree(target: &Target) -> CommandLine {
    CommandLine::new("cargo").args([
        "tree",
        "--locked",
        "--package",
        "noetlctl",
        "--edges",
        "normal,no-proc-macro",
        "--target",
        target.triple,
        "--prefix",
        "depth",
        "--format",
        "|{p}|{l}",
    ])
}

/// The package URL of a crate.
pub(crate) fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Reads the tree that cargo prints, and the hashes of what it downloaded from Cargo.lock.
///
/// # Errors
/// When a line is not as `cargo tree` writes it, or a crate that was downloaded has no hash.
pub(crate) fn parse(tree: &str, cargo_lock: &str) -> anyhow::Result<Graph> {
    let checksums = checksums(cargo_lock);
    let mut graph = Graph::default();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let strange = || format!("`cargo tree` printed `{line}`");
        let mut fields = line.split('|');
        let depth: usize = fields
            .next()
            .and_then(|depth| depth.parse().ok())
            .with_context(strange)?;
        let package = fields.next().with_context(strange)?;
        let license = fields.next().with_context(strange)?;
        let license = license.trim_end_matches(" (*)");
        let mut words = package.split(' ');
        let name = words.next().unwrap_or_default();
        let version = words.next().and_then(|word| word.strip_prefix('v'));
        let version = version.with_context(strange)?;
        // A folder in brackets is a crate of this workspace.
        let is_ours = words.any(|word| word.starts_with("(/") || word.contains(":\\"));
        let hash = checksums.get(&(name, version));
        ensure!(
            is_ours || hash.is_some(),
            "Cargo.lock has no checksum of {name} {version}"
        );
        let purl = purl(name, version);
        above.truncate(depth);
        match above.last() {
            Some(parent) => graph.needs(parent, &purl),
            None => purl.clone_into(&mut graph.root),
        }
        above.push(purl.clone());
        graph.packages.entry(purl).or_insert_with(|| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            // The spelling of old crates, which means the same.
            license: (!license.is_empty()).then(|| license.replace('/', " OR ")),
            hash: hash.map(|hash| ("SHA-256", (*hash).to_owned())),
        });
    }
    ensure!(!graph.root.is_empty(), "`cargo tree` printed nothing");
    Ok(graph)
}

/// The checksums of Cargo.lock by name and version; cargo writes it, so its form is known.
fn checksums(cargo_lock: &str) -> BTreeMap<(&str, &str), &str> {
    cargo_lock
        .split("[[package]]")
        .skip(1)
        .filter_map(checksum)
        .collect()
}

/// Name and version, and the checksum, of one table; crates of this workspace have none.
fn checksum(table: &str) -> Option<((&str, &str), &str)> {
    let field = |name: &str| {
        table.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(" = \"")?
                .strip_suffix('"')
        })
    };
    Some(((field("name")?, field("version")?), field("checksum")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"aa\"\n\n\
        [[package]]\nname = \"b\"\nversion = \"2.0.0+x\"\nchecksum = \"bb\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";

    #[test]
    fn the_tree_becomes_packages_and_edges() {
        let tree = "0|own v0.1.0 (/src/own)|MIT\n1|a v1.0.0|MIT/Apache-2.0\n2|b v2.0.0+x|\n1|b v2.0.0+x| (*)\n";
        let graph = parse(tree, LOCK).unwrap();
        assert_eq!(graph.root, "pkg:cargo/own@0.1.0");
        let (a, b) = ("pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0%2Bx");
        assert_eq!(graph.packages.len(), 3);
        assert_eq!(
            graph.packages[a].license.as_deref(),
            Some("MIT OR Apache-2.0")
        );
        assert_eq!(graph.packages[a].hash, Some(("SHA-256", "aa".into())));
        assert_eq!(graph.packages[b].license, None);
        assert!(graph.edges[a].contains(b));
        assert_eq!(graph.edges[&graph.root].iter().collect::<Vec<_>>(), [a, b]);
    }

    #[test]
    fn what_cargo_does_not_print_is_refused() {
        for (tree, words) in [
            ("", "printed nothing"),
            ("noetl\n", "printed `noetl`"),
            ("0|c v1.0.0|MIT\n", "no checksum of c 1.0.0"),
        ] {
            let error = parse(tree, LOCK).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
