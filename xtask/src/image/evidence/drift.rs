//! Whether an SBOM is of the program that it is attached to: by the program's own hash, by what cargo
//! resolves for its target, and by the names of crates that panic messages leave in the stripped file.

use std::collections::BTreeSet;

use memchr::memmem;
use noetl_oci::Sha256;
use serde_json::Value;

use crate::image::evidence::crates::purl;
use crate::image::evidence::graph::Graph;

/// Where sources of dependencies lie once their paths are remapped: `/crates/NAME-VERSION/`.
const MARK: &[u8] = b"/crates/";

/// Compares; each line names a crate and what is wrong with it.
pub(crate) fn check(sbom: &[u8], resolved: &Graph, program: &[u8]) -> Vec<String> {
    let Ok(sbom) = serde_json::from_slice::<Value>(sbom) else {
        return vec!["the SBOM is not JSON".to_owned()];
    };
    let mut lines = Vec::new();
    let hash = &sbom["metadata"]["component"]["hashes"][0]["content"];
    if *hash != Sha256::of(program).to_string() {
        lines.push(format!(
            "the SBOM is of another program: its hash is {hash}"
        ));
    }
    let components = sbom["components"].as_array().into_iter().flatten();
    let listed: BTreeSet<&str> = components
        .chain([&sbom["metadata"]["component"]])
        .filter_map(|component| component["purl"].as_str())
        .filter(|purl| purl.starts_with("pkg:cargo/"))
        .collect();
    let resolved: BTreeSet<&str> = resolved.packages.keys().map(String::as_str).collect();
    for purl in resolved.difference(&listed) {
        lines.push(format!(
            "{purl} is compiled into the program, and the SBOM lacks it"
        ));
    }
    for purl in listed.difference(&resolved) {
        lines.push(format!(
            "{purl} is in the SBOM, and cargo does not compile it for this target"
        ));
    }
    let found = crates_in(program);
    // A program alone may have nothing to name: panics carry the names of the crates that they are in.
    if found.is_empty() && listed.len() > 1 {
        lines.push(
            "the program names no crate at all: it was not built by `cargo xtask build`".to_owned(),
        );
    }
    for (name, version) in found {
        let purl = purl(&name, &version);
        if !listed.contains(purl.as_str()) {
            lines.push(format!(
                "{purl} left its name in the program, and the SBOM lacks it"
            ));
        }
    }
    lines
}

/// Names and versions of the crates whose sources a program mentions.
fn crates_in(program: &[u8]) -> BTreeSet<(String, String)> {
    let named = |at: usize| {
        let rest = &program[at + MARK.len()..];
        let end = rest.iter().take(100).position(|byte| *byte == b'/')?;
        let folder = std::str::from_utf8(&rest[..end]).ok()?;
        split(folder)
    };
    memmem::find_iter(program, MARK).filter_map(named).collect()
}

/// `ring-0.17.14` at the hyphen before its version.
fn split(folder: &str) -> Option<(String, String)> {
    let version_at = |at: &usize| {
        let mut numbers = folder[at + 1..].splitn(3, '.');
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.next().is_some_and(digits)
            && numbers.next().is_some_and(digits)
            && numbers
                .next()
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let at = folder
        .match_indices('-')
        .map(|(at, _)| at)
        .find(version_at)?;
    Some((folder[..at].to_owned(), folder[at + 1..].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::image::evidence::sbom;
    use crate::release::target::TARGETS;

    const PROGRAM: &[u8] =
        b"\0/crates/serde_json-1.0.0/src/de.rs\0/crates/a-b-2.0.0-rc.1+x/src/lib.rs\0/crates/..";

    /// What is said of an SBOM that lists `listed` when cargo resolves `resolved`.
    fn said(listed: &[&str], resolved: &[&str], program: &[u8]) -> Vec<String> {
        let graph = |names| sbom::tests::graph("cargo", "noetlctl@1.2.3", names);
        let stamp = fixtures::stamp(&TARGETS[0]);
        let written = sbom::write(&fixtures::release(), &stamp, PROGRAM, &graph(listed), &[]);
        check(&written, &graph(resolved), program)
    }

    #[test]
    fn an_sbom_of_what_is_in_the_program_has_no_drift() {
        let all = ["serde_json@1.0.0", "a-b@2.0.0-rc.1%2Bx", "silent@1.0.0"];
        assert!(said(&all, &all, PROGRAM).is_empty());
    }

    #[test]
    fn drift_is_named_by_crate() {
        let all = ["serde_json@1.0.0", "a-b@2.0.0-rc.1%2Bx"];
        let lacking = said(&all[1..], &all, PROGRAM);
        assert_eq!(lacking.len(), 2, "{lacking:?}");
        assert!(
            lacking
                .iter()
                .all(|line| line.starts_with("pkg:cargo/serde_json@1.0.0 "))
        );
        let gated = said(&[all[0], all[1], "windows-sys@0.61.2"], &all, PROGRAM);
        assert_eq!(
            gated,
            [
                "pkg:cargo/windows-sys@0.61.2 is in the SBOM, and cargo does not compile it for this target"
            ]
        );
        let other_version = ["serde_json@1.0.1", all[1]];
        let old = said(&other_version, &other_version, PROGRAM);
        assert_eq!(
            old,
            ["pkg:cargo/serde_json@1.0.0 left its name in the program, and the SBOM lacks it"]
        );
        let other = said(&all, &all, &[PROGRAM, b"x"].concat());
        assert!(other[0].starts_with("the SBOM is of another program"));
        let nameless = said(&all, &all, b"program");
        assert!(
            nameless[1].contains("names no crate at all"),
            "{nameless:?}"
        );
    }

    #[test]
    fn a_folder_is_split_before_its_version() {
        let pair = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(split("md-5-0.11.0"), pair("md-5", "0.11.0"));
        assert_eq!(split("x-1.0.0-beta.2+3"), pair("x", "1.0.0-beta.2+3"));
        assert_eq!(split("src"), None);
    }
}
