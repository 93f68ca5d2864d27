//! Comparing an SBOM with its program: by the program's hash, by the crates that cargo resolves for its target, and by
//! the names of crates in panic messages, which a stripped file has too.

use std::collections::BTreeSet;

use memchr::memmem;
use noetl_oci::Sha256;
use serde_json::Value;

use crate::release::sbom::crates::purl;
use crate::release::sbom::graph::Graph;

/// The folder of dependencies after their paths are remapped: `/crates/NAME-VERSION/`.
const MARK: &[u8] = b"/crates/";

/// Compares an SBOM with the crates that cargo resolves and with the program; each line is a difference.
pub(crate) fn check(sbom: &Value, resolved: &Graph, program: &[u8]) -> Vec<String> {
    let listed = listed(sbom);
    let resolved: BTreeSet<_> = resolved.packages.keys().map(String::as_str).collect();
    let mut lines = of_program(sbom, program);
    lines.extend(differences([
        (
            &resolved - &listed,
            "is compiled into the program, and is not in the SBOM",
        ),
        (
            &listed - &resolved,
            "is in the SBOM, and cargo does not compile it for this target",
        ),
    ]));
    lines
}

/// Compares an SBOM with its program alone; each line is a difference.
pub(crate) fn of_program(sbom: &Value, program: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let hash = &sbom["metadata"]["component"]["hashes"][0]["content"];
    if *hash != Sha256::of(program).to_string() {
        lines.push(format!("the SBOM is of another program, {hash}"));
    }
    let listed = listed(sbom);
    let found = crates_in(program);
    let found: BTreeSet<_> = found.iter().map(String::as_str).collect();
    let named = "is named in the program, and is not in the SBOM";
    lines.extend(differences([(&found - &listed, named)]));
    // A program without dependencies may name no crate: the names are in panic messages.
    if found.is_empty() && listed.len() > 1 {
        let message = "the program names no crate at all: it was not built by `cargo xtask build`";
        lines.push(message.to_owned());
    }
    lines
}

fn listed(sbom: &Value) -> BTreeSet<&str> {
    let components = sbom["components"].as_array().into_iter().flatten();
    let components = components.chain([&sbom["metadata"]["component"]]);
    let purls = components.filter_map(|it| it["purl"].as_str());
    purls
        .filter(|purl| purl.starts_with("pkg:cargo/"))
        .collect()
}

fn differences<'a, const N: usize>(
    sets: [(BTreeSet<&'a str>, &'a str); N],
) -> impl Iterator<Item = String> {
    sets.into_iter().flat_map(|(purls, message)| {
        let line = move |purl| format!("{purl} {message}");
        purls.into_iter().map(line).collect::<Vec<_>>()
    })
}

/// Returns the package URLs of the crates whose sources a program names.
fn crates_in(program: &[u8]) -> BTreeSet<String> {
    let named = |at: usize| {
        let rest = &program[at + MARK.len()..];
        let end = rest.iter().take(100).position(|byte| *byte == b'/')?;
        let (name, version) = split(std::str::from_utf8(&rest[..end]).ok()?)?;
        Some(purl(name, version))
    };
    memmem::find_iter(program, MARK).filter_map(named).collect()
}

/// Splits a folder such as `ring-0.17.14` at the hyphen before the version.
fn split(folder: &str) -> Option<(&str, &str)> {
    let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |text: &str| match text.splitn(3, '.').collect::<Vec<_>>()[..] {
        [major, minor, patch] => {
            let digit = patch.get(..1).unwrap_or_default();
            [major, minor, digit].iter().all(is_number)
        }
        _ => false,
    };
    let mut hyphens = folder.match_indices('-').map(|(at, _)| at);
    let at = hyphens.find(|at| is_version(&folder[at + 1..]))?;
    Some((&folder[..at], &folder[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::sbom;
    use crate::release::target::TARGETS;

    const PROGRAM: &[u8] =
        b"\0/crates/serde_json-1.0.0/src/de.rs\0/crates/a-b-2.0.0-rc.1+x/src/lib.rs\0/crates/..";

    /// Returns the differences of an SBOM that lists `listed` when cargo resolves `resolved`.
    fn drift(listed: &[&str], resolved: &[&str], program: &[u8]) -> Vec<String> {
        let graph = |names| sbom::tests::graph("cargo", "noetlctl@1.2.3", names);
        let stamp = fixtures::stamp(&TARGETS[0]);
        let sbom = sbom::write(&fixtures::release(), &stamp, PROGRAM, &graph(listed), &[]);
        check(&sbom, &graph(resolved), program)
    }

    #[test]
    fn differences_are_found_by_crate() {
        let all = ["serde_json@1.0.0", "a-b@2.0.0-rc.1%2Bx"];
        let more = [all[0], all[1], "windows-sys@0.61.2"];
        assert_eq!(drift(&more, &more, PROGRAM), [""; 0]);
        let missing = drift(&all[1..], &all, PROGRAM);
        assert_eq!(missing.len(), 2, "{missing:?}");
        let is_named = |line: &String| line.starts_with("pkg:cargo/serde_json@1.0.0 ");
        assert!(missing.iter().all(is_named), "{missing:?}");
        let gated = "pkg:cargo/windows-sys@0.61.2 is in the SBOM, and cargo does not compile it for this target";
        assert_eq!(drift(&more, &all, PROGRAM), [gated]);
        let other = ["serde_json@1.0.1", all[1]];
        let old = "pkg:cargo/serde_json@1.0.0 is named in the program, and is not in the SBOM";
        assert_eq!(drift(&other, &other, PROGRAM), [old]);
        let nameless = drift(&all, &all, b"program");
        assert!(nameless[0].starts_with("the SBOM is of another program"));
        let message = &nameless[1];
        assert!(message.contains("names no crate at all"), "{message}");
    }

    #[test]
    fn a_folder_is_split_before_its_version() {
        assert_eq!(split("md-5-0.11.0"), Some(("md-5", "0.11.0")));
        assert_eq!(split("x-1.0.0-beta.2+3"), Some(("x", "1.0.0-beta.2+3")));
        assert_eq!(split("src"), None);
    }
}
