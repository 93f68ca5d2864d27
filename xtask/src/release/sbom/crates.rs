//! The crates of a binary, as cargo resolves them for its target.
//!
//! Only normal dependencies: build scripts and procedural macros run on the machine that compiles, and their code is
//! not in the binary.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, run};
use crate::release::sbom::graph::{Graph, Package};
use crate::release::target::Target;

/// Returns the crates of `noetl` for a target.
///
/// # Errors
/// When cargo fails.
pub(crate) fn resolve(ctx: &Ctx, target: &Target) -> anyhow::Result<Graph> {
    let (shell, triple, format) = (&ctx.shell, target.triple, "|{p}|{l}");
    let command = cmd!(
        shell,
        "cargo tree --locked --package noetlctl --edges normal,no-proc-macro --target {triple} --prefix depth --format {format}"
    );
    let lock = files::read_to_string(&ctx.root.join("Cargo.lock"))?;
    parse(&run::read(ctx, command)?, &lock)
}

/// Returns the package URL of a crate.
pub(crate) fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Reads the output of `cargo tree`, and the hashes of downloaded crates from Cargo.lock.
///
/// # Errors
/// When a line is not as `cargo tree` writes it, or a downloaded crate has no hash.
fn parse(tree: &str, cargo_lock: &str) -> anyhow::Result<Graph> {
    let checksums = checksums(cargo_lock);
    let mut graph = Graph::default();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let unexpected = || format!("`cargo tree` printed `{line}`");
        let fields: Vec<_> = line.split('|').collect();
        let [depth, package, license] = fields[..] else {
            bail!(unexpected());
        };
        let depth: usize = depth.parse().with_context(unexpected)?;
        let license = license.trim_end_matches(" (*)");
        let mut words = package.split(' ');
        let name = words.next().unwrap_or_default();
        let version = words.next().and_then(|word| word.strip_prefix('v'));
        let version = version.with_context(unexpected)?;
        // Crates of this workspace have their folder in brackets.
        let is_ours = words.any(|word| word.starts_with("(/") || word.contains(":\\"));
        let hash = checksums.get(&(name, version));
        let is_known = is_ours || hash.is_some();
        ensure!(is_known, "Cargo.lock has no checksum of {name} {version}");
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
            // Old crates write `/` for `OR`.
            license: (!license.is_empty()).then(|| license.replace('/', " OR ")),
            hash: hash.map(|hash| ("SHA-256", (*hash).to_owned())),
        });
    }
    ensure!(!graph.root.is_empty(), "`cargo tree` printed nothing");
    Ok(graph)
}

/// Returns the checksums of Cargo.lock by name and version. Crates of this workspace have none.
fn checksums(cargo_lock: &str) -> BTreeMap<(&str, &str), &str> {
    let tables = cargo_lock.split("[[package]]").skip(1);
    let checksums = tables.filter_map(|table| {
        let field = |name: &str| {
            let mut lines = table.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
            value.strip_suffix('"')
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    });
    checksums.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"aa\"\n\n\
        [[package]]\nname = \"b\"\nversion = \"2.0.0+x\"\nchecksum = \"bb\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";

    #[test]
    fn packages_and_edges_are_read() {
        let tree = "0|own v0.1.0 (/src/own)|MIT\n1|a v1.0.0|MIT/Apache-2.0\n2|b v2.0.0+x|\n1|b v2.0.0+x| (*)\n";
        let graph = parse(tree, LOCK).unwrap();
        assert_eq!(graph.root, "pkg:cargo/own@0.1.0");
        let (a, b) = ("pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0%2Bx");
        assert_eq!(graph.packages.len(), 3);
        let (license, hash) = (&graph.packages[a].license, &graph.packages[a].hash);
        assert_eq!(license.as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(*hash, Some(("SHA-256", "aa".into())));
        assert_eq!(graph.packages[b].license, None);
        assert!(graph.edges[a].contains(b));
        assert_eq!(graph.edges[&graph.root].iter().collect::<Vec<_>>(), [a, b]);
    }

    #[test]
    fn unexpected_output_is_refused() {
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
